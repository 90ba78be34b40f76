//! Another program removes or replaces what a server holds, in the same run of the server.

use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lookup};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::model::record::Record;
use cache_core::model::version::Version;

use crate::redis_process::{Crashed, LIFETIMES, LONG, Stored, command};
use crate::suite::{connect_to, eventually, key, put, value, version};

async fn delete_entry(crashed: &Crashed, name: &str) {
    for entry in crashed.keys(&format!("*:{name}")).await {
        command::<u64, _>(crashed.server.url(), &["DEL", &entry]).await;
    }
}

async fn swap(crashed: &Crashed) {
    command::<(), _>(crashed.server.url(), &["SWAPDB", "0", "1"]).await;
}

async fn assert_unseeded(crashed: &Crashed, name: &str) {
    let held = crashed.process.cache.get(&key(name)).await;
    assert!(matches!(held, Err(Error::Unseeded(_))), "{held:?}");
}

/// A dirty entry was deleted, and a reader has cached what the database has.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_drain_heals_deleted_dirty_entries() {
    for is_recovered in [false, true] {
        let mut crashed = Crashed::new().await;
        let records = crashed
            .process
            .append(&[put("filled", "new"), put("filling", "new")])
            .await;
        if is_recovered {
            crashed.crash().await;
            crashed.process.journal.raise(&Version::ZERO).await.unwrap();
        }
        let old = |record: &Record| value(&record.key, version(7), "old");
        for name in ["filled", "filling"] {
            delete_entry(&crashed, name).await;
        }
        crashed.process.fill(&old(&records[0])).await;
        let cache = &crashed.process.cache;
        let ticket = cache.begin_fill(&records[1].key).await.unwrap();
        crashed.process.drain().await;
        assert_eq!(crashed.process.get("filled").await, Lookup::Miss);
        let cache_core::cache::FillStart::Granted(ticket) = ticket else {
            panic!("{ticket:?}")
        };
        assert!(!cache.fill(ticket, &old(&records[1])).await.unwrap());
    }
}

/// It was put back by another program when its entry was drained.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_drain_removes_older_dirty_entries() {
    let crashed = Crashed::new().await;
    let [entry, body] = ["*:a", "D{\"old\":1}"];
    let newer = crashed.process.append(&[put("a", "new")]).await.remove(0);
    let name = crashed.keys(entry).await.remove(0);
    let old = format!("{:016}{body}", newer.version.get() - 1);
    command::<(), _>(crashed.server.url(), &["SET", &name, &old]).await;
    crashed.process.drain().await;
    assert_eq!(crashed.process.get("a").await, Lookup::Miss);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn older_data_of_the_same_run_are_not_served() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let idle = crashed.another().await;
    process.append(&[put("a", "old"), put("b", "old")]).await;
    process.drain().await;
    swap(&crashed).await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    let newer = process.append(&[put("a", "new")]).await.remove(0);
    process.drain().await;
    swap(&crashed).await;
    // Whichever call comes first.
    assert_unseeded(&crashed, "a").await;
    let conditional = cache_core::model::record::Write::delete(key("a"));
    let answer = process.journal.append(&[conditional]).await.remove(0);
    assert!(matches!(answer, Err(Error::Unseeded(_))), "{answer:?}");
    let begun = process.cache.begin_write(&[key("a")]).await;
    assert!(matches!(begun, Err(Error::Unseeded(_))), "{begun:?}");
    let stored = Stored::with(&[("a", newer.version)]);
    process.journal.raise(&stored).await.unwrap();
    for process in [process, &idle] {
        assert_eq!(process.get("a").await, Lookup::Miss);
    }
}

