//! A shard whose stream is lost, as it was evicted: what the cache holds of it yet
//! is brought back into the journal.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::Result;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::entry::dirty_value;
use crate::redis::stream::pack;
use crate::redis::{Call, Link, Redis, encode_version};

/// Names that are looked at in one round trip.
const BATCH_MAX: usize = 1_000;

static DIRTY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("forms.lua"),
        include_str!("dirty.lua")
    ))
});

/// A dirty entry of the cache.
#[derive(Clone, Debug)]
pub(super) struct Dirty {
    version: Version,
    key: Bytes,
    body: Bytes,
}

impl Dirty {
    /// Adds it as an entry of its own, since versions may be missing between those that are left.
    pub(super) fn write(&self, call: &mut Call<'_>) {
        let packed = pack(1, std::iter::once((&self.key[..], &self.body[..])));
        call.arg(encode_version(self.version)).arg(packed);
    }
}

impl Redis {
    /// The dirty entries of a shard, from the oldest to the newest.
    pub(super) async fn dirty(&self, link: &mut Link, shard: Shard) -> Result<Vec<Dirty>> {
        let prefix = link.keys.entry_prefix(shard);
        let (mut dirty, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{prefix}*"));
            scan.arg("COUNT").arg(BATCH_MAX);
            let (next, names): (u64, Vec<Bytes>) = link.command(&scan).await?;
            if !names.is_empty() {
                let mut get = Call::begin(&DIRTY, names.len());
                for name in &names {
                    get.arg(&name[..]);
                }
                let held: Vec<Option<Bytes>> = link.script(get).await?;
                let found = names.iter().zip(held);
                dirty.extend(found.filter_map(|(name, held)| {
                    // No write has the version 0, and the stream does not take it.
                    let dirty = dirty_value(&held?).filter(|(version, _)| *version > Version::ZERO);
                    let (version, body) = dirty?;
                    let key = name.slice(prefix.len()..);
                    Some(Dirty { version, key, body })
                }));
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        dirty.sort_by_key(|dirty| dirty.version);
        // A scan may give a name twice.
        dirty.dedup_by_key(|dirty| dirty.version);
        Ok(dirty)
    }
}
