//! Whether this process can take entries to the database: one that cannot leaves its shards
//! to others.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Store;

/// How often at most the time doubles after which shards are taken again.
const DOUBLINGS_MAX: u32 = 6;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Reach(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the oldest attempt began that failed, of those since the last one that succeeded.
    failing_since: Option<Instant>,
    /// How often the database has answered since then although attempts failed again.
    relapses: u32,
}

impl Reach {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database has taken something.
    pub(super) fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// An attempt that began then has failed because of the database.
    pub(super) fn failed(&self, began: Instant) {
        self.state().failing_since.get_or_insert(began);
    }

    /// Whether attempts fail for longer than `limit`.
    pub(super) fn is_lost(&self, limit: Duration) -> bool {
        let since = self.state().failing_since;
        since.is_some_and(|since| since.elapsed() > limit)
    }

    /// Where attempts fail for longer than `limit`, asks the database whether it takes writes
    /// again, for no longer than `patience`. After each time that it said so and attempts
    /// failed all the same, it is asked later: one that is asked and one that is
    /// written to may fail apart.
    pub(super) async fn ask_again(&self, store: &dyn Store, limit: Duration, patience: Duration) {
        let doublings = self.state().relapses.min(DOUBLINGS_MAX);
        if !self.is_lost(limit * 2_u32.pow(doublings)) {
            return;
        }
        let asked = tokio::time::timeout(patience, store.takes_writes()).await;
        if matches!(asked, Ok(Ok(()))) {
            let mut state = self.state();
            state.failing_since = None;
            state.relapses += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn only_attempts_that_fail_for_long_count() {
        let reach = Reach::default();
        reach.failed(Instant::now());
        tokio::time::advance(LIMIT).await;
        assert!(!reach.is_lost(LIMIT));
        reach.failed(Instant::now());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(reach.is_lost(LIMIT));
        reach.succeeded();
        assert!(!reach.is_lost(LIMIT));
        reach.failed(Instant::now());
        assert!(!reach.is_lost(LIMIT));
    }
}
