//! One queue, and the loop that runs its batches.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use metrics::Histogram;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};
use crate::telemetry;

use super::answers::{Answer, Answers};
use super::{Commit, GroupCommitBounds};

/// What the queues of one [`super::GroupCommit`] have in common.
pub(super) struct Queues<C: Commit> {
    name: &'static str,
    bounds: GroupCommitBounds,
    committer: Arc<C>,
    /// Of batches.
    sizes: Histogram,
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
            sizes: telemetry::batch_sizes(name),
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
        let waiting = self.waiting.fetch_sub(requests, Ordering::AcqRel);
        debug_assert!(waiting >= requests, "what leaves has been counted");
    }
}

/// A queue.
pub(super) struct Lane<C: Commit> {
    queues: Arc<Queues<C>>,
    waiting: Mutex<Waiting<C>>,
    /// Something arrived at an empty queue, or it was closed.
    arrived: Notify,
}

/// What waits, as the batches in which it will go.
struct Waiting<C: Commit> {
    batches: VecDeque<Batch<C>>,
    /// How many requests the last batch had. The next one probably has as many.
    last: usize,
    is_closed: bool,
}

/// Requests and their answers, in the same order.
struct Batch<C: Commit> {
    requests: Vec<C::Request>,
    answers: Answers<C::Answer>,
}

impl<C: Commit> Lane<C> {
    pub(super) fn new(queues: Arc<Queues<C>>) -> Arc<Lane<C>> {
        Arc::new(Lane {
            queues,
            waiting: Mutex::new(Waiting {
                batches: VecDeque::new(),
                last: 0,
                is_closed: false,
            }),
            arrived: Notify::new(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<C>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request. Returns its answer.
    pub(super) fn submit(&self, request: C::Request) -> Result<Answer<C::Answer>> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(Error::Stopping);
        }
        self.queues.admit()?;
        let is_first = waiting.batches.is_empty();
        let answer = waiting.add(request, self.queues.bounds.batch_max);
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
        while let Some(Batch { requests, answers }) = lane.next().await {
            lane.queues.sizes.record(C::size(&requests) as f64);
            let committed = AssertUnwindSafe(lane.queues.committer.commit(requests))
                .catch_unwind()
                .await;
            answers.give(committed.unwrap_or_else(|_| {
                tracing::error!(
                    queue = lane.queues.name,
                    "a batch panicked; what it was to do has an unknown outcome"
                );
                Vec::new()
            }));
        }
    }

    /// Waits for a batch; `None` when none will come.
    async fn next(&self) -> Option<Batch<C>> {
        loop {
            {
                let mut waiting = self.waiting();
                if let Some(batch) = waiting.batches.pop_front() {
                    debug_assert!(
                        (1..=self.queues.bounds.batch_max).contains(&batch.requests.len()),
                        "a batch has its bound"
                    );
                    waiting.last = batch.requests.len();
                    self.queues.leave(batch.requests.len());
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
    /// Adds a request to the newest batch, or to another one where that has `batch_max` already.
    fn add(&mut self, request: C::Request, batch_max: usize) -> Answer<C::Answer> {
        match self.batches.back_mut() {
            Some(newest) if newest.requests.len() < batch_max => newest.add(request),
            _ => {
                let mut batch = Batch {
                    requests: Vec::with_capacity(self.last),
                    answers: Answers::with_room(self.last),
                };
                let answer = batch.add(request);
                self.batches.push_back(batch);
                answer
            }
        }
    }
}

impl<C: Commit> Batch<C> {
    fn add(&mut self, request: C::Request) -> Answer<C::Answer> {
        self.requests.push(request);
        self.answers.add()
    }
}

/// Closes the queue when its loop ends, also where that is dropped: then the runtime of its
/// thread ends, with all callers.
struct Abandoned<C: Commit>(Arc<Lane<C>>);

impl<C: Commit> Drop for Abandoned<C> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.is_closed = true;
        let requests = waiting.batches.iter().map(|batch| batch.requests.len());
        self.0.queues.leave(requests.sum());
        waiting.batches.clear();
    }
}
