//! Applying dead letters to the database once more.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cache::Cache;
use crate::engine::apply::{AppliedBatch, apply};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::model::dead_letter::DeadLetter;
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::store::{Origin, Store};

/// What became of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The database has the write now.
    Written,
    /// The database had something newer of the name, which stays. The letter ended.
    Superseded,
    /// The database refuses it still, for this reason. The letter stays.
    Refused(Arc<str>),
    /// Another transaction has locked the row. The letter stays.
    Locked,
    /// It is an entry of the journal that could not be understood. The letter stays.
    Undecodable,
    /// A part failed. The letter stays, and replaying it again is safe.
    Failed,
}

/// Several letters after they were replayed.
#[derive(Debug)]
pub struct ReplayedPage {
    /// What became of each, in the order given.
    pub outcomes: Vec<(DeadLetter, Replayed)>,
    /// Why some are [`Replayed::Failed`].
    pub failed: Option<Error>,
}

/// Applies dead letters, each at its own version, so that none replaces anything newer.
#[derive(Clone, Debug)]
pub struct Replayer {
    /// Has the values, dirty.
    pub cache: Arc<dyn Cache>,
    /// Has the letters.
    pub journal: Arc<dyn Journal>,
    /// Is to have the writes.
    pub store: Arc<dyn Store>,
}

impl Replayer {
    /// Applies the letters, which are of distinct keys, and ends those that the database has now. A letter
    /// that has ended meanwhile is left out.
    pub async fn replay(&self, mut letters: Vec<DeadLetter>, origin: Origin) -> ReplayedPage {
        let (mut decided, mut failed) = self.decide(&mut letters, origin).await;
        let mut outcomes = Vec::with_capacity(letters.len());
        for letter in letters {
            let mut outcome = match letter.is_undecodable() {
                true => Replayed::Undecodable,
                false => decided
                    .remove(&letter.record.key)
                    .unwrap_or(Replayed::Failed),
            };
            if matches!(outcome, Replayed::Written | Replayed::Superseded)
                && let Err(error) = self.end(&letter.record.key, letter.record.version).await
            {
                failed.get_or_insert(error);
                outcome = Replayed::Failed;
            }
            outcomes.push((letter, outcome));
        }
        ReplayedPage { outcomes, failed }
    }

    /// What becomes of the letters' keys in the database, and why some are missing.
    async fn decide(
        &self,
        letters: &mut Vec<DeadLetter>,
        origin: Origin,
    ) -> (HashMap<Key, Replayed>, Option<Error>) {
        let stored = match self.look(letters).await {
            Ok(stored) => stored,
            Err(error) => return (HashMap::new(), Some(error)),
        };
        let letters = letters.iter().filter(|letter| !letter.is_undecodable());
        let records: Vec<Record> = letters.map(|letter| letter.record.clone()).collect();
        let is_newer = |record: &Record| {
            let stored = stored.get(&record.key);
            stored.is_some_and(|stored| *stored > record.version)
        };
        let (superseded, rest): (Vec<Record>, Vec<Record>) =
            records.into_iter().partition(is_newer);
        let superseded = superseded.into_iter();
        let mut decided: HashMap<Key, Replayed> = superseded
            .map(|record| (record.key, Replayed::Superseded))
            .collect();
        if rest.is_empty() {
            return (decided, None);
        }
        let applied = apply(&*self.store, &rest, origin).await;
        let AppliedBatch { rows, refused, .. } = applied;
        decided.extend(rows.into_iter().map(|row| (row.key, Replayed::Written)));
        let locked = applied.locked.into_iter();
        decided.extend(locked.map(|row| (row.key, Replayed::Locked)));
        let refused = refused.into_iter();
        decided.extend(refused.map(|(record, why)| (record.key, Replayed::Refused(why))));
        (decided, applied.failed)
    }

    /// The versions in the database. Leaves out letters that have ended.
    async fn look(&self, letters: &mut Vec<DeadLetter>) -> Result<HashMap<Key, Version>> {
        let known = letters.iter().filter(|letter| !letter.is_undecodable());
        let keys: Vec<Key> = known.map(|letter| letter.record.key.clone()).collect();
        let stored = self.store.versions(&keys).await?;
        // Last: an operator may have deleted some since they were read.
        let mut there = self.journal.still_there(letters).await?.into_iter();
        letters.retain(|_| there.next().unwrap_or(false));
        Ok(stored)
    }

    /// Ends the letter of a write that the database has, or has something newer of.
    ///
    /// # Errors
    /// When a part is unavailable. The letter stays, and doing all of it again is safe.
    async fn end(&self, key: &Key, version: Version) -> Result<bool> {
        self.cache.mark_clean(&[(key.clone(), version)]).await?;
        // The cache may know of no such user: a write whose newer delete may have been
        // purged is not in the cache.
        self.cache.forget(key).await?;
        self.journal.forget_dead_letter(key, version).await
    }
}
