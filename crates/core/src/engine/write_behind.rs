//! Write-behind: a write is answered when the journal and the cache hold it;
//! the drainer takes it to the database afterwards.

mod appender;
mod appends;
pub mod backlog;
pub mod drainer;
mod letters;
mod many;
mod persisted;
mod replay;
pub mod replayer;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bypass::Access;
use crate::cache::Cache;
use crate::concurrency::group_commit::GroupCommitBounds;
use crate::engine::read_through::{Holds, ReadThrough};
use crate::engine::seeder::Seeder;
use crate::engine::write_behind::backlog::{Backlog, BacklogLimits};
use crate::engine::write_behind::drainer::{Drainer, DrainerSettings};
use crate::engine::write_behind::persisted::DrainWaiter;
use crate::engine::write_behind::replayer::Replayer;
use crate::engine::{Bypass, Durability, Engine, Health, Outcome, Read, observe_connections};
use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::lease::Leases;
use crate::model::decision::Decision;
use crate::model::record::{Condition, Key, Write};
use crate::model::shard::ShardStats;
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::store::{Page, Store};
use crate::telemetry;
use crate::timing;

use appender::Appender;
use appends::Appends;
use replay::replay;

/// How often a conditional write whose key is not in the cache fills the cache
/// and tries again, before it gives up.
const CONDITION_TRIES_MAX: u32 = 25;
// All of the back-off is as long as the ticket of a reader that died lasts.
const _: () = assert!(
    timing::CONDITION_BACKOFF.as_millis()
        * (CONDITION_TRIES_MAX * (CONDITION_TRIES_MAX - 1) / 2) as u128
        >= timing::FILL_LIFETIME.as_millis()
);

/// How a write-behind engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct WriteBehindSettings {
    /// Of the queue of writes before the journal.
    pub group_commit: GroupCommitBounds,
    /// How to drain.
    pub drainer: DrainerSettings,
    /// How much may wait in the journal.
    pub limits: BacklogLimits,
}

/// The write-behind engine.
#[derive(Debug)]
pub struct WriteBehind {
    reader: ReadThrough,
    seeder: Arc<Seeder>,
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    appender: Appender,
    appending: Mutex<Option<JoinHandle<()>>>,
    drainer: Arc<Drainer>,
    drain_waiter: DrainWaiter,
    backlog: Arc<Backlog>,
    watcher: JoinHandle<()>,
    replayer: Replayer,
}

impl WriteBehind {
    /// Starts the engine on its parts: seeds the version clock, brings what the
    /// journal holds into the cache, and starts to drain.
    ///
    /// # Errors
    /// When a part is unavailable, or the journal is corrupt.
    pub async fn start(
        cache: Arc<dyn Cache>,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        leases: Arc<dyn Leases>,
        settings: WriteBehindSettings,
    ) -> Result<Arc<WriteBehind>> {
        let seeder = Seeder::new(cache.clone(), Some(journal.clone()), store.clone());
        seeder.seed(seeder.generation()).await?;
        let seeder = Arc::new(seeder);
        if !journal.holds_cache() {
            replay(&*journal, &*cache, &*store).await?;
        }
        let drainer = Arc::new(Drainer::start(
            cache.clone(),
            journal.clone(),
            store.clone(),
            leases,
            seeder.clone(),
            settings.drainer,
        ));
        let (backlog, watcher) = Backlog::watch(journal.clone(), settings.limits);
        let appends = Arc::new(Appends {
            cache: cache.clone(),
            journal: journal.clone(),
            seeder: seeder.clone(),
            backlog: backlog.clone(),
            wake: drainer.wake().clone(),
            appending: drainer.appending(),
            traces: drainer.traces(),
        });
        let (appender, appending) = Appender::start(appends, settings.group_commit);
        let replayer = Replayer {
            cache: cache.clone(),
            journal: journal.clone(),
            store: store.clone(),
        };
        Ok(Arc::new(WriteBehind {
            replayer,
            reader: ReadThrough::new(
                cache.clone(),
                store.clone(),
                seeder.clone(),
                Access::always(),
            ),
            seeder,
            drain_waiter: DrainWaiter::new(journal.clone(), drainer.clone()),
            cache,
            journal,
            store,
            appender,
            appending: Mutex::new(Some(appending)),
            drainer,
            backlog,
            watcher,
        }))
    }

