//! What becomes of entries that the database refuses.

use std::sync::Arc;

use crate::engine::write_behind::drainer::Drain;
use crate::error::Result;
use crate::model::dead_letter::DeadLetter;
use crate::model::record::Record;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::telemetry;
use crate::telemetry::repeated;

impl Drain {
    /// Makes a dead letter of each of these entries, or holds it back where there is no room.
    pub(super) async fn set_all_aside(
        &self,
        shard: Shard,
        refused: &[(Record, Arc<str>)],
    ) -> Result<()> {
        for (record, reason) in refused {
            self.set_aside(shard, record, reason).await?;
        }
        Ok(())
    }

    /// Whether the journal holds the record's entry.
    async fn still_waits(&self, shard: Shard, record: &Record) -> Result<bool> {
        let before = record.version.just_before();
        let next = self.journal.read(shard, before, 1).await?;
        Ok(next.iter().any(|next| next.version == record.version))
    }

    /// Its value stays in the cache, dirty: it was acknowledged, so readers are
    /// given it until a newer write or an operator ends it.
    async fn set_aside(&self, shard: Shard, record: &Record, reason: &Arc<str>) -> Result<()> {
        // IMPORTANT: this process may have been suspended. If another one has drained the
        // entry meanwhile, a newer delete may have been purged, and a dead letter would
        // offer to bring the user back.
        if !self.still_waits(shard, record).await? {
            telemetry::skipped();
            let what = "the database refuses a record whose entry another process has drained; it is skipped";
            repeated::warning(what, reason, 1);
            return Ok(());
        }
        let letter = DeadLetter {
            record: record.clone(),
            reason: reason.clone(),
            set_aside_at: Version::now(),
            held_back: false,
        };
        let max = self.dead_letters_max;
        let what = match self.journal.set_aside_within(shard, &letter, max).await? {
            true => {
                "the database refuses a record, and the limit of dead letters is reached; it waits in the journal"
            }
            false => {
                telemetry::dead_letters(1);
                "the database refuses a record; it is a dead letter now"
            }
        };
        repeated::error(what, reason);
        Ok(())
    }
}
