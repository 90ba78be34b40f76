//! Write-behind: a write is answered when the journal and the cache hold it;
//! the drainer takes it to the database afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cache::{Cache, Lookup};
use crate::drainer::{Drainer, DrainerSettings};
use crate::engine::{Durability, Engine, Health, Outcome, Read};
use crate::error::{Error, Result};
use crate::group_commit::{Commit, GroupCommit, GroupCommitBounds};
use crate::journal::{Appended, Journal, ShardStats};
use crate::read_through::ReadThrough;
use crate::record::{Condition, Key, Record, Write, newest_per_key};
use crate::shard::Shard;
use crate::store::Store;
use crate::telemetry;
use crate::version::Version;

/// How often a conditional write whose key is not in the cache fills the cache
/// and tries again, before it gives up.
const CONDITION_TRIES_MAX: u32 = 10;
/// How much longer it waits after each try: a write in flight of the same key
/// through another service may be what the cache cannot tell about.
const CONDITION_PAUSE: Duration = Duration::from_millis(5);
/// Entries that are read from the journal at once when the cache is filled
/// from it at start.
const REPLAY_BATCH_MAX: usize = 10_000;

/// The write-behind engine.
#[derive(Debug)]
pub struct WriteBehind {
    reader: ReadThrough,
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    appends: GroupCommit<Appends>,
    appender: Mutex<Option<JoinHandle<()>>>,
    drainer: Drainer,
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
        bounds: GroupCommitBounds,
        drainer: DrainerSettings,
    ) -> Result<Arc<WriteBehind>> {
        let newest = store.newest_version().await?;
        journal.raise(newest).await?;
        cache.raise(newest).await?;
        if !journal.holds_cache() {
            replay(&*journal, &*cache, &*store).await?;
        }
        let drainer = Drainer::start(cache.clone(), journal.clone(), store.clone(), drainer);
        let appends = Arc::new(Appends {
            cache: cache.clone(),
            journal: journal.clone(),
            store: store.clone(),
            wake: drainer.wake(),
        });
        let (appends, appender) = GroupCommit::start("journal", bounds, appends);
        Ok(Arc::new(WriteBehind {
            reader: ReadThrough::new(cache.clone(), store.clone()),
            cache,
            journal,
            store,
            appends,
            appender: Mutex::new(Some(appender)),
            drainer,
        }))
    }

    /// How much waits in each shard of the journal.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn journal_stats(&self) -> Result<Vec<ShardStats>> {
        self.journal.stats().await
    }

    /// Waits until all that was acknowledged before this call is in the
    /// database. Returns whether it is; `false` after `timeout`.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn flush(&self, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        let stats = self.journal.stats().await?;
        let marks = stats
            .into_iter()
            .filter_map(|shard| Some((shard.shard, shard.newest?)))
            .collect();
        self.drained(marks, deadline).await
    }

    async fn drained(&self, mut marks: HashMap<Shard, Version>, deadline: Instant) -> Result<bool> {
        let mut progress = self.drainer.progress();
        loop {
            progress.mark_unchanged();
            marks.retain(|shard, mark| self.drainer.drained_through(*shard) < *mark);
            if !marks.is_empty() {
                // Another process may have drained it.
                for shard in self.journal.stats().await? {
                    if marks
                        .get(&shard.shard)
                        .is_some_and(|mark| shard.oldest.is_none_or(|oldest| oldest > *mark))
                    {
                        marks.remove(&shard.shard);
                    }
                }
            }
            if marks.is_empty() {
                return Ok(true);
            }
            let look_again = (Instant::now() + Duration::from_millis(200)).min(deadline);
            let _ = tokio::time::timeout_at(look_again, progress.changed()).await;
            if Instant::now() >= deadline {
                return Ok(false);
            }
        }
    }
}

/// Brings what the journal holds into a cache that does not survive as long,
/// except where the database has something newer: an entry may have been
/// drained before without the journal having noted it, and other services may
/// have written the database since.
async fn replay(journal: &dyn Journal, cache: &dyn Cache, store: &dyn Store) -> Result<()> {
    let mut entries = 0;
    for shard in (0..journal.shards()).map(Shard) {
        let mut after = Version::ZERO;
        loop {
            let records = journal.read(shard, after, REPLAY_BATCH_MAX).await?;
            let Some(last) = records.last() else { break };
            after = last.version;
            entries += records.len();
            let waiting = newest_per_key(records);
            let keys: Vec<Key> = waiting.iter().map(|record| record.key.clone()).collect();
            let stored = store.load_many(&keys).await?;
            let stored: HashMap<Key, Version> = stored
                .into_iter()
                .map(|record| (record.key, record.version))
                .collect();
            let is_newer = |record: &Record| {
                stored
                    .get(&record.key)
                    .is_none_or(|stored| record.version > *stored)
            };
            let dirty: Vec<Record> = waiting.into_iter().filter(is_newer).collect();
            cache.put_dirty(&dirty).await?;
        }
    }
    if entries > 0 {
        tracing::info!(
            entries,
            "the journal holds writes to drain; they are in the cache again"
        );
    }
    Ok(())
}

#[async_trait]
impl Engine for WriteBehind {
    async fn read(&self, key: &Key) -> Result<Read> {
        self.reader.read(key).await
    }

