//! Records what was asked, acknowledged and read, by name. From that follow what must be
//! there in the end, and whether a read was answered with something older than it may be.
//!
//! It compares the versions that the services put into `ETag`: of one name a later write has
//! a larger one. Where the outcome of a request is unknown, it reports no violation.

mod check;
mod name;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::request::{Answer, Operation, Request};
use name::Name;

pub use check::{Final, Findings};

/// Connections seldom wait for each other at so many locks.
const STRIPES: usize = 256;

/// How many of the wrong answers are described.
const EXAMPLES_MAX: usize = 5;

/// Shared by all connections.
#[derive(Debug)]
pub struct Ledger {
    stripes: Vec<Mutex<HashMap<u32, Name>>>,
    acknowledged: AtomicU64,
    stale: Mutex<Stale>,
}

#[derive(Debug, Default)]
struct Stale {
    count: u64,
    examples: Vec<String>,
}

/// A request that is under way. It has to be ended.
#[derive(Debug)]
#[must_use]
pub struct Open {
    request: Request,
    floor: name::Floor,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger::new()
    }
}

impl Ledger {
    /// One that knows of nothing yet.
    pub fn new() -> Ledger {
        Ledger {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            acknowledged: AtomicU64::new(0),
            stale: Mutex::default(),
        }
    }

    /// Right before a request is sent.
    pub fn begin(&self, request: Request) -> Open {
        let mut open = Open {
            request,
            floor: name::Floor::default(),
        };
        self.with(request.name, |name| {
            if request.operation == Operation::Delete {
                name.unsettled_deletes += 1;
            }
            open.floor = name.floor();
        });
        open
    }

    /// As soon as its answer is there, or it is certain that none will be.
    pub fn end(&self, open: Open, answer: Answer) {
        let Open { request, floor } = open;
        let wrong = self
            .with(request.name, |name| name.answered(request, floor, answer))
            .flatten();
        if matches!(answer, Answer::Acknowledged { .. }) {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(wrong) = wrong {
            let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            stale.count += 1;
            if stale.examples.len() < EXAMPLES_MAX {
                let text = format!("name {}, request {}: {wrong}", request.name, request.number);
                stale.examples.push(text);
            }
        }
    }

    /// The names that were asked for, in no particular order.
    pub fn names(&self) -> Vec<u32> {
        let stripes = self.stripes.iter().map(locked);
        stripes
            .flat_map(|stripe| stripe.keys().copied().collect::<Vec<u32>>())
            .collect()
    }

    /// How many writes and deletes were acknowledged until now.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    fn with<T>(&self, name: u32, change: impl FnOnce(&mut Name) -> T) -> Option<T> {
        let stripe = self.stripes.get(name as usize % STRIPES)?;
        Some(change(locked(stripe).entry(name).or_default()))
    }
}

fn locked(stripe: &Mutex<HashMap<u32, Name>>) -> MutexGuard<'_, HashMap<u32, Name>> {
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}
