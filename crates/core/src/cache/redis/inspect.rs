//! What the cache in Redis has of one name, for an operator. Reads only.

use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::cmd;

use crate::cache::Cached;
use crate::error::{Part, Result};
use crate::model::record::Key;
use crate::redis::{Entry, Redis, dirty_value};

/// What is cached of `key`.
///
/// # Errors
/// When the server is unavailable.
pub(crate) async fn cached(redis: &Redis, key: &Key) -> Result<Cached> {
    let mut link = redis.link(Part::Cache).await?;
    let shard = redis.keyspace.shard_of(key);
    let mut get = cmd("MGET");
    get.arg(link.keys.clock(shard)).arg(link.keys.entry(key));
    let held: Vec<Option<Bytes>> = link.command(&get).await?;
    let mut left = cmd("PTTL");
    left.arg(link.keys.entry(key));
    let left_ms: i64 = link.command(&left).await?;
    Ok(match &held[..] {
        [None, _] => Cached::Unseeded,
        [_, Some(entry)] => of_entry(entry, u64::try_from(left_ms).ok()),
        _ => Cached::Nothing,
    })
}

fn of_entry(entry: &Bytes, left_ms: Option<u64>) -> Cached {
    let expires_in = left_ms.map(Duration::from_millis);
    match Entry::parse(entry) {
        Some(Entry::Held(version, body)) => Cached::Held {
            version,
            body,
            // A dirty entry gets its expiry when it is drained.
            is_clean: dirty_value(entry).is_none() || expires_in.is_some(),
            expires_in,
        },
        Some(Entry::InDoubt(since, before)) => Cached::InDoubt { since, before },
        Some(Entry::Filling) => Cached::Filling,
        None => Cached::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dirty_entry_with_an_expiry_is_clean() {
        let held = |text: &str, left_ms| {
            let entry = Bytes::copy_from_slice(text.as_bytes());
            match of_entry(&entry, left_ms) {
                Cached::Held { is_clean, .. } => is_clean,
                other => panic!("{other:?}"),
            }
        };
        assert!(!held("0000000000000007D{}", None));
        assert!(held("0000000000000007D{}", Some(9)));
        assert!(held("0000000000000007C{}", Some(9)));
        let unknown = of_entry(&Bytes::from_static(b"x"), None);
        assert_eq!(unknown, Cached::Unknown);
    }
}
