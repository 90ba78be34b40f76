//! The drainer: takes what waits in the journal to the database.

mod attempt;
mod batch;
mod drain;
mod fetch;
mod held_back;
mod keeper;
mod prefix;
mod reach;
mod refused;
mod shard_loop;
mod traces;
mod wake;
mod window;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use drain::{Drain, Drained};
pub use traces::Traces;
pub use wake::Wake;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::engine::seeder::Seeder;
use crate::engine::write_behind::replayer::Replayer;
use crate::error::Result;
use crate::journal::Journal;
use crate::lease::Leases;
use crate::model::dead_letter::max_of_shard;
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::outage::back_off::Recovery;
use crate::store::Store;
use crate::telemetry;
use crate::timing;

use held_back::HeldBack;
use keeper::Keeper;
use reach::Reach;
use shard_loop::ShardLoop;

/// How to drain.
#[derive(Clone, Copy, Debug)]
pub struct DrainerSettings {
    /// Most rows of one statement.
    pub batch_max: usize,
    /// Most shards that are drained at the same time.
    pub parallel_max: usize,
    /// How long to wait for more before a statement that is not full is sent.
    pub linger: Duration,
    /// Most dead letters, in all shards; each has its part.
    pub dead_letters_max: u64,
}

/// Runs one loop a shard over [`Drain::once`], in the shards that this process
/// holds a lease on.
#[derive(Debug)]
pub struct Drainer {
    drain: Arc<Drain>,
    leases: Arc<dyn Leases>,
    shards: u16,
    wake: Wake,
    progress: watch::Receiver<()>,
    stop: watch::Sender<bool>,
    loops: Mutex<JoinSet<()>>,
    keeper: Mutex<JoinSet<()>>,
    room: Arc<Notify>,
}

impl Drainer {
    /// Starts the loops.
    pub fn start(
        cache: Arc<dyn Cache>,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        leases: Arc<dyn Leases>,
        seeder: Arc<Seeder>,
        settings: DrainerSettings,
    ) -> Drainer {
        telemetry::drainer_started();
        let shards = journal.shards();
        let wake = Wake::new(leases.clone(), shards);
        let (progressed, progress) = watch::channel(());
        let (stop, stopping) = watch::channel(false);
        let reach = Arc::new(Reach::default());
        let dead_letters_max = max_of_shard(settings.dead_letters_max, shards);
        let room = Arc::new(Notify::new());
        let recovery = Recovery::default();
        let held_back = HeldBack {
            replayer: Replayer {
                cache: cache.clone(),
                journal: journal.clone(),
                store: store.clone(),
            },
            leases: leases.clone(),
            dead_letters_max,
            room: room.clone(),
            recovery: recovery.clone(),
        };
        store.on_recovery(&recovery);
        journal.on_recovery(&recovery);
        let taker = store.clone();
        let parts = (cache, journal, taker);
        let drain = Drain::new(parts, wake.clone(), progressed, dead_letters_max);
        let drain = Arc::new(drain);
        let turns = Arc::new(Semaphore::new(settings.parallel_max.max(1)));
        let mut loops = JoinSet::new();
        for shard in (0..shards).map(Shard) {
            let shard_loop = ShardLoop {
                drain: drain.clone(),
                leases: leases.clone(),
                seeder: seeder.clone(),
                turns: turns.clone(),
                reach: reach.clone(),
                recovery: recovery.clone(),
                shard,
                wake: wake.clone(),
                batch_max: settings.batch_max.max(1),
                linger: settings.linger,
                stop: stopping.clone(),
            };
            loops.spawn(shard_loop.supervise());
        }
        let mut keeper = JoinSet::new();
        keeper.spawn(held_back.run());
        if let Some(lifetime) = leases.lifetime() {
            let kept = Keeper {
                leases: leases.clone(),
                lifetime,
                wake: wake.clone(),
                shards,
                reach,
                recovery,
                store,
            };
            keeper.spawn(kept.keep());
        }
        Drainer {
            drain,
            leases,
            shards,
            wake,
            progress,
            stop,
            loops: Mutex::new(loops),
            keeper: Mutex::new(keeper),
            room,
        }
    }

    /// There may be room among the dead letters.
    pub fn has_room(&self) {
        self.room.notify_one();
    }

    /// Wakes the loops.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// To be held from before a batch is appended until the cache has it, where
    /// the journal does not hold the cache.
    pub fn appending(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.drain.appending()
    }

    /// The traces of writes that wait.
    pub fn traces(&self) -> Arc<Traces> {
        self.drain.traces.clone()
    }

    /// Changes whenever a batch is in the database.
    pub fn progress(&self) -> watch::Receiver<()> {
        self.progress.clone()
    }

    /// Whether this process has drained `shard` through `version`. With `keys`, whether
    /// what it has not drained is of other keys.
    pub fn has_drained(&self, shard: Shard, version: Version, keys: &[Key]) -> bool {
        self.drain.has_reached(shard, version, keys)
    }

    /// Whether this process drains `shard` now.
    pub fn holds(&self, shard: Shard) -> bool {
        self.leases.held().holds(shard)
    }

    /// Which process drains each shard.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn holders(&self) -> Result<Vec<Option<String>>> {
        self.leases.holders().await
    }

    /// Drains what is left in the shards held, until the journal is empty or the
    /// deadline has come, ends the loops and hands the shards over.
    pub async fn stop(&self, deadline: Instant) {
        self.stop.send_replace(true);
        self.wake.hurry();
        self.wake.wake_all();
        let mut loops = take(&self.loops);
        let ended = async { while loops.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(deadline, ended).await;
        // What is cut off here is in the journal, and applying it again at the next
        // start changes nothing. On return the drainer no longer uses the parts.
        loops.shutdown().await;
        for shard in (0..self.shards).map(Shard) {
            self.drain.forget(shard).await;
        }
        let mut keeper = take(&self.keeper);
        if !keeper.is_empty() {
            keeper.shutdown().await;
            let released = tokio::time::timeout_at(
                deadline + timing::LEASE_RELEASE_TIMEOUT,
                self.leases.release(),
            );
            if !matches!(released.await, Ok(Ok(()))) {
                tracing::warn!("cannot give the leases back; they end by themselves");
            }
        }
    }
}

fn take(tasks: &Mutex<JoinSet<()>>) -> JoinSet<()> {
    std::mem::take(&mut *tasks.lock().unwrap_or_else(PoisonError::into_inner))
}
