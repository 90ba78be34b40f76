//! The names whose rows another transaction has locked, as last seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::model::record::Key;
use crate::timing;

/// Names of which a write would hold up all other writes of its batch. A name may be listed
/// although its row is not locked any more. Then its next write only costs a look at the locks.
#[derive(Debug, Default)]
pub(super) struct LockedNames {
    until: Mutex<HashMap<Key, Instant>>,
    // The number of names, so that a write takes no mutex while there are none, as nearly always.
    count: AtomicUsize,
}

impl LockedNames {
    /// Whether the row of `key` was locked at the last look, a moment ago.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.change(|until| {
                let now = Instant::now();
                until.get(key).is_some_and(|until| now < *until)
            })
    }

    /// Notes that the rows of `keys` are locked now.
    pub(super) fn add(&self, keys: impl Iterator<Item = Key>) {
        self.change(|until| {
            let now = Instant::now();
            until.retain(|_, until| now < *until);
            until.extend(keys.map(|key| (key, now + timing::LOCKED_NAME_LIFETIME)));
        });
    }

    /// Notes that `key` was written, so its row is free.
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
