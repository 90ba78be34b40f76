//! The loop that drains one shard for as long as the service runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::engine::seeder::Seeder;
use crate::engine::write_behind::drainer::batch::ENTRIES_PER_ROW;
use crate::engine::write_behind::drainer::reach::Reach;
use crate::engine::write_behind::drainer::{Drain, Drained, Wake};
use crate::error::{Error, Part, Result, caught};
use crate::lease::Leases;
use crate::model::shard::Shard;
use crate::outage::back_off::{BackOff, Recovery};
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

/// How often a loop that waits for more looks whether there is enough.
const LINGER_LOOKS: u32 = 4;

#[derive(Clone, Debug)]
pub(super) struct ShardLoop {
    pub(super) drain: Arc<Drain>,
    pub(super) leases: Arc<dyn Leases>,
    pub(super) seeder: Arc<Seeder>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) reach: Arc<Reach>,
    /// Announced also when this process brings something to the database after failures.
    pub(super) recovery: Recovery,
    pub(super) shard: Shard,
    pub(super) wake: Wake,
    pub(super) batch_max: usize,
    pub(super) linger: Duration,
    pub(super) stop: watch::Receiver<bool>,
}

impl ShardLoop {
    /// Starts the loop again should it ever panic: a shard without one would
    /// fill up unseen.
    pub(super) async fn supervise(self) {
        loop {
            match AssertUnwindSafe(self.clone().run()).catch_unwind().await {
                Ok(()) => return,
                Err(_) => telemetry::failed("drain", &Error::Panicked),
            }
            tokio::time::sleep(timing::DRAIN_BACKOFF_MAX).await;
        }
    }

    async fn run(mut self) {
        let mut back_off = BackOff::new(timing::DRAIN_BACKOFF_MIN, timing::DRAIN_BACKOFF_MAX);
        let mut recoveries = self.recovery.watch();
        let mut batch = self.batch_max;
        let mut hurried = self.wake.hurried();
        loop {
            let stopping = *self.stop.borrow();
            if !self.leases.held().holds(self.shard) {
                // Another process may drain it.
                self.drain.forget(self.shard).await;
                if stopping {
                    return;
                }
                self.idle().await;
                continue;
            }
            // A hurry from here on finds the loop at work.
            hurried.mark_unchanged();
            // What is announced while the attempt is under way may be later than its failure.
            recoveries.forget();
            match self.once(batch).await {
                Ok(drained) => {
                    back_off.reset();
                    batch = (batch * 2).min(self.batch_max);
                    if drained.is_behind {
                        continue;
                    }
                    if stopping && drained.locked == 0 {
                        return;
                    }
                    if drained.entries == 0 {
                        // A wake-up since the last look has left its permit. What is
                        // locked wakes the loop, too.
                        self.idle().await;
                    } else {
                        // Only here, so that what comes alone is drained at once.
                        self.linger(&mut hurried, drained).await;
                    }
                }
                Err(error) => {
                    telemetry::failed("drain", &error);
                    let what = "cannot drain; the entries stay in the journal";
                    repeated::failed(what, &error, 1);
                    // Something may be wrong with the size of it.
                    batch = (batch / 2).max(1);
                    back_off.pause(&mut recoveries).await;
                }
            }
        }
    }

    /// Waits for more, until enough has come for a statement of full size, if entries coalesce
    /// as those that were drained before.
    async fn linger(&self, hurried: &mut watch::Receiver<()>, before: Drained) {
        if self.linger.is_zero() {
            return;
        }
        let coalesced = (before.entries / before.rows.max(1)).clamp(1, ENTRIES_PER_ROW);
        // In all shards, of which this has its share.
        let enough = (self.batch_max * coalesced) as u64 * u64::from(self.drain.shards());
        let waited = self.drain.waiting();
        for _ in 0..LINGER_LOOKS {
            let look = tokio::time::timeout(self.linger / LINGER_LOOKS, hurried.changed());
            if look.await.is_ok() || self.drain.waiting().saturating_sub(waited) >= enough {
                return;
            }
        }
    }

    async fn idle(&mut self) {
        tokio::select! {
            biased;
            _ = self.stop.changed() => {}
            () = self.wake.woken(self.shard) => {}
        }
    }

    /// One step, in turn with the other shards.
    async fn once(&self, batch_max: usize) -> Result<Drained> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(Error::Stopping);
        };
        // The lease may have ended while the others had their turn.
        if !self.leases.held().holds(self.shard) {
            return Ok(Drained::default());
        }
        let began = Instant::now();
        let drained = self.step(batch_max).await;
        match &drained {
            Ok(drained) if drained.rows > 0 && self.reach.succeeded() => {
                self.recovery.announce();
            }
            Err(Error::Unavailable { part, .. }) if *part == Part::Database => {
                self.reach.failed(began);
            }
            _ => {}
        }
        drained
    }

    /// Drains, and seeds the clocks first where that is needed.
    async fn step(&self, batch_max: usize) -> Result<Drained> {
        let seed = self.seeder.generation();
        let drained = caught(self.drain.once(self.shard, batch_max)).await;
        if let Err(Error::Unseeded(_)) = drained {
            self.seeder.seed(seed).await?;
            return self.drain.once(self.shard, batch_max).await;
        }
        drained
    }
}
