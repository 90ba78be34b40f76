//! How far a load is, for a display while it runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts that grow while a load runs.
#[derive(Debug, Default)]
pub struct Meter {
    due: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// What a [`Meter`] says at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Requests that should have been sent until now.
    pub due: u64,
    /// Those that were answered as they should be.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Meter {
    /// What it says now.
    pub fn read(&self) -> Reading {
        Reading {
            due: self.due.load(Relaxed),
            succeeded: self.succeeded.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }

    pub(super) fn add_due(&self, requests: u64) {
        self.due.fetch_add(requests, Relaxed);
    }

    pub(super) fn count(&self, has_failed: bool) {
        let counter = if has_failed {
            &self.failed
        } else {
            &self.succeeded
        };
        counter.fetch_add(1, Relaxed);
    }
}
