use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::*;
use crate::concurrency::own_thread;
use crate::model::version::Version;

const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 8,
    waiting_max: 10,
};

/// Ends each batch when the gate lets it through.
struct Gated {
    gate: Semaphore,
    begun: Mutex<Vec<Vec<Key>>>,
    under_way: Mutex<Vec<Key>>,
}

#[async_trait]
impl Commit for Gated {
    type Request = Write;
    type Answer = Decision;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Decision>> {
        let keys: Vec<Key> = batch.iter().map(|write| write.key.clone()).collect();
        {
            let mut under_way = self.under_way.lock().unwrap();
            let is_twice = keys.iter().any(|key| under_way.contains(key));
            assert!(!is_twice, "two batches have a name in common");
            under_way.extend(keys.iter().cloned());
        }
        self.begun.lock().unwrap().push(keys.clone());
        self.gate.acquire().await.unwrap().forget();
        let is_over = |key: &Key| keys.contains(key);
        self.under_way.lock().unwrap().retain(|key| !is_over(key));
        assert!(!keys.contains(&Key::from("bad")), "a bad batch");
        vec![Ok(written()); keys.len()]
    }
}

fn written() -> Decision {
    Decision::Written(Version::ZERO)
}

impl Gated {
    fn begun(&self) -> Vec<Vec<String>> {
        let begun = self.begun.lock().unwrap();
        let names = |batch: &Vec<Key>| batch.iter().map(|key| key.as_str().to_owned()).collect();
        begun.iter().map(names).collect()
    }
}

fn gated(at_once: usize) -> (Arc<Gated>, Arc<Batches>, JoinHandle<()>) {
    let committer = Arc::new(Gated {
        gate: Semaphore::new(0),
        begun: Mutex::default(),
        under_way: Mutex::default(),
    });
    let (batches, running) = Batches::new(BOUNDS, at_once, committer.clone());
    (committer, Arc::new(batches), tokio::spawn(running))
}

/// Submits writes in tasks. Returns when all of them are in the queue or in a batch.
async fn submit(batches: &Arc<Batches>, names: &[&str]) -> Vec<JoinHandle<Result<Decision>>> {
    let submit = |name: &&str| {
        let write = Write::put(Key::from(*name), Bytes::new());
        let batches = batches.clone();
        tokio::spawn(async move { batches.submit(write).await })
    };
    let submitted = names.iter().map(submit).collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    submitted
}

