//! Short values of headers that are made for each answer, in memory that many of them share. A value of its own takes
//! two allocations, since it is cloned.

use std::cell::RefCell;

use actix_web::http::header::HeaderValue;
use bytes::BytesMut;

/// What is allocated at once.
const ROOM_BYTES: usize = 1024;

thread_local! {
    static ROOM: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(ROOM_BYTES));
}

/// The value of visible ASCII characters that `write` adds to the text that it is given, usually at most `bytes` of them.
pub(crate) fn made(bytes: usize, write: impl FnOnce(&mut BytesMut)) -> HeaderValue {
    let text = ROOM.with_borrow_mut(|room| {
        // What a write has left that panicked.
        room.clear();
        room.reserve(bytes);
        write(room);
        room.split().freeze()
    });
    // Of such characters, so it is a valid value.
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_share_memory_stay_as_they_are() {
        let texts: Vec<String> = (0..1_000).map(|number| format!("{number:0>27}")).collect();
        let values: Vec<HeaderValue> = texts
            .iter()
            .map(|text| made(20, |room| room.extend_from_slice(text.as_bytes())))
            .collect();
        assert!(values.iter().zip(&texts).all(|(value, text)| value == text));
    }
}