/// The clock watch notices it while nothing is read or written.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn idle_processes_notice_older_data() {
    let crashed = Crashed::new().await;
    let redis = connect_to(crashed.server.url(), &crashed.identity).await;
    let idle = RedisCache::new(redis, LIFETIMES).watching_clocks();
    crashed.process.append(&[put("a", "old")]).await;
    crashed.process.drain().await;
    swap(&crashed).await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    crashed.process.append(&[put("a", "new")]).await;
    assert!(matches!(idle.get(&key("a")).await, Ok(Lookup::Hit(_))));
    swap(&crashed).await;
    let unaware = crashed.another().await;
    eventually("the clock is removed", async || {
        let read = unaware.cache.get(&key("a")).await;
        matches!(read, Err(Error::Unseeded(_)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn entries_of_other_data_are_not_acknowledged() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let waits = process.append(&[put("a", "x")]).await;
    let shard = process.journal.shard_of(&key("a"));
    swap(&crashed).await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    let other = process.append(&[put("a", "y")]).await.remove(0);
    assert_eq!(process.waiting(shard).await.len(), 1);
    swap(&crashed).await;
    let flushed = [(key("a"), other.version)];
    let acknowledged = process.journal.acknowledge(shard, other.version, &flushed);
    let acknowledged = acknowledged.await;
    assert!(
        matches!(acknowledged, Err(Error::Unseeded(_))),
        "{acknowledged:?}"
    );
    assert_eq!(process.waiting(shard).await, waits);
    let stored = Stored::with(&[("a", other.version)]);
    process.journal.raise(&stored).await.unwrap();
    // The database has something newer than what waits.
    assert_eq!(process.get("a").await, Lookup::Miss);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_clock_that_was_removed_twice_is_recovered_twice() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let record = process.append(&[put("a", "x")]).await.remove(0);
    for _ in 0..2 {
        for clock in crashed.keys("*.clock").await {
            command::<u64, _>(crashed.server.url(), &["DEL", &clock]).await;
        }
        delete_entry(&crashed, "a").await;
        assert_unseeded(&crashed, "a").await;
        process.journal.raise(&Version::ZERO).await.unwrap();
        assert_eq!(process.get("a").await, Lookup::Hit(record.clone()));
    }
}

/// Nothing else is written when it is drained.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_drained_entry_is_clean_by_its_expiry() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    let record = process.append(&[put("a", "x")]).await.remove(0);
    let name = crashed.keys("*:a").await.remove(0);
    let entry = async || command::<String, _>(url, &["GET", &name]).await;
    let lifetime = async || command::<i64, _>(url, &["PTTL", &name]).await;
    let dirty = entry().await;
    assert_eq!(lifetime().await, -1);
    process.drain().await;
    assert_eq!(entry().await, dirty);
    let clean = 0..=LONG.as_millis() as i64;
    assert!(clean.contains(&lifetime().await));
    let begun = process.cache.begin_write(&[key("a")]).await.unwrap();
    assert_eq!(begun[0].dirty, None);
    assert_eq!(process.get("a").await, Lookup::InDoubt(None));

    // Of another program: as dirty once more, and for good.
    let record = {
        let newer = process.append(&[put("a", "y")]).await.remove(0);
        process.drain().await;
        assert!(newer.version > record.version);
        newer
    };
    command::<u8, _>(url, &["PERSIST", &name]).await;
    process.cache.forget(&record.key).await.unwrap();
    process.cache.forget_all().await.unwrap();
    assert_eq!(process.get("a").await, Lookup::Hit(record.clone()));
    let begun = process.cache.begin_write(&[key("a")]).await.unwrap();
    assert_eq!(begun[0].dirty, Some(record));
}

/// It is taken for clean until it is drained. It could as well have been deleted.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_drain_heals_expiries_of_another_program() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    let records = process
        .append(&[put("expires", "new"), put("expired", "new")])
        .await;
    let name = async |of: &str| crashed.keys(&format!("*:{of}")).await.remove(0);
    let expires = name("expires").await;
    let days = (10 * LONG.as_millis()).to_string();
    command::<u8, _>(url, &["PEXPIRE", &expires, &days]).await;
    command::<u8, _>(url, &["PEXPIRE", &name("expired").await, "1"]).await;
    eventually("it has expired", async || {
        process.get("expired").await == Lookup::Miss
    })
    .await;
    let old = value(&records[1].key, version(7), "old");
    process.fill(&old).await;
    process.drain().await;
    assert_eq!(process.get("expired").await, Lookup::Miss);
    assert_eq!(
        process.get("expires").await,
        Lookup::Hit(records[0].clone())
    );
    let left: i64 = command(url, &["PTTL", &expires]).await;
    assert!(left <= LONG.as_millis() as i64, "{left}");
}

/// The server was the replica of another one meanwhile, in which they were written once more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn drained_values_of_an_earlier_use_of_a_run_are_forgotten() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    process.append(&[put("drained", "x")]).await;
    process.drain().await;
    let waits = process.append(&[put("waits", "x")]).await.remove(0);
    for clock in crashed.keys("*.clock").await {
        command::<u64, _>(crashed.server.url(), &["DEL", &clock]).await;
    }
    process.journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!(process.get("drained").await, Lookup::Miss);
    assert_eq!(process.get("waits").await, Lookup::Hit(waits));
}
