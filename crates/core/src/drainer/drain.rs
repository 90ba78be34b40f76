//! One step of draining.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;

use crate::apply::{Applied, apply};
use crate::cache::Cache;
use crate::dead_letter::DeadLetter;
use crate::drainer::Wake;
use crate::drainer::attempt::Attempt;
use crate::drainer::window::{Prefix, Window};
use crate::error::{Error, Part, Result};
use crate::fault;
use crate::journal::Journal;
use crate::record::{Key, Record};
use crate::shard::Shard;
use crate::store::{Origin, Store};
use crate::telemetry;
use crate::version::Version;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Entries read from the journal.
    pub entries: usize,
    /// Rows applied to the database: one a key.
    pub rows: usize,
    /// Entries that the journal has forgotten.
    pub acknowledged: usize,
    /// Names whose entries wait for rows that another transaction has locked.
    pub locked: usize,
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

/// In how many shards at most what is locked is attempted at the same time: an attempt
/// may keep a connection to the database for seconds.
const ATTEMPTS_MAX: usize = 2;

/// The steps of draining, and what the loops share.
#[derive(Debug)]
pub struct Drain {
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    // Both by shard.
    reached: Box<[std::sync::Mutex<Reached>]>,
    windows: Box<[Mutex<Window>]>,
    attempts: Arc<Semaphore>,
    wake: Wake,
    progressed: watch::Sender<()>,
    appending: Arc<Mutex<()>>,
}

impl Drain {
    pub(super) fn new(
        cache: Arc<dyn Cache>,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        wake: Wake,
        progressed: watch::Sender<()>,
    ) -> Drain {
        let shards = 0..journal.shards();
        Drain {
            reached: shards.clone().map(|_| Default::default()).collect(),
            windows: shards.map(|_| Default::default()).collect(),
            attempts: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
            wake,
            cache,
            journal,
            store,
            progressed,
            appending: Arc::default(),
        }
    }

    /// Held from before a batch is appended until the cache has it, where the
    /// journal does not hold the cache.
    pub(super) fn appending(&self) -> Arc<Mutex<()>> {
        self.appending.clone()
    }

