//! Write-behind: a write is answered when the journal and the cache hold it;
//! the drainer takes it to the database afterwards.

mod replay;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::backlog::{Backlog, BacklogLimits};
use crate::barrier::Barrier;
use crate::cache::{Cache, Lookup};
use crate::dead_letter::DeadLetter;
use crate::drainer::{Drainer, DrainerSettings, Wake};
use crate::engine::{Durability, Engine, Health, Outcome, Read};
use crate::error::{Error, Part, Result};
use crate::fault;
use crate::group_commit::{Commit, GroupCommit, GroupCommitBounds, Runs};
use crate::journal::{Appended, Journal, ShardStats};
use crate::lease::Leases;
use crate::read_through::ReadThrough;
use crate::record::{Condition, Key, Record, Write};
use crate::seeder::Seeder;
use crate::store::Store;
use crate::telemetry;
use crate::version::Version;

use replay::replay;

/// How often a conditional write whose key is not in the cache fills the cache
/// and tries again, before it gives up.
const CONDITION_TRIES_MAX: u32 = 25;
/// How much longer it waits after each try, up to a most: a write in flight of
/// the same key through another service, or a reader that died while it filled
/// the key, may be why the cache cannot tell. All of it is longer than such a
/// reader's ticket lasts.
const CONDITION_PAUSE: Duration = Duration::from_millis(10);
const CONDITION_PAUSE_MAX: Duration = Duration::from_millis(250);

/// How long after the deadline of a stop the journal may be asked what is left.
const REPORT_GRACE: Duration = Duration::from_millis(500);

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
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    appends: GroupCommit<Appends>,
    appender: Mutex<Option<JoinHandle<()>>>,
    drainer: Arc<Drainer>,
    barrier: Barrier,
    backlog: Arc<Backlog>,
    watcher: JoinHandle<()>,
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
        });
        let runs = match journal.append_blocks() {
            true => Runs::OnThread,
            false => Runs::InTask,
        };
        let (appends, appender) =
            GroupCommit::start("journal", settings.group_commit, runs, appends);
        Ok(Arc::new(WriteBehind {
            reader: ReadThrough::new(cache.clone(), store.clone(), seeder),
            barrier: Barrier::new(journal.clone(), drainer.clone()),
            cache,
            journal,
            store,
            appends,
            appender: Mutex::new(Some(appender)),
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
        let stats = self.journal.stats().await?;
        let marks = stats
            .into_iter()
            .filter(|shard| shard.depth > 0)
            // A server that has just come back does not know its newest: then
            // all that waits counts.
            .map(|shard| (shard.shard, shard.newest.unwrap_or(Version::MAX)))
            .collect();
        let drained = self.barrier.wait(marks, deadline).await?;
        if self.journal.lost() > lost {
            let reason = "it came back without its newest entries";
            return Err(Error::unavailable(Part::Journal, reason));
        }
        Ok(drained)
    }

    /// Dead letters in the order of their keys, at most `max`.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        self.journal.dead_letters(max).await
    }

    /// Tries once more to bring the dead letter of `key` into the database.
    /// Returns whether there was one.
    ///
    /// # Errors
    /// [`Error::Refused`] when the database refuses it still.
    pub async fn replay_dead_letter(&self, key: &Key) -> Result<bool> {
        let Some(letter) = self.journal.dead_letter(key).await? else {
            return Ok(false);
        };
        if letter.is_undecodable() {
            return Err(Error::refused(Part::Journal, &letter.reason));
        }
        let version = letter.record.version;
        // IMPORTANT: at its own version, so that it replaces nothing newer.
        self.store.apply(&[letter.record]).await?;
        self.cache.mark_clean(&[(key.clone(), version)]).await?;
        self.journal.forget_dead_letter(key, version).await?;
        Ok(true)
    }

    /// Gives up the dead letter of `key`: readers are given what the database
    /// has. Returns whether there was one.
    ///
    /// # Errors
    /// When a part is unavailable; repeating it is safe.
    pub async fn delete_dead_letter(&self, key: &Key) -> Result<bool> {
        let Some(letter) = self.journal.dead_letter(key).await? else {
            return Ok(false);
        };
        let version = letter.record.version;
        self.cache.discard(key, version).await?;
        self.journal.forget_dead_letter(key, version).await
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

    async fn write(&self, write: Write) -> Result<Outcome> {
        self.backlog.admit()?;
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
                    tokio::time::sleep((CONDITION_PAUSE * attempt).min(CONDITION_PAUSE_MAX)).await;
                }
            }
        }
        Err(Error::Undecided)
    }

    async fn persisted(&self, key: &Key, version: Version, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let marks = HashMap::from([(self.journal.shard_of(key), version)]);
        if !self.barrier.wait(marks, deadline).await? {
            return Err(Error::NotPersisted);
        }
        // IMPORTANT: that nothing waits any more is not enough: the journal may
        // have lost the entry, or the database may have refused it.
        let stored = self.store.load_many(std::slice::from_ref(key)).await?;
        if stored.iter().any(|stored| stored.version >= version) {
            return Ok(());
        }
        match self.journal.dead_letter(key).await? {
            Some(letter) if letter.record.version >= version => Err(Error::DeadLetter),
            _ => Err(Error::unavailable(
                Part::Journal,
                "it came back without the write",
            )),
        }
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
        let rate = self.backlog.drain_rates().iter().sum();
        telemetry::drain_rate(rate);
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
        self.watcher.abort();
        // The server may be what kept the drain from its end.
        let stats = tokio::time::timeout_at(deadline + REPORT_GRACE, self.journal.stats());
        let depth = |shards: Vec<ShardStats>| shards.iter().map(|shard| shard.depth).sum::<u64>();
        match stats.await {
            Ok(Ok(shards)) if depth(shards.clone()) == 0 => {
                tracing::info!("stopped; all that was acknowledged is in the database");
            }
            Ok(Ok(shards)) => tracing::warn!(
                entries = depth(shards),
                "stopped; these entries are left in the journal for the next start"
            ),
            _ => tracing::warn!(
                entries_as_last_heard = self.journal.depth(),
                "stopped; the journal does not say how much is left in it for the next start"
            ),
        }
    }
}

