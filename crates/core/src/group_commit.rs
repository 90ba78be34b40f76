//! Group commit: while one batch is on its way to something slow, what arrives
//! meanwhile gathers and goes together in the next one. (Gray and Reuter,
//! "Transaction Processing", 1993, section 9.4.) There is no timer, so a lone
//! request is not delayed.

use std::fmt::Debug;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::telemetry;

/// What is done with a batch.
#[async_trait]
pub trait Commit: Send + Sync + 'static {
    /// What a caller submits.
    type Request: Send + 'static;
    /// What it is answered.
    type Answer: Send + 'static;

    /// Does the whole batch; one answer for each request, in the same order.
    async fn commit(&self, batch: Vec<Self::Request>) -> Vec<Result<Self::Answer>>;
}

type Waiting<C> = (
    <C as Commit>::Request,
    oneshot::Sender<Result<<C as Commit>::Answer>>,
);

/// A queue in front of a [`Commit`], whose batches one task runs one at a time.
///
/// A caller that goes away changes nothing: what it submitted is done all the
/// same, and nothing that runs for others is cancelled.
pub struct GroupCommit<C: Commit> {
    queue: RwLock<Option<mpsc::Sender<Waiting<C>>>>,
}

impl<C: Commit> Debug for GroupCommit<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GroupCommit")
            .finish_non_exhaustive()
    }
}

/// Where the batches run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// In a task, since they wait for a server.
    InTask,
    /// On a thread of their own, since they block it; so that no batch is handed
    /// from thread to thread and back.
    OnThread,
}

/// The bounds of a [`GroupCommit`].
#[derive(Clone, Copy, Debug)]
pub struct GroupCommitBounds {
    /// Most requests in one batch.
    pub batch_max: usize,
    /// Most requests that wait for a batch; more are refused.
    pub waiting_max: usize,
}

impl<C: Commit> GroupCommit<C> {
    /// Starts the task that runs the batches; it ends when [`GroupCommit::close`]
    /// was called and everything submitted before is done.
    pub fn start(
        name: &'static str,
        bounds: GroupCommitBounds,
        runs: Runs,
        committer: Arc<C>,
    ) -> (GroupCommit<C>, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(bounds.waiting_max.max(1));
        let batches = run(name, bounds.batch_max.max(1), committer, receiver);
        let task = match runs {
            Runs::InTask => tokio::spawn(batches),
            Runs::OnThread => {
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || runtime.block_on(batches))
            }
        };
        (
            GroupCommit {
                queue: RwLock::new(Some(sender)),
            },
            task,
        )
    }

    /// Puts a request into the next batch and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when as many wait as may; [`Error::Stopping`]
    /// after [`GroupCommit::close`]; otherwise what the batch answered.
    pub fn submit(
        &self,
        request: C::Request,
    ) -> impl Future<Output = Result<C::Answer>> + Send + use<C> {
        let submitted = self.enqueue(request);
        async move { submitted?.await.unwrap_or(Err(Error::Panicked)) }
    }

    fn enqueue(&self, request: C::Request) -> Result<oneshot::Receiver<Result<C::Answer>>> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or(Error::Stopping)?;
        let (sender, receiver) = oneshot::channel();
        queue
            .try_send((request, sender))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => Error::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Error::Stopping,
            })?;
        Ok(receiver)
    }

    /// Takes no more requests.
    pub fn close(&self) {
        self.queue
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

async fn run<C: Commit>(
    name: &'static str,
    batch_max: usize,
    committer: Arc<C>,
    mut queue: mpsc::Receiver<Waiting<C>>,
) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, batch_max).await > 0 {
        telemetry::batch_committed(name, waiting.len());
        let (requests, callers): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let committed = AssertUnwindSafe(committer.commit(requests))
            .catch_unwind()
            .await;
        let answers = committed.unwrap_or_else(|_| {
            tracing::error!(
                queue = name,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::sync::Semaphore;

    /// Answers each number with its batch's size, when the gate lets it through.
    struct Gated {
        gate: Semaphore,
        sizes: Mutex<Vec<usize>>,
    }

    #[async_trait]
    impl Commit for Gated {
        type Request = u32;
        type Answer = u32;

        async fn commit(&self, batch: Vec<u32>) -> Vec<Result<u32>> {
            self.gate.acquire().await.unwrap().forget();
            self.sizes.lock().unwrap().push(batch.len());
            assert!(!batch.contains(&13), "a bad batch");
            batch.into_iter().map(|number| Ok(number * 2)).collect()
        }
    }

    fn gated(
        open: usize,
        bounds: GroupCommitBounds,
    ) -> (Arc<Gated>, GroupCommit<Gated>, JoinHandle<()>) {
        let committer = Arc::new(Gated {
            gate: Semaphore::new(open),
            sizes: Mutex::default(),
        });
        let (group, task) = GroupCommit::start("test", bounds, Runs::InTask, committer.clone());
        (committer, group, task)
    }

    const BOUNDS: GroupCommitBounds = GroupCommitBounds {
        batch_max: 4,
        waiting_max: 10,
    };

    #[tokio::test]
    async fn what_arrives_while_a_batch_is_out_goes_together_in_the_next() {
        let (committer, group, _task) = gated(0, BOUNDS);
        let first = group.submit(1);
        tokio::task::yield_now().await; // the task takes the first one alone
        let rest: Vec<_> = (2..9).map(|number| group.submit(number)).collect();
        committer.gate.add_permits(100);
        assert_eq!(first.await.unwrap(), 2);
        let answers = futures_util::future::join_all(rest).await;
        let answers: Vec<u32> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (2..9).map(|number| number * 2).collect::<Vec<_>>());
        assert_eq!(*committer.sizes.lock().unwrap(), [1, 4, 3]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_closed_one_finishes_what_it_has() {
        let (committer, group, task) = gated(0, BOUNDS);
        let accepted: Vec<_> = (20..30).map(|number| group.submit(number)).collect();
        assert!(matches!(group.submit(99).await, Err(Error::Overloaded)));
        group.close();
        assert!(matches!(group.submit(99).await, Err(Error::Stopping)));
        committer.gate.add_permits(100);
        for answer in futures_util::future::join_all(accepted).await {
            answer.unwrap();
        }
        task.await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_changes_nothing_for_the_others() {
        let (committer, group, _task) = gated(100, BOUNDS);
        drop(group.submit(1));
        assert_eq!(group.submit(2).await.unwrap(), 4);
        assert_eq!(committer.sizes.lock().unwrap().iter().sum::<usize>(), 2);
    }

    #[tokio::test]
    async fn a_panic_answers_its_batch_and_spares_the_next() {
        let (_committer, group, _task) = gated(100, BOUNDS);
        assert!(matches!(group.submit(13).await, Err(Error::Panicked)));
        assert_eq!(group.submit(2).await.unwrap(), 4);
    }
}
