//! Taking each batch of writes to the journal and the cache.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::cache::{Cache, Lookup};
use crate::concurrency::group_commit::Commit;
use crate::engine::seeder::Seeder;
use crate::engine::write_behind::backlog::{Backlog, Reserved};
use crate::engine::write_behind::drainer::{Traces, Wake};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::model::decision::Decision;
use crate::model::record::{Condition, Key, Record, Write};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::process::fault_point;
use crate::telemetry;
use crate::telemetry::repeated;
use crate::telemetry::trace::{Step, Traced};

/// The version of a write of this batch, until the journal issues one.
const NOT_ISSUED: Version = Version::MAX;

/// The answers, but where a condition does not hold that was judged by a write
/// of the same batch, and this has failed, its error: the condition may hold.
fn unless_judged_by_failed(
    batch: &[Write],
    answers: Vec<Result<Decision>>,
) -> Vec<Result<Decision>> {
    let answered = batch.iter().zip(&answers);
    let failed: HashMap<&Key, Error> = answered
        .filter_map(|(write, answer)| Some((&write.key, answer.as_ref().err()?.clone())))
        .collect();
    let answered = batch.iter().zip(answers);
    let answers = answered.map(|(write, answer)| match (answer, failed.get(&write.key)) {
        (Ok(Decision::ConditionFailed), Some(error)) => Err(error.clone()),
        (answer, _) => answer,
    });
    answers.collect()
}

/// Takes each batch of writes to the journal and the cache.
#[derive(Debug)]
pub(super) struct Appends {
    pub(super) cache: Arc<dyn Cache>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) seeder: Arc<Seeder>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) wake: Wake,
    pub(super) appending: Arc<tokio::sync::Mutex<()>>,
    pub(super) traces: Arc<Traces>,
}

#[async_trait]
impl Commit for Appends {
    /// An admitted write.
    type Request = (Write, Reserved);
    type Answer = Decision;

    async fn commit(&self, batch: Vec<(Write, Reserved)>) -> Vec<Result<Decision>> {
        // Kept until the journal counts the writes, also if their callers have disconnected.
        let (batch, _reserved): (Vec<Write>, Vec<Reserved>) = batch.into_iter().unzip();
        let traced = Traced::of(batch.iter().map(|write| &write.trace));
        let (traces, step) = (self.traces.appending(&traced), traced.begin(Step::Append));
        let mut appended = if self.journal.holds_cache() {
            self.append(&batch).await
        } else {
            match self.judge_then_append(&batch).await {
                Ok(appended) => appended,
                Err(error) => vec![Err(error); batch.len()],
            }
        };
        debug_assert_eq!(appended.len(), batch.len(), "an answer for each write");
        let error = |place: usize| appended.get(place)?.as_ref().err().map(Error::kind);
        let contexts = step.end(error);
        if let Some(traces) = traces {
            traces.appended(&batch, &appended, contexts);
        }
        fault_point::point("append.journaled").await;
        // Also after an error: some of the batch may be in the journal.
        let mut woken: Option<Shard> = None;
        for write in &batch {
            let shard = self.journal.shard_of(&write.key);
            if woken.replace(shard) != Some(shard) {
                self.wake.wake(shard);
            }
        }
        self.backlog.appended();
        let mut failed: Option<(&Error, usize)> = None;
        for answer in &mut appended {
            match answer {
                Err(Error::Full { retry_after, .. }) => *retry_after = self.backlog.retry_after(),
                // Its watcher has logged why, once.
                Err(error @ Error::NotAdmitted(_)) => telemetry::failed("append", error),
                Err(error) => failed = Some((error, failed.map_or(0, |(_, writes)| writes) + 1)),
                Ok(_) => {}
            }
        }
        if let Some((error, writes)) = failed {
            telemetry::failed("append", error);
            repeated::failed("writes failed", error, writes as u64);
        }
        appended
    }
}

