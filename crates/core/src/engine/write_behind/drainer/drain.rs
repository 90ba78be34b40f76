//! One step of draining.
//!
//! While a batch is applied, the one behind it is read, and the one before it is
//! acknowledged. See `docs/design/drain.md`.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::engine::apply::{AppliedBatch, apply, apply_in_statements};
use crate::engine::write_behind::drainer::Wake;
use crate::engine::write_behind::drainer::attempt::Attempt;
use crate::engine::write_behind::drainer::batch::{Batch, Room};
use crate::engine::write_behind::drainer::prefix::{Prefix, whole};
use crate::engine::write_behind::drainer::traces::Traces;
use crate::engine::write_behind::drainer::window::Window;
use crate::error::Result;
use crate::journal::Journal;
use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::process::fault_point;
use crate::store::{Origin, Store};
use crate::telemetry;
use crate::telemetry::repeated;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Entries of the batch that was applied.
    pub entries: usize,
    /// Rows applied to the database: one a key.
    pub rows: usize,
    /// Entries that the journal has forgotten.
    pub acknowledged: usize,
    /// Names whose entries wait for rows that another transaction has locked.
    pub locked: usize,
    /// More waits in the journal, or in memory, that can be drained at once.
    pub is_behind: bool,
}

/// How far a shard is drained.
#[derive(Debug, Default)]
struct Reached {
    /// All up to here is acknowledged.
    through: Version,
    /// All up to here is in the database, but for what is locked.
    applied_through: Version,
    locked: HashSet<Key>,
}

/// Where the draining of a shard stands. What is ahead follows what is behind, or the window.
#[derive(Debug, Default)]
struct ShardLane {
    /// Read, and not applied yet.
    ahead: Option<Batch>,
    /// Applied as a whole, and not acknowledged yet; only while something is ahead.
    behind: Option<Behind>,
    window: Window,
}

/// A batch that the database has.
#[derive(Debug)]
struct Behind {
    prefixes: Vec<Prefix>,
    rows: usize,
    through: Version,
    /// When it began to be applied.
    since: Instant,
}

/// In how many shards at most what is locked is attempted at the same time: an attempt
/// may keep a connection to the database for seconds.
const ATTEMPTS_MAX: usize = 2;

/// The steps of draining, and what the loops share.
#[derive(Debug)]
pub struct Drain {
    cache: Arc<dyn Cache>,
    pub(super) journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    // Both by shard.
    reached: Box<[std::sync::Mutex<Reached>]>,
    lanes: Box<[Mutex<ShardLane>]>,
    attempts: Arc<Semaphore>,
    wake: Wake,
    progressed: watch::Sender<()>,
    pub(super) appending: Arc<Mutex<()>>,
    pub(super) traces: Arc<Traces>,
    /// Most dead letters of each shard.
    pub(super) dead_letters_max: u64,
}

impl Drain {
    pub(super) fn new(
        (cache, journal, store): (Arc<dyn Cache>, Arc<dyn Journal>, Arc<dyn Store>),
        wake: Wake,
        progressed: watch::Sender<()>,
        dead_letters_max: u64,
    ) -> Drain {
        let shards = 0..journal.shards();
        shards
            .clone()
            .for_each(|shard| telemetry::locked(Shard(shard), 0));
        Drain {
            reached: shards.clone().map(|_| Default::default()).collect(),
            lanes: shards.map(|_| Default::default()).collect(),
            attempts: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
            wake,
            cache,
            journal,
            store,
            progressed,
            appending: Arc::default(),
            traces: Arc::default(),
            dead_letters_max,
        }
    }

    /// Held from before a batch is appended until the cache has it, where the
    /// journal does not hold the cache.
    pub(super) fn appending(&self) -> Arc<Mutex<()>> {
        self.appending.clone()
    }

    /// Whether this process has drained `shard` through `version`; with `keys`, as far
    /// as those are concerned.
    pub(super) fn has_reached(&self, shard: Shard, version: Version, keys: &[Key]) -> bool {
        self.with_reached(shard, |reached| {
            let is_locked = |key| reached.locked.contains(key);
            let applied = !keys.is_empty()
                && reached.applied_through >= version
                && (reached.locked.is_empty() || !keys.iter().any(is_locked));
            reached.through >= version || applied
        })
        .unwrap_or_default()
    }

