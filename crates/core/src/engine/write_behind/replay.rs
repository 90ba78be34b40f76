//! What a memory cache is filled with at start.

use crate::cache::Cache;
use crate::error::Result;
use crate::journal::Journal;
use crate::model::record::{Key, Record, newest_per_key};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::store::{Store, versions_of};

/// Entries that are read from the journal at once when the cache is filled
/// from it at start.
const REPLAY_BATCH_MAX: usize = 10_000;

/// Brings what the journal holds, dead letters included, into a cache that does not survive as long,
/// except where the database has something newer: an entry may have been
/// drained before without the journal having noted it, and other services may
/// have written the database since.
pub(super) async fn replay(
    journal: &dyn Journal,
    cache: &dyn Cache,
    store: &dyn Store,
) -> Result<()> {
    let mut entries = 0;
    let dead = journal.dead_letters(usize::MAX).await?.into_iter();
    cache_newer(dead.map(|letter| letter.record).collect(), cache, store).await?;
    for shard in (0..journal.shards()).map(Shard) {
        let mut after = Version::ZERO;
        loop {
            let records = journal.read(shard, after, REPLAY_BATCH_MAX).await?;
            let Some(last) = records.last() else { break };
            after = last.version;
            entries += records.len();
            cache_newer(records, cache, store).await?;
        }
    }
    if entries > 0 {
        tracing::info!(
            entries,
            "the journal holds writes to drain; they are in the cache again"
        );
    }
    Ok(())
}

/// Caches those of the records that the database has nothing newer of.
async fn cache_newer(records: Vec<Record>, cache: &dyn Cache, store: &dyn Store) -> Result<()> {
    let waiting = newest_per_key(records);
    let keys: Vec<Key> = waiting.iter().map(|record| record.key.clone()).collect();
    let stored = versions_of(store, &keys).await?;
    let is_newer = |record: &Record| {
        stored
            .get(&record.key)
            .is_none_or(|stored| record.version > *stored)
    };
    let dirty: Vec<Record> = waiting.into_iter().filter(is_newer).collect();
    cache.put_dirty(&dirty).await
}