impl Appends {
    /// Appends, and once more those that found the clock of their shard unseeded.
    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        let seed = self.seeder.generation();
        let mut answers = self.journal.append(writes).await;
        let unseeded = |answer: &Result<Decision>| matches!(answer, Err(Error::Unseeded(_)));
        if !answers.iter().any(unseeded) {
            return answers;
        }
        if let Err(error) = Box::pin(self.seeder.seed(seed)).await {
            repeated::failed("cannot seed the version clock", &error, 1);
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
    /// appends, then puts into the cache. Batches come one at a time, so no other
    /// write comes in between.
    async fn judge_then_append(&self, batch: &[Write]) -> Result<Vec<Result<Decision>>> {
        if batch
            .iter()
            .all(|write| write.condition == Condition::Always)
        {
            return self.append_then_cache(batch).await;
        }
        let refused = self.refused(batch).await?;
        let accepted: Vec<Write> = batch
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| refused.is_none())
            .map(|(write, _)| write.clone())
            .collect();
        let mut appended = self.append_then_cache(&accepted).await?.into_iter();
        let answers = refused.into_iter().map(|refused| match refused {
            Some(refused) => Ok(refused),
            None => appended.next().unwrap_or(Err(Error::Panicked)),
        });
        Ok(unless_judged_by_failed(batch, answers.collect()))
    }

    /// Appends, then puts what was appended into the cache.
    async fn append_then_cache(&self, writes: &[Write]) -> Result<Vec<Result<Decision>>> {
        let _appending = self.appending.lock().await;
        // IMPORTANT: the journal comes first. A value that can be read but is
        // not durable yet would be read and then be lost in a crash.
        let answers = self.append(writes).await;
        let mut records: Vec<Record> = Vec::with_capacity(writes.len());
        for (write, answer) in writes.iter().zip(&answers) {
            if let Ok(Decision::Written(version)) = answer {
                records.push(write.at(*version));
            }
        }
        self.cache.put_dirty(&records).await?;
        Ok(answers)
    }

    /// Why each write must not be appended; `None` where it may.
    async fn refused(&self, batch: &[Write]) -> Result<Vec<Option<Decision>>> {
        // What the accepted writes of this batch leave behind, by key.
        let mut left: HashMap<&Key, Record> = HashMap::new();
        let mut refused = Vec::with_capacity(batch.len());
        for write in batch {
            let verdict = match &write.condition {
                Condition::Always => None,
                condition => match left.get(&write.key) {
                    Some(left) => self.judge_upon(condition, left).await?,
                    None => self.judge(condition, &write.key).await?,
                },
            };
            if verdict.is_none() {
                left.insert(&write.key, write.at(NOT_ISSUED));
            }
            refused.push(verdict);
        }
        Ok(refused)
    }

    /// By what the cache holds.
    async fn judge(&self, condition: &Condition, key: &Key) -> Result<Option<Decision>> {
        Ok(match self.cache.get(key).await {
            Ok(Lookup::Hit(current)) => {
                (!condition.holds(&current)).then_some(Decision::ConditionFailed)
            }
            // The engine reads it, which seeds the cache, too.
            Ok(Lookup::InDoubt(_) | Lookup::Miss) | Err(Error::Unseeded(_)) => {
                Some(Decision::Retry)
            }
            Err(error) => return Err(error),
        })
    }

    /// By what an accepted write of the same batch leaves behind, whose version
    /// will be above all that were issued before.
    async fn judge_upon(&self, condition: &Condition, left: &Record) -> Result<Option<Decision>> {
        if let Condition::Is(versions) | Condition::IsNot(versions) = condition {
            let newest = versions.iter().max().copied().unwrap_or_default();
            match self.cache.get(&left.key).await {
                Err(error) if !matches!(error, Error::Unseeded(_)) => return Err(error),
                Ok(Lookup::Hit(before)) if newest <= before.version => {}
                // A client has guessed a version: it may be the one that is issued next.
                // That is known once this batch has its versions.
                _ => return Ok(Some(Decision::Retry)),
            }
        }
        Ok((!condition.holds(left)).then_some(Decision::ConditionFailed))
    }
}
