//! The record of what many clients do at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::check::{Budget, check_since};
use super::operation::{Nanos, Operation, Outcome};

/// All operations on some names, on one clock.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    forgotten_until: AtomicU64,
    names: Vec<(String, Mutex<Vec<Operation>>)>,
}

impl Recorder {
    /// An empty record of these names.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Recorder {
            began: Instant::now(),
            forgotten_until: AtomicU64::new(0),
            names: names
                .into_iter()
                .map(|name| (name, Mutex::default()))
                .collect(),
        }
    }

    /// The instant. Take it before an operation is sent, and again when its answer has come.
    pub fn now(&self) -> Nanos {
        self.began.elapsed().as_nanos() as Nanos
    }

    /// How many names there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// A name, by its place.
    pub fn name(&self, place: usize) -> &str {
        &self.names[place].0
    }

    /// Notes an operation on the name at this place, when it is over.
    pub fn note(&self, place: usize, operation: Operation) {
        self.operations_of(place).push(operation);
    }

    /// Says nothing any more of what was invoked before this instant, as [`check_since`] has it.
    pub fn forget(&self) {
        self.forgotten_until.store(self.now(), Ordering::Relaxed);
    }

    /// How many operations there are of which something holds.
    pub fn how_many(&self, holds: impl Fn(&Operation) -> bool) -> usize {
        let counts = (0..self.count()).map(|place| {
            let operations = self.operations_of(place);
            operations
                .iter()
                .filter(|operation| holds(operation))
                .count()
        });
        counts.sum()
    }

    /// How many operations had each outcome.
    pub fn summary(&self) -> String {
        let of =
            |wanted: fn(&Outcome) -> bool| self.how_many(|operation| wanted(&operation.outcome));
        format!(
            "{} reads, {} writes done, {} without their condition, {} failed, {} unknown",
            of(|outcome| matches!(outcome, Outcome::Saw(_))),
            of(|outcome| matches!(outcome, Outcome::Done(_))),
            of(|outcome| matches!(outcome, Outcome::NotMet)),
            of(|outcome| matches!(outcome, Outcome::Failed)),
            of(|outcome| matches!(outcome, Outcome::Unknown)),
        )
    }

    /// Fails the test when the history of any name is wrong, or takes too much to judge.
    ///
    /// # Panics
    ///
    /// With all that was found.
    #[track_caller]
    pub fn expect_linearizable(&self) {
        // When all are noted: those that were under way then were invoked before, too.
        let forgotten_until = self.forgotten_until.load(Ordering::Relaxed);
        let mut found = String::new();
        for place in 0..self.count() {
            let operations = self.operations_of(place);
            for finding in check_since(forgotten_until, &operations, Budget::default()) {
                found += &format!("\n{}: {finding}", self.name(place));
            }
        }
        assert!(found.is_empty(), "{found}");
    }

    fn operations_of(&self, place: usize) -> MutexGuard<'_, Vec<Operation>> {
        let operations = self.names[place].1.lock();
        operations.unwrap_or_else(PoisonError::into_inner)
    }
}