/// The answers, but where a condition does not hold that was judged by a write
/// of the same batch, and this has failed, its error: the condition may hold.
fn unless_judged_by_failed(
    batch: &[Write],
    answers: Vec<Result<Appended>>,
) -> Vec<Result<Appended>> {
    let answered = batch.iter().zip(&answers);
    let failed: HashMap<&Key, Error> = answered
        .filter_map(|(write, answer)| Some((&write.key, answer.as_ref().err()?.clone())))
        .collect();
    let answered = batch.iter().zip(answers);
    let answers = answered.map(|(write, answer)| match (answer, failed.get(&write.key)) {
        (Ok(Appended::ConditionFailed), Some(error)) => Err(error.clone()),
        (answer, _) => answer,
    });
    answers.collect()
}

/// Takes each batch of writes to the journal and the cache.
#[derive(Debug)]
struct Appends {
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    seeder: Arc<Seeder>,
    backlog: Arc<Backlog>,
    wake: Wake,
    appending: Arc<tokio::sync::Mutex<()>>,
}

#[async_trait]
impl Commit for Appends {
    type Request = Write;
    type Answer = Appended;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Appended>> {
        let mut appended = if self.journal.holds_cache() {
            self.append(&batch).await
        } else {
            match self.append_then_cache(&batch).await {
                Ok(appended) => appended,
                Err(error) => vec![Err(error); batch.len()],
            }
        };
        fault::point("append.journaled").await;
        // Also after an error: some of the batch may be in the journal.
        for write in &batch {
            self.wake.wake(self.journal.shard_of(&write.key));
        }
        self.backlog.appended();
        let mut failed: Option<(&Error, usize)> = None;
        for answer in &mut appended {
            match answer {
                Err(Error::Full { retry_after, .. }) => *retry_after = self.backlog.retry_after(),
                Err(error) => failed = Some((error, failed.map_or(0, |(_, writes)| writes) + 1)),
                Ok(_) => {}
            }
        }
        if let Some((error, writes)) = failed {
            telemetry::failed("append", error);
            tracing::warn!(%error, writes, "writes of a batch failed");
        }
        appended
    }
}

impl Appends {
    /// Appends, and once more those that found the clock of their shard unseeded.
    async fn append(&self, writes: &[Write]) -> Vec<Result<Appended>> {
        let seed = self.seeder.generation();
        let mut answers = self.journal.append(writes).await;
        let unseeded = |answer: &Result<Appended>| matches!(answer, Err(Error::Unseeded(_)));
        if !answers.iter().any(unseeded) {
            return answers;
        }
        if let Err(error) = self.seeder.seed(seed).await {
            tracing::warn!(%error, "cannot seed the version clock");
            return answers;
        }
        let again: Vec<Write> = answers
            .iter()
            .zip(writes)
            .filter(|(answer, _)| unseeded(answer))
            .map(|(_, write)| write.clone())
            .collect();
        let again = self.journal.append(&again).await;
        let places = answers.iter_mut().filter(|answer| unseeded(answer));
        for (place, answer) in places.zip(again) {
            *place = answer;
        }
        answers
    }

    /// For a journal that knows no cache: judges the conditions by the cache,
    /// appends, then puts into the cache. Batches come one at a time, so nobody
    /// writes in between.
    async fn append_then_cache(&self, batch: &[Write]) -> Result<Vec<Result<Appended>>> {
        let refused = self.refused(batch).await?;
        let accepted: Vec<Write> = batch
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(write, _)| write.clone())
            .collect();
        let _appending = self.appending.lock().await;
        // IMPORTANT: the journal comes first. A value that can be read but is
        // not durable yet would be read and then be lost in a crash.
        let mut appended = self.append(&accepted).await.into_iter();
        let mut records = Vec::with_capacity(accepted.len());
        let answers = batch
            .iter()
            .zip(refused)
            .map(|(write, refused)| {
                let answer = match refused {
                    Some(refused) => Ok(refused),
                    None => appended.next().unwrap_or(Err(Error::Panicked)),
                };
                if let Ok(Appended::At(version)) = answer {
                    records.push(write.at(version));
                }
                answer
            })
            .collect();
        self.cache.put_dirty(&records).await?;
        Ok(unless_judged_by_failed(batch, answers))
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
