//! The form of a dead letter in Redis: a field of the shard's hash, called as
//! the key, with this value.
//!
//! ```text
//! <version, 16 digits> <set aside at, 16 digits> <reason> NUL <body, empty = tombstone>
//! ```

use std::collections::HashMap;

use bytes::Bytes;
use deadpool_redis::redis::cmd;

use crate::error::Result;
use crate::model::dead_letter::DeadLetter;
use crate::model::record::{Key, Record};
use crate::redis::{Link, encode_version, parse_version};

const DIGITS: usize = 16;
const END_OF_REASON: u8 = 0;

pub(crate) fn encode(letter: &DeadLetter) -> Vec<u8> {
    let mut value = encode_version(letter.record.version).into_bytes();
    value.extend(encode_version(letter.set_aside_at).into_bytes());
    // A reason that had the end in it would be cut there.
    value.extend(letter.reason.bytes().filter(|byte| *byte != END_OF_REASON));
    value.push(END_OF_REASON);
    value.extend(letter.record.body.as_deref().unwrap_or_default());
    value
}

/// Those of one shard, whose hash is called `dead`, in no particular order.
pub(crate) async fn all(link: &mut Link, dead: &str) -> Result<Vec<DeadLetter>> {
    let held: HashMap<Bytes, Bytes> = link.command(cmd("HGETALL").arg(dead)).await?;
    let letters = held.iter().filter_map(|(key, value)| parse(key, value));
    Ok(letters.collect())
}

/// `None` when the value has no such form.
pub(crate) fn parse(key: &[u8], value: &Bytes) -> Option<DeadLetter> {
    let version = parse_version(value.get(..DIGITS)?)?;
    let set_aside_at = parse_version(value.get(DIGITS..2 * DIGITS)?)?;
    let rest = value.slice(2 * DIGITS..);
    let end = rest.iter().position(|byte| *byte == END_OF_REASON)?;
    let body = rest.slice(end + 1..);
    Some(DeadLetter {
        record: Record {
            key: Key::from(std::str::from_utf8(key).ok()?),
            version,
            body: (!body.is_empty()).then_some(body),
        },
        reason: String::from_utf8_lossy(rest.get(..end)?).as_ref().into(),
        set_aside_at,
        held_back: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::version::Version;

    #[test]
    fn a_letter_comes_back_as_it_went_and_nothing_else_parses() {
        for body in [Some(Bytes::from_static(b"{\"a\":\"\0\"}")), None] {
            let letter = DeadLetter {
                record: Record {
                    key: Key::from("Zoë"),
                    version: Version::new(7).unwrap(),
                    body,
                },
                reason: "Data too long for column 'occupation'".into(),
                set_aside_at: Version::new(9).unwrap(),
                held_back: false,
            };
            let value = Bytes::from(encode(&letter));
            assert_eq!(parse("Zoë".as_bytes(), &value), Some(letter));
            for cut in 0..value.len() {
                let cut = value.slice(..cut);
                let still_has_a_reason = cut.iter().skip(32).any(|byte| *byte == 0);
                assert_eq!(parse(b"x", &cut).is_some(), still_has_a_reason);
            }
            assert_eq!(parse(b"\xff", &value), None);
        }
    }
}