    async fn write(&self, write: Write) -> Result<Outcome> {
        for attempt in 0..CONDITION_TRIES_MAX {
            match self.appends.submit(write.clone()).await? {
                Appended::At(version) => {
                    return Ok(Outcome::Written {
                        version,
                        durability: Durability::Journaled,
                    });
                }
                Appended::ConditionFailed => return Ok(Outcome::ConditionFailed),
                Appended::Unknown => {
                    // Fills the cache, where it may. A condition that does not
                    // hold for what is read did not hold at that moment.
                    let current = self.reader.read(&write.key).await?.record;
                    if !write.condition.holds(&current) {
                        return Ok(Outcome::ConditionFailed);
                    }
                    tokio::time::sleep(CONDITION_PAUSE * attempt).await;
                }
            }
        }
        Err(Error::Undecided)
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Vec<Record>> {
        self.store.page(after, limit).await
    }

    async fn health(&self) -> Health {
        let (cache, journal, database) = tokio::join!(
            self.cache.health(),
            self.journal.health(),
            self.store.health()
        );
        Health {
            cache,
            journal: Some(journal),
            database,
        }
    }

    async fn observe(&self) {
        telemetry::journal(self.journal.stats().await.ok().as_deref());
    }

    async fn stop(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        self.appends.close();
        let appender = self
            .appender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(appender) = appender
            && tokio::time::timeout_at(deadline, appender).await.is_err()
        {
            tracing::error!(
                "the appends in flight did not end before the deadline; they were not acknowledged"
            );
        }
        self.drainer.stop(deadline).await;
        match self
            .journal
            .stats()
            .await
            .map(|shards| shards.iter().map(|shard| shard.depth).sum::<u64>())
        {
            Ok(0) => tracing::info!("stopped; all that was acknowledged is in the database"),
            Ok(left) => tracing::warn!(
                entries = left,
                "stopped; these entries are left in the journal for the next start"
            ),
            Err(error) => {
                tracing::warn!(%error, "stopped; how much is left in the journal cannot be told")
            }
        }
    }
}

/// Takes each batch of writes to the journal and the cache.
#[derive(Debug)]
struct Appends {
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    wake: crate::drainer::Wake,
}

#[async_trait]
impl Commit for Appends {
    type Request = Write;
    type Answer = Appended;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Appended>> {
        let appended = if self.journal.holds_cache() {
            self.append(&batch).await
        } else {
            self.append_then_cache(&batch).await
        };
        // Also after an error: some of the batch may be in the journal.
        for write in &batch {
            self.wake.wake(self.journal.shard_of(&write.key));
        }
        match appended {
            Ok(appended) => appended.into_iter().map(Ok).collect(),
            Err(error) => {
                telemetry::failed("append", &error);
                tracing::warn!(%error, writes = batch.len(), "a batch of writes failed");
                vec![Err(error); batch.len()]
            }
        }
    }
}

impl Appends {
    async fn append(&self, writes: &[Write]) -> Result<Vec<Appended>> {
        match self.journal.append(writes).await {
            Err(Error::Unseeded(_)) => {
                self.journal
                    .raise(self.store.newest_version().await?)
                    .await?;
                self.journal.append(writes).await
            }
            appended => appended,
        }
    }

    /// For a journal that knows no cache: judges the conditions by the cache,
    /// appends, then puts into the cache. Batches come one at a time, so nobody
    /// writes in between.
    async fn append_then_cache(&self, batch: &[Write]) -> Result<Vec<Appended>> {
        let refused = self.refused(batch).await?;
        let accepted: Vec<Write> = batch
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(write, _)| write.clone())
            .collect();
        // IMPORTANT: the journal comes first. A value that can be read but is
        // not durable yet would be read and then be lost in a crash.
        let mut appended = self.append(&accepted).await?.into_iter();
        let mut records = Vec::with_capacity(accepted.len());
        let answers = batch
            .iter()
            .zip(refused)
            .map(|(write, refused)| {
                let answer = refused
                    .or_else(|| appended.next())
                    .unwrap_or(Appended::Unknown);
                if let Appended::At(version) = answer {
                    records.push(write.at(version));
                }
                answer
            })
            .collect();
        self.cache.put_dirty(&records).await?;
        Ok(answers)
    }

    /// Why each write must not be appended; `None` where it may.
    async fn refused(&self, batch: &[Write]) -> Result<Vec<Option<Appended>>> {
        // What the accepted writes of this batch leave behind, by key.
        let mut left: HashMap<&Key, Record> = HashMap::new();
        let mut refused = Vec::with_capacity(batch.len());
        for write in batch {
            let verdict = match write.condition {
                Condition::Always => None,
                condition => match left.get(&write.key) {
                    Some(current) => {
                        (!condition.holds(current)).then_some(Appended::ConditionFailed)
                    }
                    None => match self.cache.get(&write.key).await? {
                        Lookup::Hit(current) => {
                            (!condition.holds(&current)).then_some(Appended::ConditionFailed)
                        }
                        Lookup::InDoubt(_) | Lookup::Miss => Some(Appended::Unknown),
                    },
                },
            };
            if verdict.is_none() {
                left.insert(&write.key, write.at(Version::ZERO));
            }
            refused.push(verdict);
        }
        Ok(refused)
    }
}
