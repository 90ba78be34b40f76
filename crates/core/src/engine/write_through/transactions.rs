//! Takes each batch of writes through cache and database, or to the database alone while the
//! cache is bypassed.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bypass::{Access, Permit, Standing};
use crate::cache::{Begun, Cache, Withdrawn};
use crate::concurrency::group_commit::Commit;
use crate::engine::Outcome;
use crate::engine::apply::{Applied, apply};
use crate::engine::seeder::Seeder;
use crate::engine::write_through::fate::{Fate, persisted};
use crate::engine::write_through::locked_names::LockedNames;
use crate::engine::write_through::transact::transact;
use crate::error::{Error, Part, Result};
use crate::model::epoch::Epoch;
use crate::model::record::{Condition, Key, Record, Write, newest_per_key};
use crate::model::version::Version;
use crate::process::fault_point;
use crate::store::{Origin, Proposal, Store};
use crate::telemetry;
use crate::telemetry::repeated;
use crate::telemetry::trace::{Step, Traced};

/// For how long a batch is retried if some of its writes certainly did not take place: the
/// cache is being left or used again, or other writes of the same names come in between.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a batch waits at most until there are fewer in the database. It is a small part of
/// the lifetime of its marks of doubt, since a commit after that would go unseen.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// Takes each batch of writes through cache and database.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) cache: Arc<dyn Cache>,
    pub(super) store: Arc<dyn Store>,
    pub(super) seeder: Arc<Seeder>,
    pub(super) access: Arc<Access>,
    pub(super) locked: Arc<LockedNames>,
    /// As many as there may be batches in the database at the same time.
    pub(super) turns: Semaphore,
}

/// How the writes of one attempt ended.
struct Attempt {
    fates: Vec<Fate>,
    /// Why the open writes must not be retried.
    problem: Option<Error>,
}

impl Attempt {
    /// None of so many writes has taken place.
    fn undone(writes: usize, problem: Option<Error>) -> Attempt {
        Attempt {
            fates: vec![Fate::Open; writes],
            problem,
        }
    }
}

