//! Two steps: what workers have gathered goes as a whole to one thread, which commits it together. Two
//! threads are woken for a worker's batch, however many requests it has.

use std::iter::repeat_with;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

use super::{Commit, GroupCommit, GroupCommitBounds, Runs};

/// The queues of workers, whose batches run one at a time on a thread of their own.
pub type GatheredCommit<C> = GroupCommit<Gathered<C>>;

/// Starts the queues. The returned task ends after [`GroupCommit::close`], when everything submitted
/// before is done.
pub fn start<C: Commit>(
    name: &'static str,
    bounds: GroupCommitBounds,
    committer: Arc<C>,
) -> (GatheredCommit<C>, JoinHandle<()>) {
    let together = Together {
        committer,
        batch_max: bounds.batch_max,
    };
    let (thread, thread_done) =
        GroupCommit::start(name, bounds, Runs::OnThread, Arc::new(together));
    let thread = Arc::new(thread);
    let gathered = Arc::new(Gathered {
        thread: thread.clone(),
    });
    let (group, gathered_done) = GroupCommit::start("workers", bounds, Runs::OnWorkers, gathered);
    let done = tokio::spawn(async move {
        let _ = gathered_done.await;
        thread.close();
        let _ = thread_done.await;
    });
    (group, done)
}

/// Hands a worker's batch to the thread.
#[derive(Debug)]
pub struct Gathered<C: Commit> {
    thread: Arc<GroupCommit<Together<C>>>,
}

#[async_trait]
impl<C: Commit> Commit for Gathered<C> {
    type Request = C::Request;
    type Answer = C::Answer;

    async fn commit(&self, batch: Vec<C::Request>) -> Vec<Result<C::Answer>> {
        let requests = batch.len();
        let answers = self.thread.submit(batch).await;
        answers.unwrap_or_else(|error| repeat_with(|| Err(error.clone())).take(requests).collect())
    }
}

/// Commits the batches of several workers as one.
struct Together<C> {
    committer: Arc<C>,
    batch_max: usize,
}

#[async_trait]
impl<C: Commit> Commit for Together<C> {
    type Request = Vec<C::Request>;
    type Answer = Vec<Result<C::Answer>>;

    fn size(gathered: &[Vec<C::Request>]) -> usize {
        gathered.iter().map(Vec::len).sum()
    }

    async fn commit(&self, gathered: Vec<Vec<C::Request>>) -> Vec<Result<Vec<Result<C::Answer>>>> {
        let sizes: Vec<usize> = gathered.iter().map(Vec::len).collect();
        let mut answers = Vec::with_capacity(sizes.iter().sum());
        let mut batch: Vec<C::Request> = Vec::new();
        for mut requests in gathered {
            debug_assert!(
                requests.len() <= self.batch_max,
                "a worker's batch has the same bound"
            );
            if !batch.is_empty() && batch.len() + requests.len() > self.batch_max {
                answers.append(&mut self.commit_whole(std::mem::take(&mut batch)).await);
            }
            batch.append(&mut requests);
        }
        answers.append(&mut self.commit_whole(batch).await);
        let mut answers = answers.into_iter();
        let of_each = sizes.into_iter();
        of_each
            .map(|size| Ok(answers.by_ref().take(size).collect()))
            .collect()
    }
}

impl<C: Commit> Together<C> {
    /// As many answers as requests.
    async fn commit_whole(&self, batch: Vec<C::Request>) -> Vec<Result<C::Answer>> {
        let requests = batch.len();
        let answers = self.committer.commit(batch).await.into_iter();
        let missing = repeat_with(|| Err(Error::Panicked));
        answers.chain(missing).take(requests).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::Mutex;

    /// Answers each number with its double, but one too few.
    #[derive(Default)]
    struct Doubling(Mutex<Vec<Vec<u32>>>);

    #[async_trait]
    impl Commit for Doubling {
        type Request = u32;
        type Answer = u32;

        async fn commit(&self, batch: Vec<u32>) -> Vec<Result<u32>> {
            self.0.lock().unwrap().push(batch.clone());
            let few = batch.len() - usize::from(batch.contains(&13));
            batch
                .into_iter()
                .take(few)
                .map(|number| Ok(number * 2))
                .collect()
        }
    }

    fn numbers(answers: Vec<Result<Vec<Result<u32>>>>) -> Vec<Vec<Option<u32>>> {
        let of_each = answers.into_iter().map(Result::unwrap);
        of_each
            .map(|answers| answers.into_iter().map(Result::ok).collect())
            .collect()
    }

    #[tokio::test]
    async fn batches_go_together_as_far_as_they_fit() {
        let together = Together {
            committer: Arc::new(Doubling::default()),
            batch_max: 4,
        };
        let gathered = vec![vec![1, 2, 3], vec![4], vec![5, 13], vec![7, 8, 9, 10]];
        let answers = together.commit(gathered).await;
        let some = |numbers: &[u32]| numbers.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(
            numbers(answers),
            [
                some(&[2, 4, 6]),
                some(&[8]),
                vec![Some(10), None],
                some(&[14, 16, 18, 20])
            ]
        );
        let batches = together.committer.0.lock().unwrap();
        assert_eq!(*batches, [vec![1, 2, 3, 4], vec![5, 13], vec![7, 8, 9, 10]]);
    }

    #[tokio::test]
    async fn a_closed_queue_hands_over_what_it_has() {
        let bounds = GroupCommitBounds {
            batch_max: 4,
            waiting_max: 100,
        };
        let (group, done) = start("test", bounds, Arc::new(Doubling::default()));
        let submitted: Vec<_> = (20..60).map(|number| group.submit(number)).collect();
        group.close();
        done.await.unwrap();
        let answers: Result<Vec<u32>> = join_all(submitted).await.into_iter().collect();
        let doubled: Vec<u32> = (20..60).map(|number| number * 2).collect();
        assert_eq!(answers.unwrap(), doubled);
    }
}
