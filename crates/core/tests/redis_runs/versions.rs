//! Whatever becomes of the server's data, versions only grow.

use cache_core::cache::Cache;
use cache_core::journal::Journal;
use cache_core::model::version::Version;

use crate::redis_process::{Crashed, Process, Stored, a_name_in_each_shard, command};
use crate::suite::{ahead_of_the_clock, key, put, version};

async fn issue(process: &Process) -> Vec<Version> {
    let names = a_name_in_each_shard(&*process.journal);
    let writes: Vec<_> = names.iter().map(|name| put(name, "x")).collect();
    let mut issued: Vec<Version> = process
        .append(&writes)
        .await
        .iter()
        .map(|record| record.version)
        .collect();
    let names: Vec<_> = names.iter().map(|name| key(name)).collect();
    let begun = process.cache.begin_write(&names).await.unwrap();
    issued.extend(begun.iter().map(|begun| begun.version));
    issued
}

/// Of each shard, the first one issued afterwards is newer than both before.
fn assert_newer(before: &[Version], after: &[Version]) {
    let shards = before.len() / 2;
    for shard in 0..shards {
        let newest = before[shard].max(before[shards + shard]);
        assert!(after[shard] > newest, "{} {newest}", after[shard]);
        assert!(after[shards + shard] > after[shard]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn after_a_crash_they_go_on_above_a_clock_that_was_ahead() {
    let mut crashed = Crashed::new().await;
    let ahead = ahead_of_the_clock();
    crashed.process.journal.raise(&ahead).await.unwrap();
    let mut before = issue(&crashed.process).await;
    assert!(before.iter().all(|version| *version > ahead));
    for drained in [false, true] {
        if drained {
            crashed.process.drain().await;
        }
        crashed.crash().await;
        crashed.process.journal.raise(&Version::ZERO).await.unwrap();
        let after = issue(&crashed.process).await;
        assert_newer(&before, &after);
        before = after;
    }
}

/// Its process ends in between too, and several crashes follow each other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn after_crashes_in_a_row_they_go_on_above_a_clock_that_was_ahead() {
    let mut crashed = Crashed::new().await;
    crashed
        .process
        .journal
        .raise(&ahead_of_the_clock())
        .await
        .unwrap();
    let before = issue(&crashed.process).await;
    crashed.process.drain().await;
    crashed.crash().await;
    crashed.crash().await;
    crashed.process = crashed.another().await;
    crashed.process.cache.raise(&Version::ZERO).await.unwrap();
    let after = issue(&crashed.process).await;
    assert_newer(&before, &after);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn after_a_loss_of_all_data_they_go_on_above_the_database() {
    let mut crashed = Crashed::new().await;
    let ahead = ahead_of_the_clock();
    for lost_by in ["FLUSHALL", "an empty folder"] {
        let before = issue(&crashed.process).await;
        let newest = version(before.iter().max().unwrap().get().max(ahead.get()) + 1_000);
        if lost_by == "FLUSHALL" {
            command::<(), _>(crashed.server.url(), &["FLUSHALL"]).await;
        } else {
            let empty = tempfile::tempdir().unwrap();
            crashed.crash_and_restore(empty.path()).await;
        }
        crashed.process.assert_unseeded(&["user 0", "new"]).await;
        let stored = Stored {
            newest,
            ..Stored::default()
        };
        crashed.process.journal.raise(&stored).await.unwrap();
        let after = issue(&crashed.process).await;
        assert_newer(&before, &after);
        assert!(after.iter().all(|version| *version > newest));
    }
}

/// The clock that comes back is an old one, and so is the journal.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn after_old_data_came_back_they_go_on_above_the_database() {
    let mut crashed = Crashed::new().await;
    issue(&crashed.process).await;
    let copy = crashed.server.copy_of_data();
    let ahead = ahead_of_the_clock();
    crashed.process.journal.raise(&ahead).await.unwrap();
    let before = issue(&crashed.process).await;
    crashed.crash_and_restore(copy.path()).await;
    let newest = *before.iter().max().unwrap();
    crashed.process.journal.raise(&newest).await.unwrap();
    let after = issue(&crashed.process).await;
    assert!(after.iter().all(|version| *version > newest));
}
