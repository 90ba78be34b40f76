//! The loop that drains one shard for as long as the service runs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::drainer::reach::Reach;
use crate::drainer::{Drain, Drained, Wake};
use crate::error::{Error, Part, Result};
use crate::lease::Leases;
use crate::seeder::Seeder;
use crate::shard::Shard;
use crate::telemetry;

/// The first wait after a failed drain; it doubles up to [`BACK_OFF_MAX`].
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct ShardLoop {
    pub(super) drain: Arc<Drain>,
    pub(super) leases: Arc<dyn Leases>,
    pub(super) seeder: Arc<Seeder>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) reach: Arc<Reach>,
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
            tokio::time::sleep(BACK_OFF_MAX).await;
        }
    }

    async fn run(mut self) {
        let mut back_off = BACK_OFF_MIN;
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
            // Whoever hurries from here on finds the loop at work.
            hurried.mark_unchanged();
            match self.once(batch).await {
                Ok(Drained {
                    entries, locked, ..
                }) => {
                    back_off = BACK_OFF_MIN;
                    let is_at_the_end = entries < batch;
                    batch = (batch * 2).min(self.batch_max);
                    if !is_at_the_end {
                        continue;
                    }
                    if stopping && locked == 0 {
                        return;
                    }
                    if entries == 0 {
                        // A wake-up since the last look has left its permit. What is
                        // locked wakes the loop, too.
                        self.idle().await;
                    } else if !self.linger.is_zero() {
                        // Only here, so that what comes alone is drained at once.
                        let _ = tokio::time::timeout(self.linger, hurried.changed()).await;
                    }
                }
                Err(error) => {
                    telemetry::failed("drain", &error);
                    tracing::warn!(shard = self.shard.0, %error, retry_in_ms = back_off.as_millis() as u64, "cannot drain; the entries stay in the journal");
                    // Something may be wrong with the size of it.
                    batch = (batch / 2).max(1);
                    tokio::time::sleep(back_off.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    back_off = (back_off * 2).min(BACK_OFF_MAX);
                }
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
            Ok(drained) if drained.rows > 0 => self.reach.succeeded(),
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
        let drained = AssertUnwindSafe(self.drain.once(self.shard, batch_max))
            .catch_unwind()
            .await
            .unwrap_or(Err(Error::Panicked));
        if let Err(Error::Unseeded(_)) = drained {
            self.seeder.seed(seed).await?;
            return self.drain.once(self.shard, batch_max).await;
        }
        drained
    }
}
