//! Recovers a restarted server: caches again what its journal holds.
//!
//! Whatever the server had cached before may be older than what it lost, so
//! nothing is cached in its new run until the clock of the shard is there, and
//! the clock is there only when each acknowledged write that the database does
//! not have yet is cached. Any number of processes may do this at once: the
//! first that sets the clock ends it for all.

use std::sync::LazyLock;

use deadpool_redis::redis::Script;

use crate::error::Result;
use crate::model::record::{Key, Record, newest_per_key};
use crate::model::shard::Shard;
use crate::model::stored_versions::StoredVersions;
use crate::redis::stream::{Direction, Walk, unpack};
use crate::redis::{Call, Link, Redis, RunKeys, dead_letter, encode_version};

/// Names that are cached in one round trip.
const BATCH_MAX: usize = 1_000;

static RECOVER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../forms.lua"),
        include_str!("../put_dirty.lua"),
        include_str!("../drained.lua"),
        include_str!("recover.lua")
    ))
});

impl Redis {
    /// Caches what the journal of `shard` holds and the database does not have; `recovered`
    /// is what was recovered when this began.
    pub(in crate::redis) async fn recover(
        &self,
        link: &mut Link,
        shard: Shard,
        old: &[RunKeys],
        recovered: &[u8],
        stored: &dyn StoredVersions,
    ) -> Result<()> {
        let recovery = Recovery {
            shard,
            old,
            recovered,
            stored,
        };
        let run = self.keyspace.run(shard);
        // From the newest to the oldest, so that an entry is rarely replaced.
        let mut walk = Walk::new(shard, "+".to_owned(), Direction::Down);
        loop {
            let page = walk.next(link, self).await?;
            if page.entries.is_empty() {
                break;
            }
            let mut records = Vec::new();
            for entry in &page.entries {
                // One that cannot be understood is the drainer's concern. What is acknowledged
                // is in the database.
                let _ = unpack(entry, page.acknowledged(entry), &mut records);
            }
            if !recovery.put(link, &run, records).await? {
                return Ok(());
            }
        }
        // What waits is newer than any dead letter of its key.
        let dead = dead_letter::all(link, &self.keyspace.dead(shard)).await?;
        let dead = dead.into_iter().filter(|letter| !letter.is_undecodable());
        let dead: Vec<Record> = dead.map(|letter| letter.record).collect();
        recovery.put(link, &run, dead).await.map(drop)
    }
}

/// The recovery of one shard.
struct Recovery<'a> {
    shard: Shard,
    old: &'a [RunKeys],
    recovered: &'a [u8],
    stored: &'a dyn StoredVersions,
}

impl Recovery<'_> {
    /// Caches the entries that the database does not have, and removes what earlier
    /// runs had cached of them, which nothing else removes. Returns whether the
    /// recovery is still needed.
    async fn put(&self, link: &mut Link, run: &str, records: Vec<Record>) -> Result<bool> {
        for records in newest_per_key(records).chunks(BATCH_MAX) {
            if !self.put_some(link, run, records).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn put_some(&self, link: &mut Link, run: &str, records: &[Record]) -> Result<bool> {
        let names: Vec<Key> = records.iter().map(|record| record.key.clone()).collect();
        let stored = self.stored.of(&names).await?;
        let keys = link.keys.clone();
        let mut names = vec![
            keys.clock(self.shard),
            keys.recovered(self.shard),
            run.to_owned(),
        ];
        names.extend(records.iter().map(|record| keys.entry(&record.key)));
        for old in self.old {
            names.extend(records.iter().map(|record| old.entry(&record.key)));
        }
        let mut call = Call::new(&RECOVER, names);
        call.arg(self.recovered).arg(keys.run());
        for record in records {
            match stored.get(&record.key) {
                Some(stored) if *stored >= record.version => {
                    call.arg("stored").arg(encode_version(*stored)).arg("");
                }
                _ => {
                    call.arg("dirty")
                        .arg(encode_version(record.version))
                        .arg(record.body.as_deref().unwrap_or_default());
                }
            }
        }
        link.script(call).await
    }
}
