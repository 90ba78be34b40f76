//! Writes that come to the database when the epoch that they began in is over.

use cache_core::engine::{Engine, Outcome};
use cache_core::model::record::{Condition, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;

use crate::processes::{Process, body, eventually, put, two};

/// With a condition and without, which take different ways.
fn writes() -> [Write; 2] {
    [Condition::Always, Condition::Exists].map(|condition| Write {
        condition,
        ..put("a", 2)
    })
}

/// A write that stands before the database.
async fn begin(process: &Process, write: Write) -> tokio::task::JoinHandle<Version> {
    process.store.shut();
    let engine = process.engine.clone();
    let begun = tokio::spawn(async move {
        match engine.write(write).await.unwrap() {
            Outcome::Written { version, .. } => version,
            outcome => panic!("{outcome:?}"),
        }
    });
    process.store.is_waited_for().await;
    begun
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_write_begun_with_the_cache_is_retried_without_it() {
    for write in writes() {
        let (_database, [cut_off, other]) = two().await;
        other.write(put("a", 1)).await;
        let late = begin(&other, write).await;
        cut_off.proxy.cut();
        let newer = cut_off.write(put("a", 3)).await;
        other.store.open();
        // It takes its place after what was written meanwhile.
        let late = late.await.unwrap();
        assert!(late > newer, "{late} after {newer}");
        let read = cut_off.read("a").await;
        let expected = (late, Some(body("a", 2, "Tester")), Source::Bypass);
        assert_eq!(
            (read.record.version, read.record.body, read.source),
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_write_begun_without_the_cache_is_retried_with_it() {
    for write in writes() {
        let (_database, [cut_off, other]) = two().await;
        cut_off.write(put("a", 1)).await;
        cut_off.proxy.cut();
        cut_off.write(put("b", 1)).await;
        let late = begin(&cut_off, write).await;
        cut_off.proxy.restore();
        eventually(|| cut_off.trusts_in() == Some(2) && other.trusts_in() == Some(2)).await;
        // The other has in its cache what is about to be replaced.
        for _ in 0..2 {
            let read = other.read("a").await;
            assert_eq!(read.record.body, Some(body("a", 1, "Tester")));
        }
        assert_eq!(other.read("a").await.source, Source::Hit);
        cut_off.store.open();
        let late = late.await.unwrap();
        for process in [&other, &cut_off] {
            assert_eq!(process.read("a").await.record.version, late);
        }
    }
}
