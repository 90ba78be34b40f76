//! Takes each batch of writes through cache and database, or to the database alone while the
//! cache is bypassed.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bypass::{Access, Mode, Permit};
use crate::cache::{Begun, Cache, Withdrawn};
use crate::concurrency::group_commit::Commit;
use crate::engine::apply::apply;
use crate::engine::seeder::Seeder;
use crate::engine::write_through::locked_names::LockedNames;
use crate::engine::write_through::transact::transact;
use crate::error::{Error, Part, Result};
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Condition, Key, Record, Write, newest_per_key};
use crate::process::fault_point;
use crate::store::{Origin, Proposal, Store};
use crate::telemetry;
use crate::telemetry::repeated;
use crate::telemetry::trace::{Step, Traced};
use crate::timing;

/// Takes each batch of writes through cache and database.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) cache: Arc<dyn Cache>,
    pub(super) store: Arc<dyn Store>,
    pub(super) seeder: Arc<Seeder>,
    pub(super) access: Arc<Access>,
    pub(super) locked: Arc<LockedNames>,
    /// One permit for each batch that may be in the database at the same time.
    pub(super) turns: Semaphore,
}

#[async_trait]
impl Commit for Transactions {
    type Request = Write;
    type Answer = Decision;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Decision>> {
        let locked = |write: &Write| self.locked.contains(&write.key);
        // A name may have been found locked while writes of it gathered.
        let locked: Vec<bool> = batch.iter().map(locked).collect();
        let writes = batch.into_iter().zip(&locked);
        let free = writes.filter_map(|(write, locked)| (!locked).then_some(write));
        let mut answers = self.take(free.collect()).await.into_iter();
        let answer = |locked| match locked {
            true => Err(Error::Locked),
            false => answers.next().unwrap_or(Err(Error::Panicked)),
        };
        locked.into_iter().map(answer).collect()
    }
}

impl Transactions {
    /// Writes a batch. Returns one answer for each write, in the same order. A write that
    /// meets the lock of another transaction is answered with [`Error::Locked`].
    pub(super) async fn take(&self, batch: Vec<Write>) -> Vec<Result<Decision>> {
        let deadline = Instant::now() + timing::BATCH_RETRY_TIMEOUT;
        let mut answers: Vec<Option<Result<Decision>>> = vec![None; batch.len()];
        // The writes that are not answered yet, and their places in the batch.
        let (mut places, mut writes): (Vec<usize>, Vec<Write>) =
            batch.into_iter().enumerate().unzip();
        while !writes.is_empty() {
            let decisions = match self.access.mode() {
                Mode::Trusts(permit) => self.write_with_cache(&writes, permit).await,
                Mode::Bypasses(epoch) => self.write_bypassing_cache(&writes, epoch).await,
                Mode::Neither(_) => {
                    let problem = self.access.writable(None).await.err();
                    not_begun(writes.len(), problem)
                }
            };
            debug_assert_eq!(decisions.len(), writes.len(), "a decision for each write");
            let is_late = Instant::now() > deadline;
            let mut left = (Vec::new(), Vec::new());
            for ((place, write), decision) in places.into_iter().zip(writes).zip(decisions) {
                let answer = match decision {
                    Ok(Decision::Retry) if !is_late => {
                        left.0.push(place);
                        left.1.push(write);
                        continue;
                    }
                    Ok(Decision::Retry) => Err(Error::Undecided),
                    Err(Error::Locked) => {
                        self.locked.add(std::iter::once(write.key));
                        Err(Error::Locked)
                    }
                    decided => decided,
                };
                if let Some(place) = answers.get_mut(place) {
                    *place = Some(answer);
                }
            }
            (places, writes) = left;
        }
        report(&answers);
        let answers = answers.into_iter();
        answers
            .map(|answer| answer.unwrap_or(Err(Error::Panicked)))
            .collect()
    }
}

/// The decisions on this many writes, none of which was begun: retry, or `problem`.
fn not_begun(writes: usize, problem: Option<Error>) -> Vec<Result<Decision>> {
    let decision = problem.map_or(Ok(Decision::Retry), Err);
    vec![decision; writes]
}

