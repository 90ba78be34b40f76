//! The id of a request: the client's `x-request-id`, or one that is made here. Every answer has it.

use std::cell::Cell;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::{BufMut as _, BytesMut};

use crate::header_value;

/// The header that has it, in requests and answers.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client.
const BYTES_MAX: usize = 128;
/// 16 digits of the thread, a hyphen, 10 digits of the request.
const MADE_BYTES: usize = 27;

thread_local! {
    /// What no other thread's ids begin with, in this process or another, and the number of the next request.
    static NEXT: Cell<(u64, u64)> = Cell::new((fastrand::u64(..), 0));
}

/// The id that the client has given the request, unless it is long or has unusual characters; otherwise a
/// new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    match headers.get(X_REQUEST_ID) {
        Some(given) if is_usual(given.as_bytes()) => given.clone(),
        _ => made(),
    }
}

/// Letters, digits and what base64, UUIDs and trace ids are written with: nothing that would have to be
/// escaped in a log, JSON or a header.
fn is_usual(id: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=~@".contains(byte);
    (1..=BYTES_MAX).contains(&id.len()) && id.iter().all(is_usual)
}

/// An id that no other request has.
fn made() -> HeaderValue {
    let (thread, request) = NEXT.get();
    NEXT.set((thread, request.wrapping_add(1)));
    header_value::made(MADE_BYTES, |id| {
        push_digits(id, thread, 16);
        id.put_u8(b'-');
        push_digits(id, request, 10);
    })
}

/// The last hexadecimal digits of a number.
fn push_digits(text: &mut BytesMut, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = (number >> (4 * place) & 0xf) as u8;
        text.put_u8(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    fn answered(given: &[u8]) -> HeaderValue {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(given).unwrap());
        request_id(&headers)
    }

    #[test]
    fn a_usual_id_is_taken() {
        let longest = "x".repeat(BYTES_MAX);
        for id in ["1", "4bf92f35-77b3_4d.a:/+=~@", &longest] {
            assert_eq!(answered(id.as_bytes()), id);
        }
    }

    #[test]
    fn an_unusual_id_is_replaced() {
        let longer = "x".repeat(BYTES_MAX + 1);
        for id in [
            "", " ", "a b", "a\"b", "a\\b", "<a>", "a,b", "\u{e9}", &longer,
        ] {
            let made = answered(id.as_bytes());
            assert_ne!(made, id);
            assert_eq!(made.len(), MADE_BYTES);
            assert!(is_usual(made.as_bytes()));
        }
    }

    #[test]
    fn made_ids_are_unique_across_threads() {
        let make = || thread::spawn(|| (0..1_000).map(|_| made()).collect::<Vec<_>>());
        let threads = [make(), make(), make()];
        let made = threads.map(|thread| thread.join().unwrap());
        let distinct: HashSet<&HeaderValue> = made.iter().flatten().collect();
        assert_eq!(distinct.len(), 3_000);
    }
}