    /// How much waits in the journal, and who drains it.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn journal_state(&self) -> Result<JournalState> {
        let (stats, holders) = tokio::try_join!(self.journal.stats(), self.drainer.holders())?;
        let rates = self.backlog.drain_rates().into_iter();
        let shards = stats.into_iter().zip(holders).zip(rates);
        Ok(JournalState {
            shards: shards
                .map(|((stats, holder), drain_rate)| ShardState {
                    stats,
                    holder,
                    drain_rate,
                })
                .collect(),
            lost: self.journal.lost(),
            dead_letters_max: self.backlog.dead_letters_max(),
        })
    }

    /// Waits until all that was acknowledged before this call is in the
    /// database. Returns whether it is; `false` after `timeout`.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn flush(&self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        let lost = self.journal.lost();
        let seed = self.seeder.generation();
        let mut stats = self.journal.stats().await?;
        let is_unknown = |shard: &ShardStats| shard.newest.is_none() && shard.depth == 0;
        if self.journal.holds_cache() && stats.iter().any(is_unknown) {
            // It has restarted, or lost a stream, so an empty journal proves nothing.
            self.seeder.seed(seed).await?;
            stats = self.journal.stats().await?;
        }
        let marks = stats
            .into_iter()
            .filter(|shard| shard.depth > 0)
            // A server that has just come back does not know its newest: then
            // all that waits counts.
            .map(|shard| (shard.shard, shard.newest.unwrap_or(Version::MAX)))
            .collect();
        let drained = self.drain_waiter.wait(marks, &[], deadline).await?;
        if self.journal.lost() > lost {
            let reason = "it came back without its newest entries";
            return Err(Error::unavailable(Part::Journal, reason));
        }
        Ok(drained && self.holds_nothing_back(deadline).await?)
    }
}

impl WriteBehind {
    /// The write is in the queue when this returns. What becomes of it.
    fn append(
        &self,
        write: Write,
    ) -> Result<impl Future<Output = Result<Decision>> + Send + use<>> {
        let reserved = self.backlog.admit(&write)?;
        Ok(self.appender.submit(write, reserved))
    }

    /// Writes where a condition holds, which only the cache can tell.
    async fn write_if(&self, mut write: Write) -> Result<Outcome> {
        for attempt in 0..CONDITION_TRIES_MAX {
            match self.append(write.clone())?.await? {
                Decision::Retry => {}
                decided => return Outcome::of(decided, Durability::Journaled),
            }
            // Fills the cache, where it may. A condition that does not
            // hold for what is read did not hold at that moment.
            match self.reader.holds(&write.condition, &write.key).await? {
                Holds::Yes => {}
                Holds::No => return Ok(Outcome::ConditionFailed),
                // The cache never holds it, so nothing can judge it there.
                Holds::OfBrokenRow => write.condition = Condition::Always,
            }
            tokio::time::sleep(
                (timing::CONDITION_BACKOFF * attempt).min(timing::CONDITION_BACKOFF_MAX),
            )
            .await;
        }
        Err(Error::Undecided)
    }
}

/// How much waits in a journal.
#[derive(Clone, Debug)]
pub struct JournalState {
    /// By shard.
    pub shards: Vec<ShardState>,
    /// Acknowledged writes that are known to be lost, at most: by a server that
    /// came back without its newest data.
    pub lost: u64,
    /// Most dead letters.
    pub dead_letters_max: u64,
}

/// How much waits in one shard, and who drains it how fast.
#[derive(Clone, Debug)]
pub struct ShardState {
    /// How much waits.
    pub stats: ShardStats,
    /// The name of the process that has the lease.
    pub holder: Option<String>,
    /// Entries a second, lately.
    pub drain_rate: f64,
}

