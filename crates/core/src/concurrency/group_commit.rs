//! Group commit: while one batch is on its way to something slow, what arrives
//! meanwhile gathers and goes together in the next one. (Gray and Reuter,
//! "Transaction Processing", 1993, section 9.4.) There is no timer, so a lone
//! request is not delayed.

mod answers;
pub mod gathered;
mod lane;
mod lanes;

use std::fmt::Debug;
use std::future::{Future, ready};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::Either;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::concurrency::worker;
use crate::error::Result;

use lane::{Lane, Queues};
use lanes::Lanes;

/// What is done with a batch.
#[async_trait]
pub trait Commit: Send + Sync + 'static {
    /// What a caller submits.
    type Request: Send + 'static;
    /// What it is answered.
    type Answer: Send + 'static;

    /// Does the whole batch; one answer for each request, in the same order.
    async fn commit(&self, batch: Vec<Self::Request>) -> Vec<Result<Self::Answer>>;

    /// The size of a batch, as the metrics count it.
    fn size(batch: &[Self::Request]) -> usize {
        batch.len()
    }
}

/// Queues in front of a [`Commit`]. One task runs the batches of a queue, one at a time.
///
/// A caller that is dropped changes nothing: what it submitted is done all the
/// same, and nothing that runs for others is cancelled.
pub struct GroupCommit<C: Commit> {
    queues: Arc<Queues<C>>,
    /// Of all callers that have none of their own.
    shared: Arc<Lane<C>>,
    /// Of workers.
    lanes: Option<Lanes<C>>,
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
    /// On the callers' threads: each [`worker`] has a queue of its own, and its batches run in a
    /// task there. Other callers share a queue. Batches of several queues run at the same time.
    OnWorkers,
}

/// The bounds of a [`GroupCommit`].
#[derive(Clone, Copy, Debug)]
pub struct GroupCommitBounds {
    /// Most requests in one batch.
    pub batch_max: usize,
    /// Most requests that wait for a batch, in all queues; more are refused.
    pub waiting_max: usize,
}

impl<C: Commit> GroupCommit<C> {
    /// Starts a queue. The returned task ends when [`GroupCommit::close`]
    /// was called and everything submitted before is done.
    pub fn start(
        name: &'static str,
        bounds: GroupCommitBounds,
        runs: Runs,
        committer: Arc<C>,
    ) -> (GroupCommit<C>, JoinHandle<()>) {
        let queues = Queues::new(name, bounds, committer);
        let shared = Lane::new(queues.clone());
        let batches = queues.running.track_future(shared.clone().run());
        match runs {
            Runs::InTask | Runs::OnWorkers => drop(tokio::spawn(batches)),
            Runs::OnThread => {
                let runtime = Handle::current();
                drop(tokio::task::spawn_blocking(move || {
                    runtime.block_on(batches);
                }));
            }
        }
        let running = queues.running.clone();
        let done = tokio::spawn(async move { running.wait().await });
        let group = GroupCommit {
            queues,
            shared,
            lanes: (runs == Runs::OnWorkers).then(Lanes::default),
        };
        (group, done)
    }

    /// Puts a request into the next batch and waits for its answer.
    ///
    /// # Errors
    /// [`crate::error::Error::Overloaded`] when as many wait as may; [`crate::error::Error::Stopping`]
    /// after [`GroupCommit::close`]; otherwise what the batch answered.
    pub fn submit(
        &self,
        request: C::Request,
    ) -> impl Future<Output = Result<C::Answer>> + Send + use<C> {
        let submitted = match &self.lanes {
            Some(lanes) if worker::is_here() => lanes.submit(&self.queues, request),
            _ => self.shared.submit(request),
        };
        match submitted {
            Ok(answer) => Either::Left(answer),
            Err(refused) => Either::Right(ready(Err(refused))),
        }
    }

    /// Takes no more requests.
    pub fn close(&self) {
        self.shared.close();
        if let Some(lanes) = &self.lanes {
            lanes.close();
        }
        self.queues.running.close();
    }
}

