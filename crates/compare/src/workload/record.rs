//! The records that a workload writes, and how to tell from one which request wrote it.

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;
use serde::Deserialize;

use crate::request::Request;

/// What comes before the number of the request in a record's `occupation`.
const MARK: char = 'w';
/// What comes after it, up to the length that was asked for.
const PADDING: &[u8] = &[b'-'; 255];

/// The name of number `name`, of those that begin with `prefix`.
pub fn name(prefix: &str, name: u32) -> String {
    format!("{prefix}-{name}")
}

/// The record that a request writes: JSON with `name`, `age` and an `occupation` of
/// `value_chars` characters that no other request of the workload writes.
pub fn body(prefix: &str, request: Request, value_chars: usize) -> Bytes {
    let number = request.number;
    let mut body = Vec::with_capacity(prefix.len() + value_chars + 64);
    // Writing into memory cannot fail.
    let _ = write!(
        body,
        r#"{{"name":"{prefix}-{}","age":{},"occupation":"#,
        request.name,
        number % 151
    );
    body.push(b'"');
    let begin = body.len();
    let _ = write!(body, "{MARK}{number}");
    let padding = value_chars.saturating_sub(body.len() - begin);
    body.extend_from_slice(PADDING.get(..padding).unwrap_or(PADDING));
    body.extend_from_slice(br#""}"#);
    body.into()
}

/// The number of the request that wrote this record; `None` if none did.
pub fn writer_of(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(borrow)]
        occupation: Cow<'a, str>,
    }
    let written: Written<'_> = serde_json::from_slice(body).ok()?;
    writer_in(&written.occupation)
}

/// The number of the request that wrote a record with this `occupation`; `None` if none did.
pub fn writer_in(occupation: &str) -> Option<u64> {
    let marked = occupation.strip_prefix(MARK)?;
    marked.trim_end_matches('-').parse().ok()
}

#[cfg(test)]
mod tests {
    use cache_core::model::user::{User, check_age, check_name, check_occupation};

    use super::*;
    use crate::request::Operation;

    fn write(number: u64) -> Request {
        Request {
            number,
            name: 12,
            operation: Operation::Write,
        }
    }

    #[test]
    fn a_record_names_its_writer_also_after_a_service_has_read_it() {
        for number in [0, 9, 150, 151, 999_999_999_999] {
            for value_chars in [20, 100, 255] {
                let sent = body("cmp-1", write(number), value_chars);
                assert_eq!(writer_of(&sent), Some(number));
                let user: User = serde_json::from_slice(&sent).unwrap();
                assert_eq!(user.name, name("cmp-1", 12));
                assert_eq!(user.occupation.len(), value_chars);
                check_name(&user.name).unwrap();
                check_age(i128::from(user.age)).unwrap();
                check_occupation(&user.occupation).unwrap();
                let answered = serde_json::to_vec(&user).unwrap();
                assert_eq!(writer_of(&answered), Some(number));
            }
        }
    }

    #[test]
    fn a_record_of_another_client_has_no_writer() {
        for foreign in [
            r#"{"name":"x","age":1,"occupation":"Engineer"}"#,
            r#"{"name":"x","age":1,"occupation":"w"}"#,
            r#"{"name":"x","age":1,"occupation":"welder"}"#,
            r#"{"name":"x","age":1,"occupation":"12"}"#,
            r#"{"name":"w1"}"#,
            "",
            "no JSON",
        ] {
            assert_eq!(writer_of(foreign.as_bytes()), None, "{foreign}");
        }
    }
}
