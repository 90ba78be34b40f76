//! Many writes at once, bypassing the cache and during the change to that.

use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Key, Write};
use cache_core::model::source::Source;
use cache_core::store::Store;

use crate::processes::{body, eventually, put, two};

const WRITES: u8 = 40;

/// Writes them all at once.
async fn at_once(
    engine: &std::sync::Arc<impl Engine>,
    writes: Vec<Write>,
) -> Vec<Result<Outcome, Error>> {
    let writes = writes.into_iter().map(|write| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.write(write).await })
    });
    let mut done = Vec::new();
    for write in writes.collect::<Vec<_>>() {
        done.push(write.await.unwrap());
    }
    done
}

fn writes(prefix: &str) -> Vec<Write> {
    let writes = (0..WRITES).map(|number| put(&format!("{prefix} {number}"), number));
    writes.collect()
}

/// A write that the database refuses whatever is beside it.
fn forbidden(name: &str) -> Write {
    Write::put(Key::from(name), body(name, 1, "forbidden"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn what_the_database_refuses_fails_alone() {
    let (database, [cut_off, other]) = two().await;
    database.query_rows("ALTER TABLE users ADD CONSTRAINT never CHECK (occupation <> 'forbidden')");
    for bypassed in [false, true] {
        let mut batch = writes(if bypassed { "past" } else { "through" });
        let names = [3, 20].map(|place| batch[place].key.clone());
        for (place, name) in [3, 20].into_iter().zip(&names) {
            batch[place] = forbidden(name.as_str());
        }
        if bypassed {
            cut_off.proxy.cut();
            cut_off.write(put("first", 1)).await;
        }
        let done = at_once(&cut_off.engine, batch.clone()).await;
        for (write, done) in batch.iter().zip(done) {
            let read = other.engine.read(&write.key).await.unwrap();
            if names.contains(&write.key) {
                assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
                assert_eq!(read.record.body, None);
            } else {
                assert!(matches!(done, Ok(Outcome::Written { .. })), "{done:?}");
                assert_eq!(read.record.body, write.body);
            }
        }
    }
    cut_off.proxy.restore();
    eventually(|| cut_off.trusts_in() == Some(2) && other.trusts_in() == Some(2)).await;
    assert_eq!(other.read("past 3").await.record.body, None);
}

/// Nothing is left in doubt by those that certainly did not take place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn refused_writes_of_one_name_leave_it_to_the_cache() {
    let (database, [process, other]) = two().await;
    database.query_rows("ALTER TABLE users ADD CONSTRAINT never CHECK (occupation <> 'forbidden')");
    process.write(put("a", 1)).await;
    let done = at_once(&process.engine, vec![forbidden("a"); WRITES.into()]).await;
    for done in done {
        assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
    }
    for process in [&process, &other] {
        let read = process.read("a").await;
        assert_eq!(read.record.body, Some(body("a", 1, "Tester")));
        let of_the_cache = matches!(read.source, Source::Hit | Source::Miss { stored: true });
        assert!(of_the_cache, "{:?}", read.source);
    }
}

/// They had begun when the cache failed: none is lost, and none fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn writes_that_had_begun_bypass_the_cache() {
    let (_database, [cut_off, other]) = two().await;
    cut_off.proxy.hold();
    let batch = writes("begun");
    let (done, others) = tokio::join!(
        at_once(&cut_off.engine, batch.clone()),
        at_once(&other.engine, writes("of the other"))
    );
    for done in done.iter().chain(&others) {
        assert!(matches!(done, Ok(Outcome::Written { .. })), "{done:?}");
    }
    for write in batch {
        let stored = other.store.load(&write.key).await.unwrap().unwrap();
        assert_eq!(stored.body, write.body);
    }
    cut_off.proxy.release();
}
