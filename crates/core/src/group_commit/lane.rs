//! One queue, and the loop that runs its batches.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::sync::{Notify, oneshot};
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::telemetry;

use super::{Commit, GroupCommitBounds};

/// What the queues of one [`super::GroupCommit`] have in common.
pub(super) struct Queues<C: Commit> {
    name: &'static str,
    bounds: GroupCommitBounds,
    committer: Arc<C>,
    /// Requests that wait in all queues.
    waiting: AtomicUsize,
    /// The loops of all queues.
    pub(super) running: TaskTracker,
}

impl<C: Commit> Queues<C> {
    pub(super) fn new(
        name: &'static str,
        bounds: GroupCommitBounds,
        committer: Arc<C>,
    ) -> Arc<Queues<C>> {
        Arc::new(Queues {
            name,
            bounds: GroupCommitBounds {
                batch_max: bounds.batch_max.max(1),
                waiting_max: bounds.waiting_max.max(1),
            },
            committer,
            waiting: AtomicUsize::new(0),
            running: TaskTracker::new(),
        })
    }

    /// Counts one more request that waits, if it may.
    fn admit(&self) -> Result<()> {
        let waiting = self.waiting.fetch_add(1, Ordering::AcqRel);
        if waiting < self.bounds.waiting_max {
            return Ok(());
        }
        self.leave(1);
        Err(Error::Overloaded)
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    fn leave(&self, requests: usize) {
        self.waiting.fetch_sub(requests, Ordering::AcqRel);
    }
}

type Caller<C> = oneshot::Sender<Result<<C as Commit>::Answer>>;

/// A queue.
pub(super) struct Lane<C: Commit> {
    queues: Arc<Queues<C>>,
    waiting: Mutex<Waiting<C>>,
    /// Something arrived at an empty queue, or it was closed.
    arrived: Notify,
}

/// Requests and their callers, in the same order.
struct Waiting<C: Commit> {
    requests: Vec<C::Request>,
    callers: Vec<Caller<C>>,
    is_closed: bool,
}

impl<C: Commit> Lane<C> {
    pub(super) fn new(queues: Arc<Queues<C>>) -> Arc<Lane<C>> {
        Arc::new(Lane {
            queues,
            waiting: Mutex::new(Waiting {
                requests: Vec::new(),
                callers: Vec::new(),
                is_closed: false,
            }),
            arrived: Notify::new(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<C>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request. The answer comes by the returned channel.
    pub(super) fn submit(
        &self,
        request: C::Request,
    ) -> Result<oneshot::Receiver<Result<C::Answer>>> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(Error::Stopping);
        }
        self.queues.admit()?;
        let (caller, answer) = oneshot::channel();
        let is_first = waiting.requests.is_empty();
        waiting.requests.push(request);
        waiting.callers.push(caller);
        drop(waiting);
        if is_first {
            self.arrived.notify_one();
        }
        Ok(answer)
    }

    /// Takes no more requests. The loop ends when the queue is empty.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.arrived.notify_one();
    }

    /// Runs the batches until the queue is closed and empty.
    pub(super) async fn run(self: Arc<Self>) {
        let lane = Abandoned(self);
        let lane = &lane.0;
        while let Some((requests, callers)) = lane.next().await {
            telemetry::batch_committed(lane.queues.name, C::size(&requests));
            let committed = AssertUnwindSafe(lane.queues.committer.commit(requests))
                .catch_unwind()
                .await;
            let answers = committed.unwrap_or_else(|_| {
                tracing::error!(
                    queue = lane.queues.name,
                    "a batch panicked; its writes have an unknown outcome"
                );
                Vec::new()
            });
            let answers = answers
                .into_iter()
                .chain(std::iter::repeat_with(|| Err(Error::Panicked)));
            for (caller, answer) in callers.into_iter().zip(answers) {
                // A caller that has gone away needs no answer.
                let _ = caller.send(answer);
            }
        }
    }

    /// Waits for a batch; `None` when none will come.
    async fn next(&self) -> Option<(Vec<C::Request>, Vec<Caller<C>>)> {
        loop {
            {
                let mut waiting = self.waiting();
                if !waiting.requests.is_empty() {
                    let batch = waiting.take(self.queues.bounds.batch_max);
                    self.queues.leave(batch.0.len());
                    return Some(batch);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }
}

impl<C: Commit> Waiting<C> {
    /// Takes the oldest requests, at most `max`.
    fn take(&mut self, max: usize) -> (Vec<C::Request>, Vec<Caller<C>>) {
        let length = self.requests.len().min(max);
        // The next batch is probably as large as this one.
        let mut requests = self.requests.split_off(length);
        let mut callers = self.callers.split_off(length);
        std::mem::swap(&mut self.requests, &mut requests);
        std::mem::swap(&mut self.callers, &mut callers);
        self.requests.reserve(length);
        self.callers.reserve(length);
        (requests, callers)
    }
}

/// Closes the queue when its loop ends, also where that is dropped: then the runtime of its
/// thread ends, with all callers.
struct Abandoned<C: Commit>(Arc<Lane<C>>);

impl<C: Commit> Drop for Abandoned<C> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.is_closed = true;
        self.0.queues.leave(waiting.requests.len());
        waiting.requests.clear();
        waiting.callers.clear();
    }
}
