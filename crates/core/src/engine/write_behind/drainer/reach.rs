//! Whether this process can take entries to the database. A process that cannot leaves its shards to
//! others (`docs/design/leases.md`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Store;

/// How often at most the time until the next probe doubles.
const DOUBLINGS_MAX: u32 = 6;

/// How the drains of this process have ended lately.
#[derive(Debug, Default)]
pub(super) struct Reach(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the first failed attempt since the last success began.
    failing_since: Option<Instant>,
    /// How many probes have succeeded since then, after each of which attempts failed again.
    relapses: u32,
}

impl Reach {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the database has taken something. Returns whether attempts had failed before.
    pub(super) fn succeeded(&self) -> bool {
        let before = std::mem::take(&mut *self.state());
        before.failing_since.is_some()
    }

    /// Notes that an attempt that `began` then has failed because of the database.
    pub(super) fn failed(&self, began: Instant) {
        self.state().failing_since.get_or_insert(began);
    }

    /// Whether attempts have failed for longer than `limit`.
    pub(super) fn is_lost(&self, limit: Duration) -> bool {
        let since = self.state().failing_since;
        since.is_some_and(|since| since.elapsed() > limit)
    }

    /// Probes whether the database takes writes again, if attempts have failed for longer than
    /// `limit`. A probe ends after `wait_timeout`. A probe may succeed where a drain fails: after each
    /// probe of that kind, the next one comes later.
    pub(super) async fn ask_again(
        &self,
        store: &dyn Store,
        limit: Duration,
        wait_timeout: Duration,
    ) {
        let doublings = self.state().relapses.min(DOUBLINGS_MAX);
        if !self.is_lost(limit * 2_u32.pow(doublings)) {
            return;
        }
        let asked = tokio::time::timeout(wait_timeout, store.takes_writes()).await;
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
        assert!(reach.succeeded() && !reach.succeeded());
        assert!(!reach.is_lost(LIMIT));
        reach.failed(Instant::now());
        assert!(!reach.is_lost(LIMIT));
    }
}
