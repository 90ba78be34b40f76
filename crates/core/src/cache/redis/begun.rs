//! What `begin_write.lua` answers.

use bytes::Bytes;
use deadpool_redis::redis::Value;

use crate::cache::Begun;
use crate::record::{Key, Record};
use crate::redis::{Entry, parse_version};
use crate::version::Version;

/// The writes that have begun, of `keys` in their order; `None` when the answer
/// has another form.
pub(super) fn parse<'a>(
    keys: impl Iterator<Item = &'a Key>,
    answer: Vec<Value>,
) -> Option<Vec<Begun>> {
    let mut answer = answer.into_iter();
    let first = parse_version(&bytes(answer.next()?)?)?;
    let mut begun: Vec<(&Key, Begun)> = keys
        .enumerate()
        .map(|(place, key)| {
            let begun = Begun {
                version: Version::new(first.get() + place as u64)?,
                dirty: None,
                doubt: None,
            };
            Some((key, begun))
        })
        .collect::<Option<_>>()?;
    while let Some(place) = answer.next() {
        let Value::Int(place) = place else {
            return None;
        };
        let place = usize::try_from(place).ok()?.checked_sub(1)?;
        let (key, begun) = begun.get_mut(place)?;
        let (doubt, dirty) = (bytes(answer.next()?)?, bytes(answer.next()?)?);
        if !doubt.is_empty() {
            begun.doubt = Some(parse_version(&doubt)?);
        }
        if !dirty.is_empty() {
            let Entry::Held(version, body) = Entry::parse(&dirty)? else {
                return None;
            };
            begun.dirty = Some(Record {
                key: key.clone(),
                version,
                body,
            });
        }
    }
    Some(begun.into_iter().map(|(_, begun)| begun).collect())
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}
