//! A server that comes back with old data: what is lost is counted.

use std::collections::HashMap;

use cache_core::cache::Lookup;
use cache_core::journal::Journal;
use cache_core::model::record::Write;
use cache_core::model::version::Version;

use crate::redis_process::Crashed;
use crate::suite::put;

fn writes(count: usize) -> Vec<Write> {
    (0..count)
        .map(|number| put(&format!("user {number}"), "x"))
        .collect()
}

async fn lost(crashed: &Crashed) -> u64 {
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    crashed.process.journal.lost()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_was_appended_and_is_missing_is_counted_once() {
    let mut crashed = Crashed::new().await;
    let kept = crashed.process.append(&writes(10)).await;
    let copy = crashed.server.copy_of_data();
    crashed.process.append(&writes(25)).await;
    assert_eq!(crashed.process.journal.depth(), 35);
    crashed.crash_and_restore(copy.path()).await;
    assert_eq!(lost(&crashed).await, 25);
    assert_eq!(crashed.process.journal.depth(), 10);
    assert_eq!(lost(&crashed).await, 25, "once");
    // What is left is served.
    let newest: HashMap<_, _> = kept.iter().map(|record| (&record.key, record)).collect();
    for record in newest.values() {
        let held = crashed.process.get(record.key.as_str()).await;
        assert_eq!(held, Lookup::Hit((*record).clone()));
    }
    // And it all goes on: a second loss is added.
    crashed.process.drain().await;
    crashed.process.append(&writes(4)).await;
    crashed.crash_and_restore(copy.path()).await;
    assert_eq!(lost(&crashed).await, 29);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_is_appended_while_losses_are_counted_is_not_lost() {
    let crashed = Crashed::new().await;
    let appender = {
        let journal = crashed.process.journal.clone();
        tokio::spawn(async move {
            loop {
                for answer in journal.append(&writes(20)).await {
                    answer.unwrap();
                }
            }
        })
    };
    for _ in 0..50 {
        assert_eq!(lost(&crashed).await, 0);
    }
    assert!(!appender.is_finished());
    appender.abort();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn everything_is_lost_with_all_the_data() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&writes(20)).await;
    let empty = tempfile::tempdir().unwrap();
    crashed.crash_and_restore(empty.path()).await;
    assert_eq!(lost(&crashed).await, 20);
    assert_eq!(crashed.process.journal.depth(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_is_lost_that_had_been_acknowledged() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&writes(5)).await;
    let copy = crashed.server.copy_of_data();
    crashed.process.append(&writes(25)).await;
    crashed.process.drain().await;
    crashed.crash_and_restore(copy.path()).await;
    assert_eq!(lost(&crashed).await, 0);
    assert_eq!(crashed.process.journal.depth(), 5, "to be drained again");
    // Nor with all the data.
    crashed.process.append(&writes(25)).await;
    crashed.process.drain().await;
    let empty = tempfile::tempdir().unwrap();
    crashed.crash_and_restore(empty.path()).await;
    assert_eq!(lost(&crashed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_is_lost_by_a_crash_that_takes_no_data() {
    let mut crashed = Crashed::new().await;
    for _ in 0..2 {
        crashed.process.append(&writes(25)).await;
        crashed.crash().await;
        assert_eq!(lost(&crashed).await, 0);
    }
    crashed.process.drain().await;
    crashed.crash().await;
    assert_eq!(lost(&crashed).await, 0);
    assert_eq!(crashed.process.journal.depth(), 0);
}

/// The process that appends is often not the one that drains.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_is_lost_that_another_process_has_drained() {
    let mut crashed = Crashed::new().await;
    let copy = crashed.server.copy_of_data();
    crashed.process.append(&writes(25)).await;
    let other = crashed.another().await;
    other.drain().await;
    // As the one that watches the backlog does all the time.
    crashed.process.journal.stats().await.unwrap();
    crashed.crash_and_restore(copy.path()).await;
    assert_eq!(lost(&crashed).await, 0);
}

/// As many entries wait again as waited before: drained ones are back, and the
/// newer ones are lost.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_had_been_drained_makes_up_for_nothing_that_is_lost() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&writes(30)).await;
    let copy = crashed.server.copy_of_data();
    crashed.process.drain().await;
    crashed.process.append(&writes(20)).await;
    crashed.crash_and_restore(copy.path()).await;
    assert_eq!(lost(&crashed).await, 20);
    assert_eq!(crashed.process.journal.depth(), 30);
}