/// Answers the writes that were to be retried with `problem`, the reason against a retry.
fn give_up(decisions: &mut [Result<Decision>], problem: &Error) {
    for decision in decisions {
        if matches!(decision, Ok(Decision::Retry)) {
            *decision = Err(problem.clone());
        }
    }
}

fn is_of_the_cache(error: &Error) -> bool {
    matches!(error, Error::Full { .. }) || error.part() == Some(Part::Cache)
}

/// Logs and counts all failed writes of a batch together.
fn report(answers: &[Option<Result<Decision>>]) {
    let mut failed = answers.iter().filter_map(|answer| match answer {
        // Locked writes wait, so they have not failed.
        Some(Err(error)) if !matches!(error, Error::Refused { .. } | Error::Locked) => Some(error),
        _ => None,
    });
    let writes = failed.clone().count();
    if let Some(error) = failed.next_back() {
        telemetry::failed("write-through", error);
        repeated::failed("writes failed", error, writes as u64);
    }
}

impl Transactions {
    /// Marks the names in doubt, writes to the database, and puts the committed values into
    /// the cache.
    async fn write_with_cache(&self, writes: &[Write], permit: Permit) -> Vec<Result<Decision>> {
        // IMPORTANT: the names are in doubt from before the database changes until the cache
        // holds the new values. In between the cache may hold the old value or the new one, so
        // no reader may take it from there.
        let traced = Traced::of(writes.iter().map(|write| &write.trace));
        let mark = traced.begin(Step::Mark);
        let begun = self.begin(writes).await;
        mark.end(|_| begun.as_ref().err().map(Error::kind));
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) if is_of_the_cache(&error) => {
                let problem = self.access.cut_off(permit, &error).await.err();
                return not_begun(writes.len(), problem);
            }
            Err(error) => return not_begun(writes.len(), Some(error)),
        };
        debug_assert_eq!(begun.len(), writes.len(), "a version for each write");
        fault_point::point("write.begun").await;
        let write = self.write(writes, &begun, permit.fence);
        let applying = traced.begin(Step::Apply);
        let mut decisions = self.in_turn(writes.len(), write).await;
        applying.end(|place| decisions.get(place).and_then(error_kind));
        fault_point::point("write.applied").await;
        self.withdraw(writes, &begun, &decisions).await;
        let written = written(writes, &decisions);
        let settling = traced.begin(Step::Settle);
        let settled = self.cache.settle(&written).await;
        settling.end(|_| settled.as_ref().err().map(Error::kind));
        if let Err(error) = settled
            // Once the cache is bypassed, its content does not matter.
            && let Err(error) = self.access.cut_off(permit, &error).await
        {
            for decision in &mut decisions {
                if matches!(decision, Ok(Decision::Written(_) | Decision::Retry)) {
                    *decision = Err(error.clone());
                }
            }
        } else if !self.access.holds(permit)
            && let Err(problem) = self.access.writable(None).await
        {
            give_up(&mut decisions, &problem);
        }
        decisions
    }

    async fn begin(&self, writes: &[Write]) -> Result<Vec<Begun>> {
        let keys: Vec<Key> = writes.iter().map(|write| write.key.clone()).collect();
        let seed = self.seeder.generation();
        match self.cache.begin_write(&keys).await {
            Err(Error::Unseeded(_)) => {
                self.seeder.seed(seed).await?;
                self.cache.begin_write(&keys).await
            }
            begun => begun,
        }
    }

    /// Waits for the batch's turn in the database, and then runs `write`.
    async fn in_turn(
        &self,
        writes: usize,
        write: impl Future<Output = Vec<Result<Decision>>>,
    ) -> Vec<Result<Decision>> {
        match tokio::time::timeout(timing::BATCH_TURN_TIMEOUT, self.turns.acquire()).await {
            Ok(_turn) => write.await,
            Err(_) => {
                let late = Error::not_written(Part::Database, "other batches did not end in time");
                vec![Err(late); writes]
            }
        }
    }

    /// Writes to the database, each write at the version that it was issued.
    async fn write(
        &self,
        writes: &[Write],
        begun: &[Begun],
        fence: Option<Epoch>,
    ) -> Vec<Result<Decision>> {
        let conditional: HashSet<&Key> = writes
            .iter()
            .filter(|write| write.condition != Condition::Always)
            .map(|write| &write.key)
            .collect();
        let (mut records, mut proposals) = (Vec::new(), Vec::new());
        for (write, begun) in writes.iter().zip(begun) {
            if conditional.contains(&write.key) {
                proposals.push(Proposal {
                    write: write.clone(),
                    version: Some(begun.version),
                    beside: begun.dirty.clone(),
                });
            } else {
                records.push(write.at(begun.version));
            }
        }
        let (applied, judged) = tokio::join!(
            apply(&*self.store, &records, Origin::Issued(fence)),
            transact(&*self.store, &proposals, fence)
        );
        let mut applied = applied.decisions(&records).into_iter();
        let mut judged = judged.into_iter();
        let decisions = writes.iter().map(|write| {
            let decision = match conditional.contains(&write.key) {
                true => judged.next(),
                false => applied.next(),
            };
            decision.unwrap_or(Err(Error::Panicked))
        });
        decisions.collect()
    }

    /// Writes to the database alone, which issues the versions.
    async fn write_bypassing_cache(&self, writes: &[Write], epoch: Epoch) -> Vec<Result<Decision>> {
        let proposals: Vec<Proposal> = writes
            .iter()
            .map(|write| Proposal {
                write: write.clone(),
                version: None,
                beside: None,
            })
            .collect();
        let transacted = transact(&*self.store, &proposals, Some(epoch));
        let traced = Traced::of(writes.iter().map(|write| &write.trace));
        let applying = traced.begin(Step::Apply);
        let mut decisions = self.in_turn(writes.len(), transacted).await;
        applying.end(|place| decisions.get(place).and_then(error_kind));
        fault_point::point("bypass.applied").await;
        if decisions
            .iter()
            .any(|decision| matches!(decision, Ok(Decision::Retry)))
            && let Err(problem) = self.access.writable(Some(epoch)).await
        {
            give_up(&mut decisions, &problem);
        }
        decisions
    }

    /// Ends the doubt about the writes that certainly did not take place.
    async fn withdraw(&self, writes: &[Write], begun: &[Begun], decisions: &[Result<Decision>]) {
        let begun = writes.iter().zip(begun).zip(decisions);
        let not_written = begun.filter(|(_, decision)| {
            matches!(
                decision,
                Ok(Decision::Retry | Decision::ConditionFailed)
                    | Err(Error::Locked | Error::Refused { .. } | Error::NotWritten { .. })
            )
        });
        let withdrawn = not_written.map(|((write, begun), _)| Withdrawn {
            key: write.key.clone(),
            version: begun.version,
            doubt: begun.doubt,
        });
        // IMPORTANT: the newest are withdrawn first, so that each withdrawal finds its own mark.
        let withdrawn: Vec<Withdrawn> = withdrawn.rev().collect();
        if !withdrawn.is_empty()
            && let Err(error) = self.cache.withdraw(&withdrawn).await
        {
            // A mark of doubt expires.
            tracing::debug!(%error, "the doubt about writes that did not take place stays");
        }
    }
}

/// The newest record of each key that the database has committed.
fn written(writes: &[Write], decisions: &[Result<Decision>]) -> Vec<Record> {
    let written = writes.iter().zip(decisions);
    newest_per_key(written.filter_map(|(write, decision)| match decision {
        Ok(decision) => decision.version().map(|version| write.at(version)),
        Err(_) => None,
    }))
}

/// The kind of error that a decision stands for, in traces.
fn error_kind(decision: &Result<Decision>) -> Option<&'static str> {
    match decision {
        Ok(Decision::Written(_) | Decision::ConditionFailed) => None,
        Ok(Decision::Retry) => Some("not written"),
        Err(error) => Some(error.kind()),
    }
}

#[cfg(test)]
mod tests;
