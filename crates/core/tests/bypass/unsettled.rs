//! The cache fails after the database has committed, and before the cache has the
//! new value.

use std::sync::Arc;

use cache_core::engine::Engine;
use cache_core::error::{Error, Part};
use cache_core::model::record::{Condition, Write};
use cache_core::model::source::Source;

use crate::processes::{Process, body, eventually, put, two};

/// From the moment of the next commit on, it is cut off.
fn cut_after_commit(process: &Process) {
    let proxy = Arc::clone(&process.proxy);
    process.store.after_commit(move || proxy.cut());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_committed_write_is_answered_once_all_trust_has_ended() {
    for condition in [Condition::Always, Condition::Exists] {
        let (_database, [cut_off, other]) = two().await;
        cut_off.write(put("a", 1)).await;
        assert_eq!(other.read("a").await.source, Source::Hit);
        cut_after_commit(&cut_off);
        let write = Write {
            condition,
            ..put("a", 2)
        };
        let version = cut_off.write(write).await;
        assert!(cut_off.bypasses());
        assert!(other.trusts_in().is_none());
        for process in [&other, &cut_off] {
            let read = process.read("a").await;
            assert_eq!(
                (read.record.version, read.source),
                (version, Source::Bypass)
            );
        }
        cut_off.proxy.restore();
        eventually(|| cut_off.trusts_in() == Some(2) && other.trusts_in() == Some(2)).await;
        for process in [&other, &cut_off] {
            assert_eq!(process.read("a").await.record.version, version);
        }
    }
}

/// Its writer gets an error of unknown outcome; every reader gets its value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_write_stays_in_doubt_where_the_cache_is_relied_on() {
    let (database, [cut_off, other]) = two().await;
    cut_off.write(put("a", 1)).await;
    database.query_rows(
        "INSERT INTO cache_members (process, trusts, cut_off, for_good, lease_ms, beats) \
         VALUES ('journal', 1, 0, 1, 0, 0)",
    );
    eventually(|| cut_off.access.may_bypass().is_err() && other.access.may_bypass().is_err()).await;
    cut_after_commit(&cut_off);
    let failed = cut_off.engine.write(put("a", 2)).await.unwrap_err();
    assert_eq!(failed.part(), Some(Part::Cache), "{failed}");
    let read = other.read("a").await;
    let expected = (Some(body("a", 2, "Tester")), Source::InDoubt);
    assert_eq!((read.record.body, read.source), expected);
    assert_eq!(other.trusts_in(), Some(0));
    assert!(!cut_off.bypasses());
    // Nor does it answer from the database alone what only the cache may have.
    let read = cut_off.engine.read(&put("a", 2).key).await;
    assert!(
        matches!(
            read,
            Err(Error::Unavailable {
                part: Part::Cache,
                ..
            })
        ),
        "{read:?}"
    );
    cut_off.proxy.restore();
    eventually(|| cut_off.trusts_in() == Some(0)).await;
    let version = cut_off.write(put("a", 3)).await;
    let read = other.read("a").await;
    assert_eq!((read.record.version, read.source), (version, Source::Hit));
}
