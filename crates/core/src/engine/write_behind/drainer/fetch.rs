//! Reading a batch from the journal.

use crate::engine::write_behind::drainer::Drain;
use crate::engine::write_behind::drainer::batch::{Batch, Room};
use crate::error::{Error, Part, Result};
use crate::model::record::Record;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::telemetry;

impl Drain {
    /// The oldest entries of `shard` after `after`, as many as there is room for. A failure
    /// after the first read ends the batch; the next one reports it.
    ///
    /// # Errors
    /// When nothing can be read.
    pub(super) async fn fetch(&self, shard: Shard, after: Version, room: Room) -> Result<Batch> {
        let mut batch = Batch::default();
        loop {
            let max = room.left(&batch);
            if max == 0 {
                batch.has_more = !batch.is_empty();
                break;
            }
            let records = match self.read(shard, after.max(batch.through()), max).await {
                Err(_) if !batch.is_empty() => {
                    batch.has_more = true;
                    break;
                }
                records => records?,
            };
            let is_end = records.len() < max;
            batch.extend(records);
            if is_end {
                break;
            }
        }
        if !batch.is_empty() && !self.journal.holds_cache() {
            // IMPORTANT: what was read may not be in the cache yet. A reader who
            // found it in the database would find something older in the cache
            // afterwards; and it would be dirty for ever if it came there only
            // after it was marked clean. What is appended from here on is newer.
            drop(self.appending.lock().await);
        }
        Ok(batch)
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        match self.journal.read(shard, after, max).await {
            Err(
                error @ Error::Corrupt {
                    part: Part::Journal,
                    ..
                },
            ) => {
                let set_aside = self.journal.set_aside_undecodable(shard).await?;
                if set_aside == 0 {
                    return Err(error);
                }
                telemetry::dead_letters(set_aside);
                tracing::error!(
                    shard = shard.0,
                    entries = set_aside,
                    "entries of the journal cannot be understood; they are dead letters now"
                );
                self.journal.read(shard, after, max).await
            }
            read => read,
        }
    }
}