#[async_trait]
impl Engine for WriteBehind {
    async fn read(&self, key: &Key) -> Result<Read> {
        self.reader.read(key).await
    }

    async fn reload(&self, key: &Key) -> Result<Read> {
        self.reader.reload(key).await
    }

    async fn read_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        self.reader.read_many(keys).await
    }

    async fn reload_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        self.reader.reload_many(keys).await
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        self.reader.forget(key).await
    }

    async fn forget_all(&self) -> Result<()> {
        self.reader.forget_all().await
    }

    // Not `async`, so that a write without a condition has a small future.
    fn write<'s, 'f>(&'s self, write: Write) -> BoxFuture<'f, Result<Outcome>>
    where
        's: 'f,
        Self: 'f,
    {
        if write.condition != Condition::Always {
            return Box::pin(self.write_if(write));
        }
        let outcome = |decided| Outcome::of(decided, Durability::Journaled);
        match self.append(write) {
            Ok(appended) => Box::pin(appended.map(move |decided| decided.and_then(outcome))),
            Err(refused) => Box::pin(ready(Err(refused))),
        }
    }

    async fn put_many(&self, values: Vec<(Key, Bytes)>) -> Vec<Result<Outcome>> {
        self.append_many(values).await
    }

    /// One worker's writes go to the journal in the order in which it submitted them.
    fn keeps_order(&self) -> bool {
        true
    }

    async fn persisted(&self, key: &Key, version: Version, timeout: Duration) -> Result<()> {
        let written = [(key.clone(), version)];
        let outcomes = self.all_persisted(&written, timeout).await;
        outcomes.into_iter().next().unwrap_or(Ok(()))
    }

    async fn persisted_many(
        &self,
        written: &[(Key, Version)],
        timeout: Duration,
    ) -> Vec<Result<()>> {
        self.all_persisted(written, timeout).await
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.store.page(after, limit).await
    }

    async fn waiting(&self) -> Option<u64> {
        let stats = self.journal.stats().await.ok()?;
        Some(
            stats
                .iter()
                .map(|shard| shard.depth + shard.held_back)
                .sum(),
        )
    }

    async fn health(&self) -> Health {
        let (cache, journal, database) = tokio::join!(
            self.cache.health(),
            self.journal.health(),
            self.store.health()
        );
        let journal = PartHealth {
            warning: self.backlog.dead_letter_warning().map(Cow::from),
            ..journal
        };
        Health {
            cache,
            journal: Some(journal),
            database,
            bypass: Bypass::Never,
            // That writes do not wait for it is what the journal is for.
            needs_database: false,
        }
    }

    async fn observe(&self) {
        observe_connections(&*self.store);
        // One that leaves its callers waiting does not answer.
        let stats = tokio::time::timeout(timing::JOURNAL_FIGURES_TIMEOUT, self.journal.stats());
        let stats = stats.await.ok().and_then(Result::ok);
        telemetry::journal(stats.as_deref());
    }

    async fn stop(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        self.appender.close();
        let appending = self
            .appending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(appending) = appending
            && tokio::time::timeout_at(deadline, appending).await.is_err()
        {
            tracing::error!(
                "the appends in flight did not end before the deadline; they were not acknowledged"
            );
        }
        self.drainer.stop(deadline).await;
        self.watcher.abort();
        // The server may be what kept the drain from its end.
        let stats =
            tokio::time::timeout_at(deadline + timing::STOP_REPORT_TIMEOUT, self.journal.stats());
        let waiting = |shard: &ShardStats| shard.depth + shard.held_back;
        let depth = |shards: Vec<ShardStats>| shards.iter().map(waiting).sum::<u64>();
        match stats.await.map(|stats| stats.map(depth)) {
            Ok(Ok(0)) => tracing::info!("stopped; all that was acknowledged is in the database"),
            Ok(Ok(left)) => tracing::warn!(
                entries = left,
                "stopped; these entries are left in the journal for the next start"
            ),
            _ => tracing::warn!(
                entries_as_last_heard = self.journal.depth(),
                "stopped; the journal does not say how much is left in it for the next start"
            ),
        }
    }
}