    fn with_reached<T>(&self, shard: Shard, use_it: impl FnOnce(&mut Reached) -> T) -> Option<T> {
        let reached = self.reached.get(usize::from(shard.0))?;
        Some(use_it(
            &mut reached.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    pub(super) fn shards(&self) -> u16 {
        self.journal.shards()
    }

    /// Entries that wait in all shards of the journal, as last heard.
    pub(super) fn waiting(&self) -> u64 {
        self.journal.depth()
    }

    /// Takes the oldest entries of `shard` that were not taken before to the database, in
    /// statements of at most `rows_max` rows, and acknowledges what was there before.
    ///
    /// # Errors
    /// When a part is unavailable. The batch, or the rest of it, is in the
    /// journal still; doing it again is safe.
    pub async fn once(&self, shard: Shard, rows_max: usize) -> Result<Drained> {
        let Some(lane) = self.lanes.get(usize::from(shard.0)) else {
            return Ok(Drained::default());
        };
        let mut held = lane.lock().await;
        // IMPORTANT: after an error, a panic, or where this is cut off, the lane is
        // gone, and its entries are read again. That is so where the journal's server has
        // come back with other entries.
        let mut lane = std::mem::take(&mut *held);
        let drained = self.step(shard, rows_max, &mut lane).await;
        if drained.is_err() {
            lane = ShardLane::default();
        }
        self.publish(shard, &lane);
        *held = lane;
        drop(held);
        let drained = drained?;
        if drained.entries + drained.rows + drained.acknowledged > 0 {
            self.progressed.send_replace(());
        }
        Ok(drained)
    }

    /// Reads the entries of `shard` again that are not acknowledged.
    pub(super) async fn forget(&self, shard: Shard) {
        if let Some(lane) = self.lanes.get(usize::from(shard.0)) {
            let mut lane = std::mem::take(&mut *lane.lock().await);
            if let Some(attempt) = lane.window.attempt.take() {
                attempt.shutdown().await;
            }
            self.publish(shard, &ShardLane::default());
        }
    }

    /// What others may know of the lane.
    fn publish(&self, shard: Shard, lane: &ShardLane) {
        let behind = lane.behind.as_ref();
        let applied = behind.map_or(lane.window.read_through(), |behind| behind.through);
        let changed = self.with_reached(shard, |reached| {
            reached.applied_through = applied;
            let before = reached.locked.len();
            reached.locked.clear();
            reached.locked.extend(lane.window.locked().cloned());
            (before != reached.locked.len()).then_some(reached.locked.len())
        });
        if let Some(names) = changed.flatten() {
            telemetry::locked(shard, names);
        }
    }

    async fn step(&self, shard: Shard, rows_max: usize, lane: &mut ShardLane) -> Result<Drained> {
        let since = Instant::now();
        let was_locked = lane.window.locked().next().is_some();
        let mut drained = Drained::default();
        let retried = self
            .take_attempt(shard, &mut lane.window, &mut drained)
            .await?;
        let room = Room::new(rows_max);
        let batch = match lane.ahead.take() {
            Some(batch) => batch,
            None => {
                let room = room.of_entries(lane.window.room());
                self.fetch(shard, lane.window.read_through(), room).await?
            }
        };
        drained.entries = batch.len();
        let began = SystemTime::now();
        let reads_ahead = batch.has_more && lane.window.is_empty();
        let (applied, acknowledged, ahead) = tokio::join!(
            self.apply(&batch, &lane.window, retried, rows_max),
            self.acknowledge_all(shard, lane.behind.take()),
            async {
                match reads_ahead {
                    true => Some(self.fetch(shard, batch.through(), room).await),
                    false => None,
                }
            }
        );
        drained.acknowledged = acknowledged?;
        if let Some(error) = applied.failed {
            return Err(error);
        }
        self.traces.drained(began, &applied);
        drained.rows += applied.rows.len();
        // A batch that could not be read is read again, and its error is reported then.
        drained.is_behind = match &ahead {
            Some(Ok(ahead)) => !ahead.is_empty(),
            Some(Err(_)) | None => batch.has_more,
        };
        lane.ahead = ahead.and_then(Result::ok).filter(|ahead| !ahead.is_empty());
        let committed_at = Version::now();
        self.set_all_aside(shard, &applied.refused).await?;
        if drained.rows > 0 || !applied.refused.is_empty() {
            fault_point::point("drain.applied").await;
        }
        if lane.window.is_empty() && batch.is_empty() {
            return Ok(drained);
        }
        if lane.window.is_empty() && applied.locked.is_empty() {
            let behind = Behind {
                rows: applied.rows.len(),
                through: batch.through(),
                prefixes: whole(&batch, applied, committed_at, rows_max),
                since,
            };
            match lane.ahead {
                Some(_) => lane.behind = Some(behind),
                None => drained.acknowledged += self.acknowledge_all(shard, Some(behind)).await?,
            }
        } else {
            let window = &mut lane.window;
            window.push(batch.into_records());
            window.settle(&applied, committed_at);
            drained.acknowledged += self.acknowledge_window(shard, window, rows_max).await?;
            if drained.acknowledged + drained.rows > 0 {
                telemetry::drained(drained.acknowledged, drained.rows, since.elapsed());
            }
        }
        drained.locked = lane.window.locked().count();
        self.attempt(shard, rows_max, &mut lane.window);
        match (was_locked, drained.locked) {
            (false, 1..) => tracing::warn!(
                shard = shard.0,
                names = drained.locked,
                "another transaction has locked rows of the database; their entries wait, and the others are drained"
            ),
            (true, 0) => tracing::info!(shard = shard.0, "no row is locked any more"),
            _ => {}
        }
        Ok(drained)
    }

    /// Brings the batch to the database, but for the keys that wait in the window; and what
    /// is `retried` of the window.
    async fn apply(
        &self,
        batch: &Batch,
        window: &Window,
        retried: Vec<Record>,
        rows_max: usize,
    ) -> AppliedBatch {
        if window.is_empty() {
            let (newest, all) = (batch.newest(), batch.records());
            let store = &*self.store;
            return apply_in_statements(store, newest, all, Origin::Drained, rows_max).await;
        }
        let next: HashSet<Key> = retried.iter().map(|record| record.key.clone()).collect();
        let is_free =
            |record: &&Record| !window.waits_for(&record.key) || next.contains(&record.key);
        let mut free = retried;
        free.extend(batch.records().iter().filter(is_free).cloned());
        match free.is_empty() {
            true => AppliedBatch::default(),
            false => apply(&*self.store, &free, Origin::Drained).await,
        }
    }

    /// Takes in what the last attempt to apply what waits came to. Returns what came of
    /// its keys meanwhile.
    async fn take_attempt(
        &self,
        shard: Shard,
        window: &mut Window,
        drained: &mut Drained,
    ) -> Result<Vec<Record>> {
        let Some((applied, began)) = window.attempted() else {
            return Ok(Vec::new());
        };
        self.traces.drained(began, &applied);
        self.set_all_aside(shard, &applied.refused).await?;
        if let Some(error) = &applied.failed {
            telemetry::failed("drain", error);
            repeated::failed("cannot apply what was locked; it waits", error, 1);
        }
        drained.rows = applied.rows.len();
        Ok(window.settle(&applied, Version::now()))
    }

    /// Attempts what waits, where no attempt is under way.
    fn attempt(&self, shard: Shard, rows_max: usize, window: &mut Window) {
        if window.locked().next().is_none() || window.attempt.is_some() {
            return;
        }
        window.attempt = Some(Attempt::start(
            self.store.clone(),
            self.attempts.clone(),
            (self.wake.clone(), shard),
            window.waiting().clone(),
            rows_max,
        ));
    }

    async fn acknowledge_window(
        &self,
        shard: Shard,
        window: &mut Window,
        max: usize,
    ) -> Result<usize> {
        let mut acknowledged = 0;
        while let Some(prefix) = window.prefix(max) {
            debug_assert!(
                prefix.through <= window.read_through(),
                "what is acknowledged was drained"
            );
            self.acknowledge(shard, &prefix).await?;
            acknowledged += prefix.entries;
            window.forget(prefix.entries);
        }
        Ok(acknowledged)
    }

    /// Acknowledges a whole batch. Returns how many entries that were.
    async fn acknowledge_all(&self, shard: Shard, behind: Option<Behind>) -> Result<usize> {
        let Some(behind) = behind else {
            return Ok(0);
        };
        let mut entries = 0;
        debug_assert!(
            behind
                .prefixes
                .iter()
                .all(|prefix| prefix.through <= behind.through),
            "what is acknowledged was drained"
        );
        for prefix in &behind.prefixes {
            self.acknowledge(shard, prefix).await?;
            entries += prefix.entries;
        }
        // Only now, since a batch that could not be acknowledged is drained again; but
        // before waiters are woken, so that they find the figures as well.
        telemetry::drained(entries, behind.rows, behind.since.elapsed());
        Ok(entries)
    }

    async fn acknowledge(&self, shard: Shard, prefix: &Prefix) -> Result<()> {
        let flushed = &prefix.flushed;
        // IMPORTANT: only now, when the database has them, may the journal
        // forget the entries and the cache be allowed to drop the values.
        self.journal
            .acknowledge(shard, prefix.through, flushed)
            .await?;
        fault_point::point("drain.acknowledged").await;
        if !self.journal.holds_cache() {
            self.cache.mark_clean(flushed).await?;
        }
        prefix.count();
        self.with_reached(shard, |reached| {
            reached.through = reached.through.max(prefix.through);
        });
        Ok(())
    }
}
