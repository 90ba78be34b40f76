//! What a cache in Redis promises when another epoch begins. (One that is never
//! bypassed has only one.)

use std::sync::Arc;

use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lookup, Withdrawn};
use cache_core::error::{Error, Part};
use cache_core::model::epoch::Epoch;
use cache_core::model::version::Version;
use cache_core::redis::Redis;

use crate::suite::{ahead_of_the_clock, connect_to_redis, key, new_identity, value, version};
use crate::{LONG_LIFETIMES, begin_write, granted, put_clean, put_dirty, settle};

/// Two processes on one server, in the first epoch.
struct Processes {
    caches: [RedisCache; 2],
}

impl Processes {
    async fn start() -> Processes {
        let identity = new_identity();
        let connect = async || {
            let redis: Arc<Redis> = connect_to_redis(&identity).await;
            let reads = redis
                .with_timeout(std::time::Duration::from_secs(10))
                .unwrap();
            RedisCache::reading_by(reads, redis, LONG_LIFETIMES)
        };
        let caches = [connect().await, connect().await];
        caches[0].raise(&Version::ZERO).await.unwrap();
        Processes { caches }
    }

    fn enter(&self, epoch: u64) {
        for cache in &self.caches {
            cache.enter_epoch(Epoch::new(epoch), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn nothing_that_was_held_before_is_held_in_the_next_epoch() {
    let processes = Processes::start().await;
    let [one, other] = &processes.caches;
    put_clean(one, &value(&key("clean"), version(7), "x")).await;
    put_dirty(one, &value(&key("dirty"), version(7), "x")).await;
    begin_write(one, &key("doubt")).await;
    let ticket = granted(one, &key("filling")).await;
    let names = ["clean", "dirty", "doubt", "filling"];
    // Over all connections, those that were used before too.
    for name in names {
        other.get(&key(name)).await.unwrap();
    }
    processes.enter(1);
    for cache in &processes.caches {
        for name in names {
            let held = cache.get(&key(name)).await;
            assert!(matches!(held, Err(Error::Unseeded(_))), "{name}: {held:?}");
        }
    }
    let read = value(&key("filling"), version(7), "x");
    assert!(!one.fill(ticket, &read).await.unwrap());
    // The same epoch once more changes nothing.
    one.raise(&Version::ZERO).await.unwrap();
    put_clean(one, &value(&key("clean"), version(8), "x")).await;
    processes.enter(1);
    let held = other.get(&key("clean")).await.unwrap();
    assert_eq!(held, Lookup::Hit(value(&key("clean"), version(8), "x")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn the_clock_is_seeded_again_and_issues_newer_versions() {
    let processes = Processes::start().await;
    let [one, other] = &processes.caches;
    // The clocks only count from here.
    let floor = ahead_of_the_clock();
    one.raise(&floor).await.unwrap();
    let mut newest = floor;
    for epoch in 1..4 {
        for name in ["a", "b", "c"] {
            newest = newest.max(begin_write(other, &key(name)).await);
        }
        processes.enter(epoch);
        for cache in &processes.caches {
            let unseeded = cache.begin_write(&[key("a")]).await;
            assert!(
                matches!(unseeded, Err(Error::Unseeded(Part::Cache))),
                "{unseeded:?}"
            );
            let unseeded = cache.begin_fill(&key("a")).await;
            assert!(
                matches!(unseeded, Err(Error::Unseeded(Part::Cache))),
                "{unseeded:?}"
            );
        }
        // Though the database knows of none of them.
        one.raise(&Version::ZERO).await.unwrap();
        for cache in &processes.caches {
            for name in ["a", "b", "c"] {
                let next = begin_write(cache, &key(name)).await;
                assert!(next > floor, "{next}");
            }
        }
        let next = begin_write(one, &key("a")).await;
        assert!(next > floor, "{next} after {newest}");
        other.raise(&newest).await.unwrap();
        let next = begin_write(one, &key("a")).await;
        assert!(next > newest, "{next} after {newest}");
    }
}

/// Each name's own versions grow, whichever shard it is in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn versions_of_a_name_grow_from_epoch_to_epoch() {
    let processes = Processes::start().await;
    let [one, other] = &processes.caches;
    one.raise(&ahead_of_the_clock()).await.unwrap();
    let keys: Vec<_> = (0..64)
        .map(|number| key(&format!("user {number}")))
        .collect();
    let mut newest = vec![Version::ZERO; keys.len()];
    for epoch in 1..5 {
        for cache in [one, other] {
            for (begun, newest) in cache
                .begin_write(&keys)
                .await
                .unwrap()
                .iter()
                .zip(&mut newest)
            {
                assert!(begun.version > *newest);
                *newest = begun.version;
            }
        }
        processes.enter(epoch);
        one.raise(&Version::ZERO).await.unwrap();
    }
}

/// A write that was committed in one epoch is put in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_settle_that_comes_in_the_next_epoch_does_no_harm() {
    let processes = Processes::start().await;
    let [one, other] = &processes.caches;
    let names = ["absent", "filling", "doubt", "clean", "dirty"].map(key);
    let late: Vec<_> = one
        .begin_write(&names)
        .await
        .unwrap()
        .iter()
        .zip(&names)
        .map(|(begun, key)| value(key, begun.version, "late"))
        .collect();
    processes.enter(1);
    other.raise(&late[0].version).await.unwrap();
    // Meanwhile others were written.
    let ticket = granted(other, &names[1]).await;
    let doubt = begin_write(other, &names[2]).await;
    let clean = value(&names[3], begin_write(other, &names[3]).await, "new");
    settle(other, &clean).await;
    let dirty = value(&names[4], version(doubt.get() + 1), "new");
    put_dirty(other, &dirty).await;

    one.settle(&late).await.unwrap();
    assert_eq!(other.get(&names[0]).await.unwrap(), Lookup::Miss);
    // What the reader has read may be older than this.
    let read = value(&names[1], version(7), "read");
    assert!(!other.fill(ticket, &read).await.unwrap());
    assert_eq!(other.get(&names[2]).await.unwrap(), Lookup::InDoubt(None));
    settle(other, &value(&names[2], doubt, "new")).await;
    let held = other.get(&names[2]).await.unwrap();
    assert_eq!(held, Lookup::Hit(value(&names[2], doubt, "new")));
    assert_eq!(other.get(&names[3]).await.unwrap(), Lookup::Hit(clean));
    assert_eq!(other.get(&names[4]).await.unwrap(), Lookup::Hit(dirty));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_withdrawal_that_comes_in_the_next_epoch_does_no_harm() {
    let processes = Processes::start().await;
    let [one, other] = &processes.caches;
    let a = key("a");
    let begun = one.begin_write(&[a.clone(), a.clone()]).await.unwrap();
    processes.enter(1);
    other.raise(&begun[1].version).await.unwrap();
    let withdrawn = [&begun[1], &begun[0]].map(|begun| Withdrawn {
        key: a.clone(),
        version: begun.version,
        doubt: begun.doubt,
    });
    one.withdraw(&withdrawn).await.unwrap();
    assert_eq!(other.get(&a).await.unwrap(), Lookup::Miss);
    let doubt = begin_write(other, &a).await;
    one.withdraw(&withdrawn).await.unwrap();
    assert_eq!(other.get(&a).await.unwrap(), Lookup::InDoubt(None));
    let written = value(&a, doubt, "new");
    settle(other, &written).await;
    one.withdraw(&withdrawn).await.unwrap();
    assert_eq!(other.get(&a).await.unwrap(), Lookup::Hit(written));
}

/// One process is late: it uses the names of an epoch that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_process_in_another_epoch_neither_reads_nor_writes_this_one() {
    let processes = Processes::start().await;
    let [late, other] = &processes.caches;
    let a = key("a");
    put_clean(late, &value(&a, version(7), "old")).await;
    other.enter_epoch(Epoch::new(2), None);
    other.raise(&Version::ZERO).await.unwrap();
    assert_eq!(other.get(&a).await.unwrap(), Lookup::Miss);
    let written = value(&a, begin_write(other, &a).await, "new");
    settle(other, &written).await;
    put_dirty(late, &value(&a, Version::MAX, "late")).await;
    let held = other.get(&a).await.unwrap();
    assert_eq!(held, Lookup::Hit(written.clone()));
    // The clock that it knew is gone, and it cannot take the shard back.
    for _ in 0..2 {
        let unseeded = late.begin_write(&[key("b")]).await;
        assert!(matches!(unseeded, Err(Error::Unseeded(_))), "{unseeded:?}");
        let raised = late.raise(&Version::ZERO).await;
        assert!(matches!(raised, Err(Error::Unseeded(_))), "{raised:?}");
        begin_write(other, &key("b")).await;
        let held = other.get(&a).await.unwrap();
        assert_eq!(held, Lookup::Hit(written.clone()));
    }
    late.enter_epoch(Epoch::new(2), None);
    assert_eq!(late.get(&a).await.unwrap(), Lookup::Hit(written));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn a_probe_leaves_nothing_and_is_in_no_epoch() {
    let processes = Processes::start().await;
    let [one, other] = &processes.caches;
    one.probe().await.unwrap();
    other.enter_epoch(Epoch::new(1), None);
    other.probe().await.unwrap();
    assert!(matches!(
        other.begin_write(&[key("a")]).await,
        Err(Error::Unseeded(_))
    ));
}