#[async_trait]
impl Commit for Transactions {
    type Request = Write;
    type Answer = Outcome;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Outcome>> {
        let locked = |write: &Write| self.locked.contains(&write.key);
        // What gathered while the name was found to be locked.
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
    /// Takes a batch through; one answer for each write, in the same order. Those that
    /// meet the lock of another transaction are answered [`Error::Locked`].
    pub(super) async fn take(&self, batch: Vec<Write>) -> Vec<Result<Outcome>> {
        let deadline = Instant::now() + PATIENCE;
        let mut answers: Vec<Option<Result<Outcome>>> = vec![None; batch.len()];
        // The writes that are open, and their places.
        let (mut places, mut writes): (Vec<usize>, Vec<Write>) =
            batch.into_iter().enumerate().unzip();
        while !writes.is_empty() {
            let attempt = match self.access.standing() {
                Standing::Trusts(permit) => self.through(&writes, permit).await,
                Standing::Bypasses(epoch) => self.past(&writes, epoch).await,
                Standing::Neither(_) => {
                    let problem = self.access.writable(None).await.err();
                    Attempt::undone(writes.len(), problem)
                }
            };
            let late = (Instant::now() > deadline).then_some(Error::Undecided);
            let problem = attempt.problem.or(late);
            let mut open = (Vec::new(), Vec::new());
            for ((place, write), fate) in places.into_iter().zip(writes).zip(attempt.fates) {
                let answer = match (fate, &problem) {
                    (Fate::Decided(answer), _) => answer,
                    (Fate::Locked, _) => {
                        self.locked.add(std::iter::once(write.key));
                        Err(Error::Locked)
                    }
                    (Fate::Open, Some(problem)) => Err(problem.clone()),
                    (Fate::Open, None) => {
                        open.0.push(place);
                        open.1.push(write);
                        continue;
                    }
                };
                if let Some(place) = answers.get_mut(place) {
                    *place = Some(answer);
                }
            }
            (places, writes) = open;
        }
        report(&answers);
        let answers = answers.into_iter();
        answers
            .map(|answer| answer.unwrap_or(Err(Error::Panicked)))
            .collect()
    }
}

fn is_of_the_cache(error: &Error) -> bool {
    matches!(error, Error::Full { .. }) || error.part() == Some(Part::Cache)
}

/// One line and one count for all that failed in a batch.
fn report(answers: &[Option<Result<Outcome>>]) {
    let mut failed = answers.iter().filter_map(|answer| match answer {
        // Those that are locked wait.
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
    /// Marks the names in doubt, writes to the database, and puts what it has
    /// committed into the cache.
    async fn through(&self, writes: &[Write], permit: Permit) -> Attempt {
        // IMPORTANT: the names are in doubt before the database changes and
        // until the cache holds what it changed to, so that no reader takes the
        // value in between, which may be either, from the cache.
        let traced = Traced::of(writes.iter().map(|write| &write.trace));
        let mark = traced.begin(Step::Mark);
        let begun = self.begin(writes).await;
        mark.end(|_| begun.as_ref().err().map(Error::kind));
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) if is_of_the_cache(&error) => {
                let problem = self.access.cut_off(permit, &error).await.err();
                return Attempt::undone(writes.len(), problem);
            }
            Err(error) => return Attempt::undone(writes.len(), Some(error)),
        };
        fault_point::point("write.begun").await;
        let write = self.write(writes, &begun, permit.fence);
        let applying = traced.begin(Step::Apply);
        let mut fates = self.in_turn(writes.len(), write).await;
        applying.end(|place| fates.get(place).and_then(Fate::problem));
        fault_point::point("write.applied").await;
        self.withdraw(writes, &begun, &fates).await;
        let written = written(writes, &fates);
        let settling = traced.begin(Step::Settle);
        let settled = self.cache.settle(&written).await;
        settling.end(|_| settled.as_ref().err().map(Error::kind));
        let mut problem = None;
        if let Err(error) = settled
            // What the cache holds is of no account once it is left.
            && let Err(error) = self.access.cut_off(permit, &error).await
        {
            for fate in &mut fates {
                if matches!(fate, Fate::Decided(Ok(Outcome::Written { .. }))) {
                    *fate = Fate::Decided(Err(error.clone()));
                }
            }
            problem = Some(error);
        }
        if problem.is_none() && !self.access.holds(permit) {
            problem = self.access.writable(None).await.err();
        }
        Attempt { fates, problem }
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

    /// Waits until the batch may be in the database, and brings it there.
    async fn in_turn(&self, writes: usize, write: impl Future<Output = Vec<Fate>>) -> Vec<Fate> {
        match tokio::time::timeout(TURN_TIMEOUT, self.turns.acquire()).await {
            Ok(_turn) => write.await,
            Err(_) => {
                let late = Error::not_written(Part::Database, "other batches did not end in time");
                vec![Fate::Decided(Err(late)); writes]
            }
        }
    }

    /// Brings the writes into the database at the versions that they were issued.
    async fn write(&self, writes: &[Write], begun: &[Begun], fence: Option<Epoch>) -> Vec<Fate> {
        let conditional = writes
            .iter()
            .filter(|write| write.condition != Condition::Always);
        let judged: HashSet<&Key> = conditional.map(|write| &write.key).collect();
        let (mut records, mut proposals) = (Vec::new(), Vec::new());
        for (write, begun) in writes.iter().zip(begun) {
            if judged.contains(&write.key) {
                proposals.push(Proposal {
                    write: write.clone(),
                    version: Some(begun.version),
                    beside: begun.dirty.clone(),
                });
            } else {
                records.push(write.at(begun.version));
            }
        }
        let (applied, verdicts) = tokio::join!(
            apply(&*self.store, &records, Origin::Issued(fence)),
            transact(&*self.store, &proposals, fence)
        );
        let mut verdicts = verdicts.into_iter();
        let applied = by_key(applied);
        let fates = writes.iter().zip(begun).map(|(write, begun)| {
            if judged.contains(&write.key) {
                return verdicts.next().unwrap_or(Fate::Open);
            }
            applied.fate(&write.key, begun.version)
        });
        fates.collect()
    }

    /// Writes to the database alone, which issues the versions.
    async fn past(&self, writes: &[Write], epoch: Epoch) -> Attempt {
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
        let fates = self.in_turn(writes.len(), transacted).await;
        applying.end(|place| fates.get(place).and_then(Fate::problem));
        fault_point::point("bypass.applied").await;
        let problem = match fates.iter().any(|fate| matches!(fate, Fate::Open)) {
            true => self.access.writable(Some(epoch)).await.err(),
            false => None,
        };
        Attempt { fates, problem }
    }

    /// Ends the doubt about what certainly was not written.
    async fn withdraw(&self, writes: &[Write], begun: &[Begun], fates: &[Fate]) {
        let begun = writes.iter().zip(begun).zip(fates);
        let not_written = begun.filter(|(_, fate)| {
            matches!(
                fate,
                Fate::Open
                    | Fate::Locked
                    | Fate::Decided(
                        Ok(Outcome::ConditionFailed)
                            | Err(Error::Refused { .. } | Error::NotWritten { .. })
                    )
            )
        });
        let withdrawn = not_written.map(|((write, begun), _)| Withdrawn {
            key: write.key.clone(),
            version: begun.version,
            doubt: begun.doubt,
        });
        // IMPORTANT: the newest first, so that each finds its own mark.
        let withdrawn: Vec<Withdrawn> = withdrawn.rev().collect();
        if !withdrawn.is_empty()
            && let Err(error) = self.cache.withdraw(&withdrawn).await
        {
            // It ends by itself.
            tracing::debug!(%error, "the doubt about writes that did not take place stays");
        }
    }
}

/// The newest of each key that the database has.
fn written(writes: &[Write], fates: &[Fate]) -> Vec<Record> {
    let written = writes.iter().zip(fates);
    newest_per_key(written.filter_map(|(write, fate)| match fate {
        Fate::Decided(Ok(Outcome::Written { version, .. })) => Some(write.at(*version)),
        _ => None,
    }))
}

/// What became of a batch, to be looked up by key.
struct AppliedByKey {
    rows: HashMap<Key, Version>,
    refused: HashMap<(Key, Version), Arc<str>>,
    locked: HashSet<Key>,
    failed: Option<Error>,
}

fn by_key(applied: Applied) -> AppliedByKey {
    let Applied {
        rows,
        refused,
        locked,
        failed,
    } = applied;
    AppliedByKey {
        rows: rows.into_iter().map(|row| (row.key, row.version)).collect(),
        refused: refused
            .into_iter()
            .map(|(record, reason)| ((record.key, record.version), reason))
            .collect(),
        locked: locked.into_iter().map(|record| record.key).collect(),
        failed,
    }
}

impl AppliedByKey {
    fn fate(&self, key: &Key, version: Version) -> Fate {
        // Most batches are refused nothing.
        if !self.refused.is_empty()
            && let Some(reason) = self.refused.get(&(key.clone(), version))
        {
            return Fate::Decided(Err(Error::refused(Part::Database, reason)));
        }
        match (self.rows.get(key), &self.failed) {
            (Some(row), _) if *row >= version => Fate::Decided(Ok(persisted(version))),
            _ if self.locked.contains(key) => Fate::Locked,
            (_, Some(Error::Fenced)) => Fate::Open,
            (_, Some(error)) => Fate::Decided(Err(error.clone())),
            (_, None) => Fate::Decided(Err(Error::Panicked)),
        }
    }
}

#[cfg(test)]
mod tests;
