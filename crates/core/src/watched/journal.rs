//! A journal whose appends are noted.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Part, Result};
use crate::journal::Journal;
use crate::model::decision::Decision;
use crate::model::record::{Key, Record, Write};
use crate::model::shard::{Shard, ShardStats};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::back_off::Recovery;
use crate::outage::health::PartHealth;

use crate::outage::{Calls, Consequences, Outage, Probe, Queue, prober};

/// A journal whose appends are noted, and refused at once while it is known to leave them waiting.
#[derive(Debug)]
pub struct WatchedJournal {
    pub(super) journal: Arc<dyn Journal>,
    outage: Arc<Outage>,
    _prober: AbortOnDropHandle<()>,
}

struct Appending(Arc<dyn Journal>);

#[async_trait]
impl Probe for Appending {
    async fn health(&self) -> PartHealth {
        self.0.health().await
    }

    async fn takes_writes(&self) -> Result<()> {
        self.0.takes_appends().await
    }
}

impl WatchedJournal {
    /// Watches `journal`.
    pub fn new(journal: Arc<dyn Journal>, consequences: Consequences) -> WatchedJournal {
        let outage = Outage::new(Part::Journal, consequences);
        WatchedJournal {
            _prober: prober::start(outage.clone(), Appending(journal.clone())),
            journal,
            outage,
        }
    }

    /// Has the journal probed now if a call of the drainer failed. Such a call is not noted itself: a
    /// probe that fails is, and the one that succeeds afterwards ends the drainer's back-off.
    fn probe_after<T>(&self, answer: Result<T>) -> Result<T> {
        answer.inspect_err(|error| {
            if error.is_of_a_part() {
                self.outage.probe_now();
            }
        })
    }

    /// Its state.
    pub fn outage(&self) -> Arc<Outage> {
        self.outage.clone()
    }

    /// Notes how the appends of a batch ended that began then: all at once, since one answers for all.
    fn note(&self, began: tokio::time::Instant, answers: &[Result<Decision>]) {
        let of_a_part =
            |answer: &&Result<Decision>| matches!(answer, Err(error) if error.is_of_a_part());
        let has_answered = |answer: &Result<Decision>| !matches!(answer, Err(error) if error.is_of_a_part() || error.is_neutral());
        if answers.iter().any(has_answered) {
            self.outage.call_succeeded(Calls::Writes);
        } else if let Some(Err(error)) = answers.iter().find(of_a_part) {
            self.outage
                .call_failed(Calls::Writes, began, error, answers.len());
        }
    }
}

#[async_trait]
impl Journal for WatchedJournal {
    fn shards(&self) -> u16 {
        self.journal.shards()
    }

    fn shard_of(&self, key: &Key) -> Shard {
        self.journal.shard_of(key)
    }

    fn holds_cache(&self) -> bool {
        self.journal.holds_cache()
    }

    fn append_blocks(&self) -> bool {
        self.journal.append_blocks()
    }

    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        if let Err(unavailable) = self.outage.admits(Calls::Writes) {
            return vec![Err(unavailable); writes.len()];
        }
        let began = tokio::time::Instant::now();
        let _in_flight = self.outage.begin();
        let answers = self.journal.append(writes).await;
        self.note(began, &answers);
        answers
    }

    fn depth(&self) -> u64 {
        self.journal.depth()
    }

    fn bytes(&self) -> Option<u64> {
        self.journal.bytes()
    }

    fn entry_overhead_bytes(&self) -> u64 {
        self.journal.entry_overhead_bytes()
    }

    fn lost(&self) -> u64 {
        self.journal.lost()
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let read = self.journal.read(shard, after, max).await;
        self.probe_after(read)
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let acknowledged = self.journal.acknowledge(shard, through, flushed).await;
        self.probe_after(acknowledged)
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.journal.raise(stored).await
    }

    async fn raise_clocks(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.journal.raise_clocks(stored).await
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        self.journal.stats().await
    }

    async fn takes_appends(&self) -> Result<()> {
        self.journal.takes_appends().await
    }

    fn on_recovery(&self, recovery: &Recovery) {
        self.outage.on_recovery(recovery);
    }

    async fn health(&self) -> PartHealth {
        match self.outage.looked_at().await {
            Some(health) => self.outage.told_of(health),
            None => self.outage.told_of(self.journal.health().await),
        }
    }
}

#[async_trait]
impl Queue for WatchedJournal {
    async fn stats(&self) -> Result<Vec<ShardStats>> {
        Journal::stats(self).await
    }

    fn depth(&self) -> u64 {
        Journal::depth(self)
    }
}
