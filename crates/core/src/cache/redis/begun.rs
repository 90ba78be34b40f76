//! What `begin_write.lua` answers.

use bytes::Bytes;
use deadpool_redis::redis::Value;

use crate::cache::Begun;
use crate::cache::redis::InShard;
use crate::record::{Key, Record};
use crate::redis::{Entry, parse_version};
use crate::version::Version;

/// The writes that have begun, with their places among all, of the keys that a
/// call was about; `None` when the answer has another form.
pub(super) fn parse(
    shards: &[InShard<'_, Key>],
    answer: Vec<Value>,
) -> Option<Vec<(usize, Begun)>> {
    let mut answer = answer.into_iter();
    let mut begun = Vec::new();
    for (_, keys) in shards {
        let first = parse_version(&bytes(answer.next()?)?)?;
        for (after, (place, key)) in (0..).zip(keys) {
            let issued = Begun {
                version: Version::new(first.get() + after)?,
                dirty: None,
                doubt: None,
            };
            begun.push((*place, *key, issued));
        }
    }
    while let Some(place) = answer.next() {
        let Value::Int(place) = place else {
            return None;
        };
        let place = usize::try_from(place).ok()?.checked_sub(1)?;
        let (_, key, begun) = begun.get_mut(place)?;
        let (doubt, dirty) = (bytes(answer.next()?)?, bytes(answer.next()?)?);
        if !doubt.is_empty() {
            begun.doubt = Some(parse_version(&doubt)?);
        }
        if !dirty.is_empty() {
            let Entry::Held(version, body) = Entry::parse(&dirty)? else {
                return None;
            };
            begun.dirty = Some(Record {
                key: (*key).clone(),
                version,
                body,
            });
        }
    }
    let begun = begun.into_iter();
    Some(begun.map(|(place, _, begun)| (place, begun)).collect())
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}
