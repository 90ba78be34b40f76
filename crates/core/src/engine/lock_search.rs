//! Finding the names for which a batch waits, when another transaction has locked rows.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::model::record::Key;
use crate::store::{Locks, Store};
use crate::timing;

/// The search in one batch, over all its attempts.
#[derive(Debug)]
pub(crate) struct LockSearch<'s> {
    store: &'s dyn Store,
    ends_at: Option<Instant>,
    attempted_again: bool,
}

/// What to do with a batch that met a lock.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Split {
    /// Attempt the same again: its locks were released.
    Again,
    /// These are locked. Attempt the others.
    Locked(HashSet<Key>),
    /// Attempt these and the others, each by themselves.
    Apart(HashSet<Key>),
}

impl<'s> LockSearch<'s> {
    pub(crate) fn new(store: &'s dyn Store) -> LockSearch<'s> {
        LockSearch {
            store,
            ends_at: None,
            attempted_again: false,
        }
    }

    /// Whether the search has taken as long as it may: what was not attempted by then
    /// counts as locked.
    pub(crate) fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|ends_at| Instant::now() > ends_at)
    }

    /// What to do with a batch that failed with [`Error::Locked`]; it has these keys.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not rows of the batch that are locked, but
    /// something that all writes need.
    pub(crate) async fn split(&mut self, keys: impl Iterator<Item = Key>) -> Result<Split> {
        let mut keys: Vec<Key> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        self.ends_at
            .get_or_insert_with(|| Instant::now() + timing::LOCK_SEARCH_TIMEOUT);
        if keys.len() <= 1 {
            return Ok(Split::Locked(keys.into_iter().collect()));
        }
        let Locks { locked, absent } = match self.store.locks(&keys).await {
            Err(Error::Locked) => return Err(outage("its table is locked")),
            locks => locks?,
        };
        if !locked.is_empty() {
            return Ok(Split::Locked(locked));
        }
        if absent.is_empty() {
            // Either the locks were released meanwhile, or they are of something else.
            return match std::mem::replace(&mut self.attempted_again, true) {
                false => Ok(Split::Again),
                true => Err(outage("what is locked is none of the rows to be written")),
            };
        }
        if absent.len() < keys.len() {
            return Ok(Split::Apart(absent));
        }
        let half = keys.len() / 2;
        Ok(Split::Apart(keys.into_iter().take(half).collect()))
    }
}

fn outage(reason: &str) -> Error {
    Error::unavailable(Part::Database, reason)
}
