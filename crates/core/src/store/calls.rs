//! The one place where calls to a database run: each in a task of its own, unless the caller
//! is a task that no client drops.
//!
//! The future of a request is dropped when its client disconnects. A statement that is dropped midway
//! leaves its connection busy, and out of step with its next user. So a caller waits for its turn in
//! its own future; if it is dropped meanwhile, nothing was sent. A call that has begun runs to its
//! end.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::concurrency::own_thread;
use crate::error::{Error, Result};

/// Runs calls, as many at the same time as there may be connections.
pub(super) struct Calls {
    /// The store's runtime, which outlives those of the HTTP server's threads.
    runtime: Handle,
    /// Fair: first come, first served.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A caller that waits for its turn.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn begin(waiting: &AtomicUsize) -> Waits<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Calls({} free)", self.turns.available_permits())
    }
}

/// The right to run one call.
pub(super) struct Turn {
    runtime: Handle,
    permit: OwnedSemaphorePermit,
}

impl Calls {
    /// At most `max` calls at the same time, on the current runtime.
    pub(super) fn new(max: usize) -> Calls {
        Calls {
            runtime: Handle::current(),
            turns: Arc::new(Semaphore::new(max)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// How many callers wait for a turn.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a turn. A caller that is dropped meanwhile gives up its place.
    pub(super) async fn turn(&self) -> Result<Turn> {
        let waits = Waits::begin(&self.waiting);
        let permit = self.turns.clone().acquire_owned().await;
        drop(waits);
        Ok(Turn {
            runtime: self.runtime.clone(),
            permit: permit.map_err(|_| Error::Stopping)?,
        })
    }
}

impl Turn {
    /// Runs `call` to its end, even if the caller is dropped.
    pub(super) async fn run<T: Send + 'static>(
        self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let Turn { runtime, permit } = self;
        if own_thread::is_own() {
            let done = AssertUnwindSafe(call).catch_unwind().await;
            drop(permit);
            return done.map_err(|_| Error::Panicked);
        }
        let task = runtime.spawn(async move {
            let done = call.await;
            drop(permit);
            done
        });
        task.await.map_err(|_| Error::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_begun_call_runs_on_without_its_caller() {
        let calls = Calls::new(1);
        let (begun, ends, ended) = (
            Arc::new(Notify::new()),
            Arc::new(Notify::new()),
            Arc::new(Notify::new()),
        );
        let turn = calls.turn().await.unwrap();
        let (has_begun, may_end, has_ended) = (begun.clone(), ends.clone(), ended.clone());
        let call = turn.run(async move {
            has_begun.notify_one();
            may_end.notified().await;
            has_ended.notify_one();
        });
        tokio::select! {
            _ = call => panic!("it was not let go"),
            () = begun.notified() => {}
        }
        ends.notify_one();
        ended.notified().await;
        calls.turn().await.unwrap();
    }

    #[tokio::test]
    async fn a_thread_of_its_own_runs_its_calls_itself() {
        let calls = Calls::new(1);
        let thread = || std::thread::current().id();
        let (say, said) = tokio::sync::oneshot::channel();
        let task = async move {
            let turn = calls.turn().await.unwrap();
            let ran_on = turn.run(async move { thread() }).await.unwrap();
            calls.turn().await.unwrap();
            say.send(ran_on == thread()).unwrap();
        };
        own_thread::start("test", task).unwrap();
        assert!(said.await.unwrap());
    }

    #[tokio::test]
    async fn a_call_that_panics_ends_no_thread_of_its_own() {
        let calls = Calls::new(1);
        let (say, said) = tokio::sync::oneshot::channel();
        let task = async move {
            let turn = calls.turn().await.unwrap();
            let panicked = turn.run(async { panic!("as a defect does") }).await;
            assert!(matches!(panicked, Err::<(), _>(Error::Panicked)));
            calls.turn().await.unwrap();
            say.send(()).unwrap();
        };
        own_thread::start("test", task).unwrap().ended().await;
        said.await.unwrap();
    }

    #[tokio::test]
    async fn a_waiting_call_ends_with_its_caller() {
        let calls = Calls::new(1);
        let begun = AtomicUsize::new(0);
        let first = calls.turn().await.unwrap();
        for _ in 0..100 {
            tokio::select! {
                biased;
                _ = async { calls.turn().await.unwrap(); begun.fetch_add(1, Ordering::SeqCst) } => {}
                () = std::future::ready(()) => {}
            }
        }
        drop(first);
        calls.turn().await.unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_call_that_panics_gives_its_turn_back() {
        let calls = Calls::new(1);
        let turn = calls.turn().await.unwrap();
        let panicked = turn.run(async { panic!("as a defect does") }).await;
        assert!(matches!(panicked, Err::<(), _>(Error::Panicked)));
        let turn = calls.turn().await.unwrap();
        let other = tokio::time::timeout(std::time::Duration::ZERO, turn.run(pending::<()>()));
        assert!(other.await.is_err());
    }
}
