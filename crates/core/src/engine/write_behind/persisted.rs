//! Waits until acknowledged writes are in the database.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::engine::write_behind::drainer::Drainer;
use crate::error::Result;
use crate::journal::Journal;
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::timing;

/// Waits for the drainers of this process and of others.
#[derive(Debug)]
pub(crate) struct DrainWaiter {
    journal: Arc<dyn Journal>,
    drainer: Arc<Drainer>,
    heard: Mutex<Heard>,
}

/// The oldest entry that waits in each shard, and when the journal was asked.
#[derive(Debug, Default)]
struct Heard {
    at: Option<Instant>,
    oldest: HashMap<Shard, Option<Version>>,
}

impl DrainWaiter {
    pub(crate) fn new(journal: Arc<dyn Journal>, drainer: Arc<Drainer>) -> DrainWaiter {
        DrainWaiter {
            journal,
            drainer,
            heard: Mutex::default(),
        }
    }

    /// Waits until each shard is drained through its mark. With `keys`, ignores entries of
    /// other keys that wait for locked rows, in the shards that this process drains.
    /// Returns whether all are drained; `false` at `deadline`.
    pub(crate) async fn wait(
        &self,
        mut marks: HashMap<Shard, Version>,
        keys: &[Key],
        deadline: Instant,
    ) -> Result<bool> {
        let mut progress = self.drainer.progress();
        self.drainer.wake().hurry();
        // In their order, so that a run of the simulation can be repeated.
        let mut waiting: Vec<Shard> = marks.keys().copied().collect();
        waiting.sort_unstable();
        for shard in waiting {
            self.drainer.wake().wake(shard);
        }
        let mut in_vain = false;
        loop {
            progress.mark_unchanged();
            marks.retain(|shard, mark| !self.drainer.has_drained(*shard, *mark, keys));
            // A shard that is drained here now may have been drained elsewhere before.
            if in_vain || !marks.keys().all(|shard| self.drainer.holds(*shard)) {
                self.retain_waiting(&mut marks).await?;
            }
            if marks.is_empty() {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            let look_again = (Instant::now() + timing::PERSISTED_INTERVAL).min(deadline);
            let progressed = tokio::time::timeout_at(look_again, progress.changed()).await;
            in_vain = progressed.is_err();
        }
    }

    /// Removes the marks that are drained: nothing at or before them waits in the journal.
    async fn retain_waiting(&self, marks: &mut HashMap<Shard, Version>) -> Result<()> {
        // An answer from before the caller's write was appended says nothing about it,
        // unless an older entry waits still.
        let asked = Instant::now();
        let mut heard = self.heard.lock().await;
        if heard.at.is_none_or(|at| at < asked) {
            let began = Instant::now();
            let stats = self.journal.stats().await?;
            let oldest = stats.iter().map(|shard| (shard.shard, shard.oldest));
            heard.oldest = oldest.collect();
            heard.at = Some(began);
        }
        marks.retain(|shard, mark| match heard.oldest.get(shard) {
            Some(Some(oldest)) => oldest <= mark,
            Some(None) => false,
            None => true,
        });
        Ok(())
    }
}