    /// Whether this process has drained `shard` through `version`; with a `key`, as far
    /// as that is concerned.
    pub(super) fn has_reached(&self, shard: Shard, version: Version, key: Option<&Key>) -> bool {
        self.with_reached(shard, |reached| {
            let applied = key.is_some_and(|key| {
                reached.applied_through >= version && !reached.locked.contains(key)
            });
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

    /// Takes the oldest entries of `shard` that were not taken before, at most
    /// `batch_max`, to the database, and acknowledges what is there.
    ///
    /// # Errors
    /// When a part is unavailable. The batch, or the rest of it, is in the
    /// journal still; doing it again is safe.
    pub async fn once(&self, shard: Shard, batch_max: usize) -> Result<Drained> {
        let Some(window) = self.windows.get(usize::from(shard.0)) else {
            return Ok(Drained::default());
        };
        let mut held = window.lock().await;
        // IMPORTANT: after an error, a panic, or where this is cut off, the window is
        // gone, and its entries are read again. That is so where the journal's server has
        // come back with other entries.
        let mut window = std::mem::take(&mut *held);
        let drained = self.step(shard, batch_max, &mut window).await;
        if drained.is_err() {
            window = Window::default();
        }
        self.publish(shard, &window);
        *held = window;
        drop(held);
        let drained = drained?;
        if drained.entries + drained.rows + drained.acknowledged > 0 {
            self.progressed.send_replace(());
        }
        Ok(drained)
    }

    /// Reads the entries of `shard` again that are not acknowledged.
    pub(super) async fn forget(&self, shard: Shard) {
        if let Some(window) = self.windows.get(usize::from(shard.0)) {
            let mut window = std::mem::take(&mut *window.lock().await);
            if let Some(attempt) = window.attempt.take() {
                attempt.shutdown().await;
            }
            self.publish(shard, &Window::default());
        }
    }

    /// What others may know of the window.
    fn publish(&self, shard: Shard, window: &Window) {
        self.with_reached(shard, |reached| {
            reached.applied_through = window.read_through();
            reached.locked.clear();
            reached.locked.extend(window.locked().cloned());
        });
        telemetry::locked(shard, window.locked().count());
    }

    async fn step(&self, shard: Shard, batch_max: usize, window: &mut Window) -> Result<Drained> {
        let started = Instant::now();
        let was_locked = window.locked().next().is_some();
        let mut drained = Drained::default();
        let mut batch = self.take_attempt(shard, window, &mut drained).await?;
        let max = batch_max.min(window.room());
        let records = self.read(shard, window.read_through(), max).await?;
        drained.entries = records.len();
        if !records.is_empty() && !self.journal.holds_cache() {
            // IMPORTANT: what was read may not be in the cache yet. A reader who
            // found it in the database would find something older in the cache
            // afterwards; and it would be dirty for ever if it came there only
            // after it was marked clean. What is appended from here on is newer.
            drop(self.appending.lock().await);
        }
        let next: HashSet<Key> = batch.iter().map(|record| record.key.clone()).collect();
        let is_free =
            |record: &&Record| !window.waits_for(&record.key) || next.contains(&record.key);
        batch.extend(records.iter().filter(is_free).cloned());
        let applied = match batch.is_empty() {
            true => Applied::default(),
            false => apply(&*self.store, &batch, Origin::Drained).await,
        };
        if let Some(error) = applied.failed {
            return Err(error);
        }
        let committed_at = Version::now();
        drained.rows += applied.rows.len();
        for (record, reason) in &applied.refused {
            self.set_aside(shard, record, reason).await?;
        }
        if drained.rows > 0 || !applied.refused.is_empty() {
            fault::point("drain.applied").await;
        }
        if window.is_empty() && applied.locked.is_empty() {
            if let Some(prefix) = whole(&records, &applied, committed_at) {
                self.acknowledge(shard, &prefix).await?;
                drained.acknowledged = prefix.entries;
            }
        } else {
            window.push(records);
            window.settle(&applied, committed_at);
            while let Some(prefix) = window.prefix(batch_max) {
                self.acknowledge(shard, &prefix).await?;
                drained.acknowledged += prefix.entries;
                window.forget(prefix.entries);
            }
        }
        drained.locked = window.locked().count();
        // Only now, since a batch that could not be acknowledged is drained again; but
        // before waiters are woken, so that they find the figures as well.
        if drained.acknowledged + drained.rows > 0 {
            telemetry::drained(drained, started.elapsed());
        }
        self.attempt(shard, batch_max, window);
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

    /// Takes in what the last attempt to apply what waits came to. Returns what came of
    /// its keys meanwhile.
    async fn take_attempt(
        &self,
        shard: Shard,
        window: &mut Window,
        drained: &mut Drained,
    ) -> Result<Vec<Record>> {
        let Some(applied) = window.attempted() else {
            return Ok(Vec::new());
        };
        for (record, reason) in &applied.refused {
            self.set_aside(shard, record, reason).await?;
        }
        if let Some(error) = &applied.failed {
            telemetry::failed("drain", error);
            tracing::warn!(shard = shard.0, %error, "cannot apply what was locked; it waits");
        }
        drained.rows = applied.rows.len();
        Ok(window.settle(&applied, Version::now()))
    }

    /// Attempts what waits, where no attempt is under way.
    fn attempt(&self, shard: Shard, batch_max: usize, window: &mut Window) {
        if window.locked().next().is_none() || window.attempt.is_some() {
            return;
        }
        window.attempt = Some(Attempt::start(
            self.store.clone(),
            self.attempts.clone(),
            (self.wake.clone(), shard),
            window.waiting().clone(),
            batch_max,
        ));
    }

    async fn acknowledge(&self, shard: Shard, prefix: &Prefix) -> Result<()> {
        let flushed = &prefix.flushed;
        // IMPORTANT: only now, when the database has them, may the journal
        // forget the entries and the cache be allowed to drop the values.
        self.journal
            .acknowledge(shard, prefix.through, flushed)
            .await?;
        fault::point("drain.acknowledged").await;
        if !self.journal.holds_cache() {
            self.cache.mark_clean(flushed).await?;
        }
        prefix.count();
        self.with_reached(shard, |reached| {
            reached.through = reached.through.max(prefix.through);
        });
        Ok(())
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        if max == 0 {
            return Ok(Vec::new());
        }
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

    /// Whether the journal holds the record's entry.
    async fn still_waits(&self, shard: Shard, record: &Record) -> Result<bool> {
        let before = record.version.get().saturating_sub(1);
        let before = Version::new(before).unwrap_or_default();
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
            tracing::warn!(
                shard = shard.0,
                version = %record.version,
                %reason,
                "the database refuses a record whose entry another process has drained; it is skipped"
            );
            return Ok(());
        }
        telemetry::dead_letters(1);
        tracing::error!(
            shard = shard.0,
            version = %record.version,
            %reason,
            "the database refuses a record; it is a dead letter now"
        );
        let letter = DeadLetter {
            record: record.clone(),
            reason: reason.clone(),
            set_aside_at: Version::now(),
        };
        self.journal.set_aside(shard, &letter).await
    }
}

/// All that was read, where none of it waits.
fn whole(records: &[Record], applied: &Applied, committed_at: Version) -> Option<Prefix> {
    let last = records.last()?;
    let dead = applied.refused.iter();
    let dead: HashSet<Version> = dead.map(|(record, _)| record.version).collect();
    let versions = records.iter().map(|record| record.version);
    let committed = versions.filter(|version| !dead.contains(version));
    let rows = applied.rows.iter();
    Some(Prefix {
        entries: records.len(),
        through: last.version,
        flushed: rows.map(|row| (row.key.clone(), row.version)).collect(),
        committed: committed.map(|version| (version, committed_at)).collect(),
    })
}
