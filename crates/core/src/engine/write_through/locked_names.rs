//! The names whose rows another transaction has locked, as last seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::model::record::Key;
use crate::timing;

/// Names of which a write would hold up all others of its batch. A name that is in here
/// and not locked any more costs its next write a look at the locks.
#[derive(Debug, Default)]
pub(super) struct LockedNames {
    until: Mutex<HashMap<Key, Instant>>,
    // So that a write takes no lock where there are none, as nearly always.
    count: AtomicUsize,
}

impl LockedNames {
    /// Whether `key` was locked when it was last looked at, a moment ago.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.change(|until| {
                let now = Instant::now();
                until.get(key).is_some_and(|until| now < *until)
            })
    }

    /// `keys` are locked now.
    pub(super) fn add(&self, keys: impl Iterator<Item = Key>) {
        self.change(|until| {
            let now = Instant::now();
            until.retain(|_, until| now < *until);
            until.extend(keys.map(|key| (key, now + timing::LOCKED_NAME_LIFETIME)));
        });
    }

    /// `key` was written.
    pub(super) fn remove(&self, key: &Key) {
        self.change(|until| {
            until.remove(key);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Key, Instant>) -> T) -> T {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut until);
        self.count.store(until.len(), Ordering::Release);
        answer
    }
}
