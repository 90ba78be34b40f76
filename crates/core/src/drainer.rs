//! The drainer: takes what waits in the journal to the database.

use std::fmt::Debug;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::record::{Key, newest_per_key};
use crate::shard::Shard;
use crate::store::Store;
use crate::telemetry;
use crate::version::Version;

/// The first wait after a failed drain; it doubles up to [`BACK_OFF_MAX`].
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// How often a shard is looked at though nobody in this process appended to
/// it: what a process that died left behind is found by this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How to drain.
#[derive(Clone, Copy, Debug)]
pub struct DrainerSettings {
    /// Most entries that are read, coalesced and applied at once.
    pub batch_max: usize,
    /// Most shards that are drained at the same time.
    pub parallel_max: usize,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Entries taken from the journal.
    pub entries: usize,
    /// Rows applied to the database: one a key.
    pub rows: usize,
}

/// Runs one loop a shard over [`Drain::once`].
#[derive(Debug)]
pub struct Drainer {
    drain: Arc<Drain>,
    wake: Wake,
    progress: watch::Receiver<()>,
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

/// Wakes the loop of a shard.
#[derive(Clone, Debug)]
pub struct Wake(Arc<[Notify]>);

impl Wake {
    /// There is something in `shard`.
    pub fn wake(&self, shard: Shard) {
        if let Some(notify) = self.0.get(usize::from(shard.0)) {
            // Leaves a permit when the loop is not waiting, so that nothing is missed.
            notify.notify_one();
        }
    }
}

impl Drainer {
    /// Starts the loops.
    pub fn start(
        cache: Arc<dyn Cache>,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        settings: DrainerSettings,
    ) -> Drainer {
        telemetry::drainer_started();
        let shards = journal.shards();
        let wake = Wake((0..shards).map(|_| Notify::new()).collect());
        let (progressed, progress) = watch::channel(());
        let (stop, stopping) = watch::channel(false);
        let drain = Arc::new(Drain {
            cache,
            journal,
            store,
            batch_max: settings.batch_max.max(1),
            turns: Semaphore::new(settings.parallel_max.max(1)),
            through: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            progressed,
        });
        let mut tasks = JoinSet::new();
        for shard in (0..shards).map(Shard) {
            tasks.spawn(supervise(
                drain.clone(),
                shard,
                wake.clone(),
                stopping.clone(),
            ));
        }
        Drainer {
            drain,
            wake,
            progress,
            stop,
            tasks: Mutex::new(tasks),
        }
    }

    /// Wakes the loops.
    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Changes whenever a batch is in the database.
    pub fn progress(&self) -> watch::Receiver<()> {
        self.progress.clone()
    }

    /// Up to which version this process has drained `shard`.
    pub fn drained_through(&self, shard: Shard) -> Version {
        let through = self.drain.through.get(usize::from(shard.0));
        through
            .and_then(|through| Version::new(through.load(Ordering::Acquire)))
            .unwrap_or_default()
    }

    /// Drains what is left, until the journal is empty or the deadline has
    /// come, and ends the loops.
    pub async fn stop(&self, deadline: Instant) {
        self.stop.send_replace(true);
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(deadline, ended).await;
        // What is cut off here is in the journal, and applying it again at the
        // next start changes nothing. On return nobody uses the parts any more.
        tasks.shutdown().await;
    }
}

/// The steps of draining, and what the loops share.
#[derive(Debug)]
pub struct Drain {
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    batch_max: usize,
    turns: Semaphore,
    through: Box<[AtomicU64]>,
    progressed: watch::Sender<()>,
}

impl Drain {
    /// Takes the oldest batch of `shard` to the database.
    ///
    /// # Errors
    /// When a part is unavailable. The batch, or the rest of it, is in the
    /// journal still; doing it again is safe.
    pub async fn once(&self, shard: Shard) -> Result<Drained> {
        let records = self
            .journal
            .read(shard, Version::ZERO, self.batch_max)
            .await?;
        let Some(last) = records.last() else {
            return Ok(Drained {
                entries: 0,
                rows: 0,
            });
        };
        let (entries, through) = (records.len(), last.version);
        let rows = newest_per_key(records);
        let started = Instant::now();
        self.store.apply(&rows).await?;
        // IMPORTANT: only now, when the database has them, may the journal
        // forget the entries and the cache be allowed to drop the values.
        let flushed: Vec<(Key, Version)> =
            rows.into_iter().map(|row| (row.key, row.version)).collect();
        self.journal.acknowledge(shard, through, &flushed).await?;
        if !self.journal.holds_cache() {
            self.cache.mark_clean(&flushed).await?;
        }
        if let Some(drained) = self.through.get(usize::from(shard.0)) {
            drained.fetch_max(through.get(), Ordering::AcqRel);
        }
        self.progressed.send_replace(());
        let drained = Drained {
            entries,
            rows: flushed.len(),
        };
        telemetry::drained(drained, started.elapsed());
        Ok(drained)
    }
}

/// Starts the loop again should it ever panic: a shard without one would fill
/// up unseen.
async fn supervise(drain: Arc<Drain>, shard: Shard, wake: Wake, stop: watch::Receiver<bool>) {
    loop {
        let run = run(drain.clone(), shard, wake.clone(), stop.clone());
        match AssertUnwindSafe(run).catch_unwind().await {
            Ok(()) => return,
            Err(_) => telemetry::failed("drain", &Error::Panicked),
        }
        tokio::time::sleep(BACK_OFF_MAX).await;
    }
}

async fn run(drain: Arc<Drain>, shard: Shard, wake: Wake, mut stop: watch::Receiver<bool>) {
    let Some(notify) = wake.0.get(usize::from(shard.0)) else {
        return;
    };
    let mut back_off = BACK_OFF_MIN;
    loop {
        let stopping = *stop.borrow();
        let Ok(turn) = drain.turns.acquire().await else {
            return;
        };
        let drained = AssertUnwindSafe(drain.once(shard))
            .catch_unwind()
            .await
            .unwrap_or(Err(Error::Panicked));
        drop(turn);
        match drained {
            Ok(Drained { entries: 0, .. }) if stopping => return,
            Ok(Drained { entries: 0, .. }) => {
                // A wake-up since the last look has left its permit.
                tokio::select! {
                    () = notify.notified() => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    _ = stop.changed() => {}
                }
            }
            Ok(_) => back_off = BACK_OFF_MIN,
            Err(error) => {
                telemetry::failed("drain", &error);
                tracing::warn!(shard = shard.0, %error, retry_in_ms = back_off.as_millis() as u64, "cannot drain; the entries stay in the journal");
                tokio::time::sleep(back_off.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                back_off = (back_off * 2).min(BACK_OFF_MAX);
            }
        }
    }
}