impl<C: Commit> Drop for GroupCommit<C> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::collections::HashSet;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{self, ThreadId};
    use std::time::Duration;
    use tokio::sync::{Semaphore, mpsc, oneshot};

    /// Answers each number with its batch's size, when the gate lets it through.
    struct Gated {
        gate: Semaphore,
        sizes: Mutex<Vec<usize>>,
        begun: AtomicUsize,
        threads: Mutex<Vec<ThreadId>>,
    }

    impl Gated {
        fn new(open: usize) -> Arc<Gated> {
            Arc::new(Gated {
                gate: Semaphore::new(open),
                sizes: Mutex::default(),
                begun: AtomicUsize::new(0),
                threads: Mutex::default(),
            })
        }
    }

    #[async_trait]
    impl Commit for Gated {
        type Request = u32;
        type Answer = u32;

        async fn commit(&self, batch: Vec<u32>) -> Vec<Result<u32>> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.threads.lock().unwrap().push(thread::current().id());
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
        let committer = Gated::new(open);
        let (group, task) = GroupCommit::start("test", bounds, Runs::InTask, committer.clone());
        (committer, group, task)
    }

    const BOUNDS: GroupCommitBounds = GroupCommitBounds {
        batch_max: 4,
        waiting_max: 10,
    };

    /// A worker's thread with its runtime, until this is dropped.
    struct Worker {
        work: Option<mpsc::UnboundedSender<Pin<Box<dyn Future<Output = ()> + Send>>>>,
        thread: Option<thread::JoinHandle<()>>,
    }

    impl Worker {
        fn start() -> Worker {
            let (sender, mut work) = mpsc::unbounded_channel();
            let thread = thread::spawn(move || {
                worker::enter();
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().unwrap();
                runtime.block_on(async move {
                    while let Some(work) = work.recv().await {
                        drop(tokio::spawn(work));
                    }
                });
            });
            Worker {
                work: Some(sender),
                thread: Some(thread),
            }
        }

        fn submit(
            &self,
            group: &Arc<GroupCommit<Gated>>,
            number: u32,
        ) -> oneshot::Receiver<Result<u32>> {
            let (group, (sender, answer)) = (group.clone(), oneshot::channel());
            let work = Box::pin(async move {
                let _ = sender.send(group.submit(number).await);
            });
            self.work.as_ref().unwrap().send(work).unwrap();
            answer
        }
    }

    impl Drop for Worker {
        fn drop(&mut self) {
            self.work.take();
            self.thread.take().unwrap().join().unwrap();
        }
    }

    async fn until(holds: impl Fn() -> bool) {
        let holds = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), holds)
            .await
            .unwrap();
    }

    async fn until_taken(committer: &Gated, batches: usize) {
        until(|| committer.begun.load(Ordering::SeqCst) == batches).await;
    }

    fn on_workers(
        open: usize,
        bounds: GroupCommitBounds,
    ) -> (Arc<Gated>, Arc<GroupCommit<Gated>>, JoinHandle<()>) {
        let committer = Gated::new(open);
        let (group, task) = GroupCommit::start("test", bounds, Runs::OnWorkers, committer.clone());
        (committer, Arc::new(group), task)
    }

    #[tokio::test]
    async fn each_worker_and_the_others_have_batches_under_way() {
        let (committer, group, task) = on_workers(0, BOUNDS);
        let (one, other) = (Worker::start(), Worker::start());
        let answers = [one.submit(&group, 1), other.submit(&group, 2)];
        let shared = group.submit(3);
        until_taken(&committer, 3).await;
        let next = [one.submit(&group, 4), one.submit(&group, 5)];
        committer.gate.add_permits(3);
        assert_eq!(shared.await.unwrap(), 6);
        for (answer, expected) in answers.into_iter().zip([2, 4]) {
            assert_eq!(answer.await.unwrap().unwrap(), expected);
        }
        group.close();
        committer.gate.add_permits(100);
        for answer in next {
            answer.await.unwrap().unwrap();
        }
        task.await.unwrap();
        let threads = committer.threads.lock().unwrap();
        assert_eq!(threads.iter().collect::<HashSet<_>>().len(), 3);
    }

    #[tokio::test]
    async fn the_bound_on_what_waits_is_over_all_queues() {
        let (committer, group, _task) = on_workers(0, BOUNDS);
        let (one, other) = (Worker::start(), Worker::start());
        let begun = [one.submit(&group, 1), other.submit(&group, 2)];
        until_taken(&committer, 2).await;
        let wait = |worker: &Worker| -> Vec<_> {
            (20..25)
                .map(|number| worker.submit(&group, number))
                .collect()
        };
        let waiting = wait(&one).into_iter().chain(wait(&other));
        let waiting: Vec<_> = waiting.collect();
        until(|| group.queues.waiting() == 10).await;
        let last = [one.submit(&group, 9), other.submit(&group, 9)];
        for refused in last {
            assert!(matches!(refused.await.unwrap(), Err(Error::Overloaded)));
        }
        assert!(matches!(group.submit(9).await, Err(Error::Overloaded)));
        committer.gate.add_permits(100);
        for answer in begun.into_iter().chain(waiting) {
            answer.await.unwrap().unwrap();
        }
        assert_eq!(one.submit(&group, 7).await.unwrap().unwrap(), 14);
    }

    #[tokio::test]
    async fn a_worker_that_ends_takes_its_queue_with_it() {
        let (committer, group, task) = on_workers(0, BOUNDS);
        let worker = Worker::start();
        let cut_off = worker.submit(&group, 1);
        until_taken(&committer, 1).await;
        let waits = worker.submit(&group, 2);
        drop(worker);
        assert!(cut_off.await.is_err() && waits.await.is_err());
        committer.gate.add_permits(100);
        let next = Worker::start();
        let accepted: Vec<_> = (20..30).map(|number| next.submit(&group, number)).collect();
        for answer in accepted {
            answer.await.unwrap().unwrap();
        }
        group.close();
        task.await.unwrap();
        assert!(matches!(
            next.submit(&group, 3).await.unwrap(),
            Err(Error::Stopping)
        ));
        assert!(matches!(
            Worker::start().submit(&group, 3).await.unwrap(),
            Err(Error::Stopping)
        ));
    }

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
    async fn a_dropped_caller_changes_nothing_for_the_others() {
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