async fn all_are_written(writes: Vec<JoinHandle<Result<Decision>>>) {
    for write in writes {
        write.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_share_of_the_writes_begins_beside_a_batch() {
    let (committer, batches, _task) = gated(2);
    let mut writes = submit(&batches, &["a", "b", "c", "d"]).await;
    writes.extend(submit(&batches, &["e"]).await);
    assert_eq!(committer.begun().len(), 1, "one is no share of five");
    writes.extend(submit(&batches, &["f", "g", "h"]).await);
    assert_eq!(committer.begun()[1..], [["e", "f", "g", "h"]]);
    writes.extend(submit(&batches, &["i", "j", "k", "l"]).await);
    assert_eq!(committer.begun().len(), 2, "as many as may are under way");
    committer.gate.add_permits(100);
    all_are_written(writes).await;
}

#[tokio::test]
async fn what_gathers_begins_when_no_batch_is_under_way() {
    let (committer, batches, _task) = gated(2);
    let mut writes = submit(&batches, &["a", "b", "c", "d"]).await;
    writes.extend(submit(&batches, &["e"]).await);
    committer.gate.add_permits(1);
    all_are_written(writes.drain(..4).collect()).await;
    submit(&batches, &[]).await;
    assert_eq!(committer.begun()[1..], [["e"]]);
    committer.gate.add_permits(1);
    all_are_written(writes).await;
}

#[tokio::test]
async fn writes_of_a_name_under_way_go_together_afterwards() {
    let (committer, batches, _task) = gated(3);
    let mut writes = submit(&batches, &["a"]).await;
    writes.extend(submit(&batches, &["a", "b", "a"]).await);
    assert_eq!(committer.begun(), [vec!["a"], vec!["b"]]);
    committer.gate.add_permits(100);
    all_are_written(writes).await;
    assert_eq!(committer.begun()[2..], [["a", "a"]]);
}

#[tokio::test]
async fn a_full_batch_leaves_its_names_to_the_next() {
    let (committer, batches, _task) = gated(3);
    let mut writes = submit(&batches, &["x"]).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "a", "i"];
    writes.extend(submit(&batches, &names).await);
    writes.extend(submit(&batches, &["j", "k", "l"]).await);
    assert_eq!(committer.begun()[2..], [["i", "j", "k", "l"]]);
    committer.gate.add_permits(100);
    all_are_written(writes).await;
    assert_eq!(committer.begun()[3..], [["a"]]);
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_closed_one_finishes() {
    let (committer, batches, task) = gated(1);
    let mut writes = submit(&batches, &["first"]).await;
    writes.extend(
        submit(
            &batches,
            &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
        )
        .await,
    );
    let over = submit(&batches, &["k"]).await.remove(0);
    assert!(matches!(over.await.unwrap(), Err(Error::Overloaded)));
    batches.close();
    let late = submit(&batches, &["l"]).await.remove(0);
    assert!(matches!(late.await.unwrap(), Err(Error::Stopping)));
    committer.gate.add_permits(100);
    all_are_written(writes).await;
    task.await.unwrap();
}

#[tokio::test]
async fn a_write_without_its_caller_is_done_all_the_same() {
    let (committer, batches, _task) = gated(1);
    submit(&batches, &["a"]).await.remove(0).abort();
    let writes = submit(&batches, &["b"]).await;
    committer.gate.add_permits(100);
    all_are_written(writes).await;
    assert_eq!(committer.begun(), [["a"], ["b"]]);
}

#[tokio::test]
async fn a_panic_answers_its_batch_and_frees_its_names() {
    let (committer, batches, _task) = gated(1);
    committer.gate.add_permits(100);
    let bad = submit(&batches, &["bad"]).await.remove(0);
    assert!(matches!(bad.await.unwrap(), Err(Error::Panicked)));
    let again = submit(&batches, &["bad"]).await.remove(0);
    assert!(matches!(again.await.unwrap(), Err(Error::Panicked)));
    all_are_written(submit(&batches, &["good"]).await).await;
}

#[tokio::test]
async fn what_gathers_beside_batches_is_done_when_it_is_closed() {
    let (committer, batches, task) = gated(2);
    let mut writes = submit(&batches, &["a", "b"]).await;
    writes.extend(submit(&batches, &["c", "d"]).await);
    writes.extend(submit(&batches, &["e", "a", "c"]).await);
    assert_eq!(committer.begun().len(), 2);
    batches.close();
    submit(&batches, &[]).await;
    committer.gate.add_permits(100);
    all_are_written(writes).await;
    task.await.unwrap();
}

/// Ends each batch after others had a chance to go on.
struct Yielding;

#[async_trait]
impl Commit for Yielding {
    type Request = Write;
    type Answer = Decision;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Decision>> {
        for _ in 0..fastrand::usize(..4) {
            tokio::task::yield_now().await;
        }
        vec![Ok(written()); batch.len()]
    }
}

async fn write_some(batches: Arc<Batches>) {
    for _ in 0..2_000 {
        let name = format!("user {}", fastrand::usize(..5));
        let write = Write::put(Key::from(name), Bytes::new());
        while let Err(error) = batches.submit(write.clone()).await {
            assert!(matches!(error, Error::Overloaded), "{error}");
            tokio::task::yield_now().await;
        }
    }
}

/// Writers and batches run on threads of their own, so that they meet at every moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_is_answered_and_none_counts_afterwards() {
    const DEADLINE: Duration = Duration::from_secs(60);
    let bounds = GroupCommitBounds {
        batch_max: 4,
        waiting_max: 6,
    };
    for (at_once, writers) in [(1, 1), (2, 1), (2, 2), (3, 9)] {
        let (batches, running) = Batches::new(bounds, at_once, Arc::new(Yielding));
        let thread = own_thread::start("test", running).unwrap();
        let batches = Arc::new(batches);
        let writers: JoinSet<()> = (0..writers).map(|_| write_some(batches.clone())).collect();
        let written = tokio::time::timeout(DEADLINE, writers.join_all());
        written.await.expect("a write waits for ever");
        assert_eq!(format!("{:?}", batches.0), "Queue(0 waiting)");
        batches.close();
        let ended = tokio::time::timeout(DEADLINE, thread.ended());
        ended.await.expect("the batches go on");
    }
}
