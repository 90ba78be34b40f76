//! Write-through while a row is locked.

use std::sync::Arc;
use std::time::Duration;

use cache_core::engine::write_through::WriteThrough;
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Condition, Key, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;
use tokio::task::JoinHandle;

use crate::holder::{Holder, Lock};
use crate::place::{EVENTUALLY, LONG, Place, put, version_of, write};

/// Writers of other names, and writes of each: in both lanes.
const WRITERS: u8 = 10;
const WRITES: u8 = 10;

fn begin(
    engine: &Arc<WriteThrough>,
    write: Write,
) -> JoinHandle<cache_core::error::Result<Outcome>> {
    let engine = engine.clone();
    tokio::spawn(async move { engine.write(write).await })
}

fn on_condition(condition: Condition, write: Write) -> Write {
    Write { condition, ..write }
}

/// All of them are answered while the lock is held.
async fn write_others(engine: &Arc<WriteThrough>, condition: &Condition) {
    let writers = (0..WRITERS).map(|writer| {
        let (engine, condition) = (engine.clone(), condition.clone());
        tokio::spawn(async move {
            let name = format!("other {writer}");
            for age in 0..WRITES {
                let write = on_condition(condition.clone(), put(&name, age));
                version_of(engine.write(write).await);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Many writes of `x` wait, before those of the other names and between them.
async fn others_are_written_while_x_waits(lock: Lock, others: Condition, of_x: Condition) {
    let place = Place::new().await;
    let engine = place.write_through(LONG).await;
    for writer in 0..WRITERS {
        write(&*engine, &format!("other {writer}"), 100).await;
    }
    if lock.has_row() {
        write(&*engine, "x", 1).await;
    }
    let before = place.stored("x").await;
    let holder = Holder::lock(&place.url(), lock).await;
    let mut waiting = vec![begin(&engine, on_condition(of_x.clone(), put("x", 2)))];
    let done = tokio::time::timeout(EVENTUALLY, async {
        for age in 3..8 {
            waiting.push(begin(&engine, on_condition(of_x.clone(), put("x", age))));
            write_others(&engine, &others).await;
        }
    });
    done.await.expect("the other names are written");
    assert!(waiting.iter().all(|write| !write.is_finished()));
    assert_eq!(place.stored("x").await, before, "{lock:?}");
    let read = engine.read(&Key::from("x")).await.unwrap().record;
    assert_eq!(read.body, before.and_then(|before| before.body));
    holder.release().await;
    let mut newest = Version::ZERO;
    for write in waiting {
        newest = newest.max(version_of(write.await.unwrap()));
    }
    let stored = place.stored("x").await.unwrap();
    assert_eq!(stored.version, newest);
    let read = engine.read(&Key::from("x")).await.unwrap();
    assert_eq!((read.record, read.source), (stored, Source::Hit));
    // It is like any other name again.
    assert!(write(&*engine, "x", 99).await > newest);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_row_locked_for_update_holds_up_no_other_name() {
    let always = Condition::Always;
    others_are_written_while_x_waits(Lock::ForUpdate, always.clone(), always).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn conditional_writes_of_a_locked_row_hold_up_no_other_name() {
    let exists = Condition::Exists;
    others_are_written_while_x_waits(Lock::ForUpdate, exists.clone(), exists).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_uncommitted_insert_holds_up_no_other_name() {
    let always = Condition::Always;
    others_are_written_while_x_waits(Lock::Insert, always.clone(), always).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_uncommitted_delete_holds_up_no_other_name() {
    others_are_written_while_x_waits(Lock::Delete, Condition::Exists, Condition::Always).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_locked_gap_holds_up_no_other_name() {
    let always = Condition::Always;
    others_are_written_while_x_waits(Lock::Gap, always.clone(), always).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_write_that_gives_up_has_not_taken_place() {
    let place = Place::new().await;
    let engine = place.write_through(Duration::from_millis(1_500)).await;
    let key = Key::from("x");
    write(&*engine, "x", 1).await;
    let holder = Holder::lock(&place.url(), Lock::ForUpdate).await;
    for _ in 0..2 {
        let given_up = engine.write(put("x", 2)).await;
        assert!(matches!(given_up, Err(Error::Locked)), "{given_up:?}");
        // Nothing is in doubt.
        let read = engine.read(&key).await.unwrap();
        assert_eq!(read.record.body, put("x", 1).body);
        assert_ne!(read.source, Source::InDoubt);
    }
    holder.release().await;
    let version = write(&*engine, "x", 3).await;
    let stored = place.stored("x").await.unwrap();
    assert_eq!(stored, put("x", 3).at(version));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_stop_waits_for_a_locked_row() {
    let place = Place::new().await;
    let engine = place.write_through(LONG).await;
    write(&*engine, "x", 1).await;
    write_others(&engine, &Condition::Always).await;
    let holder = Holder::lock(&place.url(), Lock::ForUpdate).await;
    let waiting = begin(&engine, put("x", 2));
    // One of another name tells that it was begun.
    write_others(&engine, &Condition::Always).await;
    let stopping = engine.clone();
    let stopped = tokio::spawn(async move { stopping.stop(EVENTUALLY).await });
    tokio::task::yield_now().await;
    holder.release().await;
    stopped.await.unwrap();
    match waiting.await.unwrap() {
        Ok(Outcome::Written { version, .. }) => {
            assert_eq!(place.stored("x").await.unwrap().version, version);
        }
        // It had not been begun yet.
        outcome => assert!(matches!(outcome, Err(Error::Stopping)), "{outcome:?}"),
    }
}
