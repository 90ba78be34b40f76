//! Bypassing the cache, and using it again.

use cache_core::bypass::Mode;
use cache_core::engine::{Bypass, Engine, Outcome};
use cache_core::model::record::{Condition, Key, Write};
use cache_core::model::source::Source;
use std::time::Duration;
use testkit::proxy::ChaosProxy;
use testkit::servers::{TestDatabase, redis_url};

use crate::processes::{Process, body, eventually, put, two};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn writes_that_bypass_are_read_by_all() {
    let (_database, [cut_off, other]) = two().await;
    for name in ["old", "by the other", "by both", "deleted"] {
        cut_off.write(put(name, 1)).await;
        // Both have it from the cache.
        for process in [&cut_off, &other] {
            let read = process.read(name).await;
            assert_eq!(
                (read.record.body, read.source),
                (Some(body(name, 1, "Tester")), Source::Hit)
            );
        }
    }
    assert_eq!(other.engine.health().await.bypass, Bypass::Possible);
    cut_off.proxy.cut();
    let first = cut_off.write(put("by both", 2)).await;
    // When that is answered no process takes it from the cache any more.
    let read = other.read("by both").await;
    assert_eq!((read.record.version, read.source), (first, Source::Bypass));
    let second = other.write(put("by both", 3)).await;
    assert!(second > first);
    assert_eq!(cut_off.read("by both").await.record.version, second);
    other.write(put("by the other", 2)).await;
    cut_off.write(Write::delete(Key::from("deleted"))).await;
    let again = other
        .engine
        .write(Write::delete(Key::from("deleted")))
        .await;
    assert_eq!(again.unwrap(), Outcome::ConditionFailed);
    other.write(put("new", 2)).await;
    for process in [&cut_off, &other] {
        assert_eq!(process.engine.health().await.bypass, Bypass::Now);
    }

    cut_off.proxy.restore();
    let expected = [
        ("old", Some(1)),
        ("by the other", Some(2)),
        ("by both", Some(3)),
        ("deleted", None),
        ("new", Some(2)),
    ];
    for process in [&other, &cut_off] {
        eventually(|| process.trusts_in() == Some(2)).await;
        for (name, age) in expected {
            let read = process.read(name).await;
            let expected = age.map(|age| body(name, age, "Tester"));
            assert_eq!(read.record.body, expected, "{name}");
            assert_ne!(read.source, Source::Bypass);
            // It is in the cache by now, for both.
            assert_eq!(process.read(name).await.source, Source::Hit, "{name}");
        }
    }
    let third = cut_off.write(put("by both", 4)).await;
    assert!(third > second);
    let read = other.read("by both").await;
    assert_eq!((read.record.version, read.source), (third, Source::Hit));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_start_without_the_cache_bypasses_it() {
    let database = TestDatabase::create();
    let other = Process::start(&database).await;
    other.write(put("a", 1)).await;
    assert_eq!(other.read("a").await.source, Source::Hit);
    let proxy = ChaosProxy::before(&redis_url());
    proxy.cut();
    let cut_off = Process::start_by(proxy, &database).await;
    let read = cut_off.read("a").await;
    assert_eq!(read.record.body, Some(body("a", 1, "Tester")));
    let version = cut_off.write(put("a", 2)).await;
    assert_eq!(other.read("a").await.record.version, version);
    cut_off.proxy.restore();
    eventually(|| cut_off.trusts_in() == Some(2) && other.trusts_in() == Some(2)).await;
    let version = cut_off.write(put("a", 3)).await;
    assert_eq!(other.read("a").await.record.version, version);
}

/// A create by both: the database judges.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn one_of_several_concurrent_creates_succeeds_in_bypass() {
    let (_database, [cut_off, other]) = two().await;
    cut_off.proxy.cut();
    cut_off.write(put("first", 1)).await;
    for round in 0..20 {
        let name = format!("new {round}");
        let create = || Write {
            condition: Condition::Absent,
            ..put(&name, 1)
        };
        let (one, another) =
            tokio::join!(cut_off.engine.write(create()), other.engine.write(create()));
        let created = [one.unwrap(), another.unwrap()];
        let created = created
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Written { .. }));
        assert_eq!(created.count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn no_process_waits_for_one_that_has_stopped() {
    let (database, [cut_off, other]) = two().await;
    let members = || database.query_rows("SELECT COUNT(*) FROM cache_members")[0][0].clone();
    assert_eq!(members(), "2");
    other.engine.stop(Duration::from_secs(10)).await;
    assert_eq!(members(), "1");
    assert!(matches!(other.access.mode(), Mode::Neither(_)));
    cut_off.proxy.cut();
    cut_off.write(put("a", 1)).await;
    assert!(cut_off.bypasses());
}
