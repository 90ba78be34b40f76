//! Which writes go together in a batch, and when it begins.
//!
//! Several batches may be under way: one begins while another is being committed, so that
//! neither the database nor the cache waits for the other. No two batches under way have a name
//! in common. Writes of a name wait for the batch that has the name, and then go together in
//! the next batch. So several writes become one row, and no two statements wait for each
//! other's rows. `docs/design/write-through-batches.md` has the reasons.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;

use crate::concurrency::group_commit::{Commit, GroupCommitBounds};
use crate::error::{Error, Result};
use crate::model::decision::Decision;
use crate::model::record::{Key, Write};
use crate::telemetry;

use super::flow::Flow;
use super::queue::{Queue, Waiting};

/// The queue's name in logs and metrics.
const NAME: &str = "write-through";

/// The queue in front of the batches.
///
/// The write of a caller that is dropped is done all the same.
#[derive(Debug)]
pub(super) struct Batches(Arc<Queue>);

impl Batches {
    /// Returns the queue, and the task that runs its batches, at most `at_once` at the same time.
    /// The task ends when [`Batches::close`] was called and all writes submitted before are done.
    pub(super) fn new<C: Commit<Request = Write, Answer = Decision>>(
        bounds: GroupCommitBounds,
        at_once: usize,
        committer: Arc<C>,
    ) -> (Batches, impl Future<Output = ()> + Send + use<C>) {
        let queue = Arc::new(Queue::new(bounds.waiting_max.max(1)));
        let running = Running {
            committer,
            queue: queue.clone(),
            batch_max: bounds.batch_max.max(1),
            gathering: VecDeque::new(),
            names: HashMap::new(),
            flow: Flow::new(at_once.max(1)),
            under_way: FuturesUnordered::new(),
        };
        (Batches(queue), running.run())
    }

    /// Puts a write into a batch and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when as many writes wait as may; [`Error::Stopping`] after
    /// [`Batches::close`]; otherwise the error that the batch answered.
    pub(super) async fn submit(&self, write: Write) -> Result<Decision> {
        self.queue(write)?.await.unwrap_or(Err(Error::Panicked))
    }

    /// Puts a write into a batch. The answer comes later. If the batches have ended, the
    /// receiver fails.
    ///
    /// # Errors
    /// As [`Batches::submit`].
    pub(super) fn queue(&self, write: Write) -> Result<oneshot::Receiver<Result<Decision>>> {
        let (caller, answer) = oneshot::channel();
        self.0.push(Waiting { write, caller })?;
        Ok(answer)
    }

    /// Takes no more writes.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.close();
    }
}

/// A batch that has ended.
struct Ended {
    names: Vec<Key>,
    callers: Vec<oneshot::Sender<Result<Decision>>>,
    answers: Vec<Result<Decision>>,
}

/// The batches, and the writes that are in none yet.
struct Running<C> {
    committer: Arc<C>,
    queue: Arc<Queue>,
    batch_max: usize,
    /// The writes of names that are not under way, and that are in no batch yet.
    gathering: VecDeque<Waiting>,
    /// The names that are under way, and the writes that wait for each.
    names: HashMap<Key, Vec<Waiting>>,
    flow: Flow,
    under_way: FuturesUnordered<BoxFuture<'static, Ended>>,
}

impl<C: Commit<Request = Write, Answer = Decision>> Running<C> {
    async fn run(mut self) {
        loop {
            let (arrived, is_closed) = self.queue.take();
            arrived.into_iter().for_each(|waiting| self.gather(waiting));
            self.begin();
            if is_closed && self.under_way.is_empty() {
                return;
            }
            if !self.queue.wait_for(self.flow.wanted()) {
                continue;
            }
            tokio::select! {
                biased;
                Some(ended) = self.under_way.next() => self.release(ended),
                () = self.queue.arrived() => {}
            }
        }
    }

    fn gather(&mut self, waiting: Waiting) {
        self.flow.arrived();
        match self.names.get_mut(&waiting.write.key) {
            Some(behind) => behind.push(waiting),
            None => self.gathering.push_back(waiting),
        }
    }

    fn begin(&mut self) {
        while !self.gathering.is_empty() && self.flow.may_begin() {
            let count = self.gathering.len().min(self.batch_max);
            let batch: Vec<Waiting> = self.gathering.drain(..count).collect();
            self.flow.began(count);
            self.queue.left(count);
            self.start(batch);
        }
    }

    fn start(&mut self, batch: Vec<Waiting>) {
        let names: HashSet<Key> = batch.iter().map(|one| one.write.key.clone()).collect();
        let names: Vec<Key> = names.into_iter().collect();
        for name in &names {
            self.names.insert(name.clone(), Vec::new());
        }
        // A full batch leaves writes behind, some of them of the batch's own names.
        for waiting in std::mem::take(&mut self.gathering) {
            match self.names.get_mut(&waiting.write.key) {
                Some(behind) => behind.push(waiting),
                None => self.gathering.push_back(waiting),
            }
        }
        telemetry::batch_committed(NAME, batch.len());
        let (writes, callers) = batch.into_iter().map(|one| (one.write, one.caller)).unzip();
        let committer = self.committer.clone();
        let batch = async move {
            let committed = AssertUnwindSafe(committer.commit(writes)).catch_unwind();
            let answers = committed.await.unwrap_or_else(|_| {
                tracing::error!(
                    queue = NAME,
                    "a batch panicked; its writes have an unknown outcome"
                );
                Vec::new()
            });
            Ended {
                names,
                callers,
                answers,
            }
        };
        self.under_way.push(batch.boxed());
    }

    /// Answers the batch's callers, and lets the writes that waited for its names gather.
    fn release(&mut self, ended: Ended) {
        self.flow.ended(ended.callers.len());
        for name in &ended.names {
            self.gathering
                .extend(self.names.remove(name).into_iter().flatten());
        }
        let answers = ended.answers.into_iter();
        let answers = answers.chain(std::iter::repeat_with(|| Err(Error::Panicked)));
        for (caller, answer) in ended.callers.into_iter().zip(answers) {
            // A caller that was dropped needs no answer.
            let _ = caller.send(answer);
        }
    }
}

/// Drops the writes in the queue, so that no caller waits for a task that has ended.
impl<C> Drop for Running<C> {
    fn drop(&mut self) {
        self.queue.close();
        drop(self.queue.take());
    }
}

#[cfg(test)]
mod tests;
