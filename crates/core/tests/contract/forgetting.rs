//! What every cache promises when it is told to forget what it holds clean, or to replace it
//! by what the database has.

use std::sync::Arc;

use cache_core::cache::{Cache, Lookup, Refill};
use cache_core::error::{Error, Part};
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;

use crate::suite::{
    SEVERAL, ahead_of_the_clock, connect_to_redis, key, new_identity, tombstone, value, version,
};
use crate::{
    Implementation, LONG_LIFETIMES, begin_write, granted, hit, put_clean, put_dirty, settle,
};

/// Forgets one key, or all.
#[derive(Clone, Copy, Debug)]
enum What {
    One,
    All,
}

impl What {
    async fn forget(self, cache: &dyn Cache, key: &Key) {
        match self {
            What::One => cache.forget(key).await.unwrap(),
            What::All => cache.forget_all().await.unwrap(),
        }
    }
}

const EITHER: [What; 2] = [What::One, What::All];

async fn lookup(cache: &dyn Cache, key: &Key) -> Lookup {
    cache.get(key).await.unwrap()
}

async fn a_clean_value_is_forgotten(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for what in EITHER {
        let filled = value(&key("a"), version(7), "x");
        for _ in 0..2 {
            what.forget(&*cache, &filled.key).await;
            assert_eq!(lookup(&*cache, &filled.key).await, Lookup::Miss, "{what:?}");
        }
        let ticket = granted(&*cache, &filled.key).await;
        assert!(cache.fill(ticket, &filled).await.unwrap());
        what.forget(&*cache, &filled.key).await;
        assert_eq!(lookup(&*cache, &filled.key).await, Lookup::Miss, "{what:?}");
        let settled = value(&key("a"), begin_write(&*cache, &filled.key).await, "y");
        settle(&*cache, &settled).await;
        what.forget(&*cache, &filled.key).await;
        assert_eq!(lookup(&*cache, &filled.key).await, Lookup::Miss, "{what:?}");
    }
}

async fn other_keys_stay_when_one_is_forgotten(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let kept = value(&key("kept"), version(7), "x");
    put_clean(&*cache, &kept).await;
    put_clean(&*cache, &value(&key("a"), version(7), "x")).await;
    cache.forget(&key("a")).await.unwrap();
    assert_eq!(hit(&*cache, &kept.key).await, kept);
}

async fn more_values_than_a_batch_are_forgotten(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let keys: Vec<Key> = (0..2_500).map(|number| key(&format!("{number}"))).collect();
    let begun = cache.begin_write(&keys).await.unwrap();
    let records: Vec<Record> = keys
        .iter()
        .zip(begun)
        .map(|(key, begun)| value(key, begun.version, "x"))
        .collect();
    cache.settle(&records).await.unwrap();
    cache.forget_all().await.unwrap();
    for key in &keys {
        assert_eq!(lookup(&*cache, key).await, Lookup::Miss);
    }
}

async fn dirty_records_and_doubts_stay(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let dirty = value(&key("dirty"), version(7), "x");
    put_dirty(&*cache, &dirty).await;
    let both = value(&key("both"), version(7), "x");
    put_dirty(&*cache, &both).await;
    let newer = begin_write(&*cache, &both.key).await;
    let doubtful = key("doubt");
    let version = begin_write(&*cache, &doubtful).await;
    for what in EITHER {
        for key in [&dirty.key, &both.key, &doubtful] {
            what.forget(&*cache, key).await;
        }
        assert_eq!(hit(&*cache, &dirty.key).await, dirty);
        let held = Lookup::InDoubt(Some(both.clone()));
        assert_eq!(lookup(&*cache, &both.key).await, held);
        assert_eq!(lookup(&*cache, &doubtful).await, Lookup::InDoubt(None));
    }
    for written in [value(&both.key, newer, "y"), value(&doubtful, version, "y")] {
        settle(&*cache, &written).await;
        assert_eq!(hit(&*cache, &written.key).await, written);
    }
}

/// It has read the database before, perhaps before another program changed the row.
async fn a_reader_that_fills_meanwhile_is_refused(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for what in EITHER {
        let read = value(&key("a"), version(7), "old");
        let ticket = granted(&*cache, &read.key).await;
        what.forget(&*cache, &read.key).await;
        assert!(!cache.fill(ticket, &read).await.unwrap(), "{what:?}");
        assert_eq!(lookup(&*cache, &read.key).await, Lookup::Miss);
        // The next reader may fill at once.
        let next = granted(&*cache, &read.key).await;
        assert!(!cache.fill(ticket, &read).await.unwrap(), "{what:?}");
        let changed = value(&key("a"), version(7), "changed");
        assert!(cache.fill(next, &changed).await.unwrap());
        assert_eq!(hit(&*cache, &read.key).await, changed);
        what.forget(&*cache, &read.key).await;
    }
}

async fn a_clean_value_is_replaced_by_what_the_database_has(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let mut held = value(&key("a"), version(7), "held");
    put_clean(&*cache, &held).await;
    for record in [
        value(&held.key, version(7), "changed by hand"),
        value(&held.key, Version::ZERO, "inserted by hand"),
        Record::absent(held.key.clone()),
        tombstone(&held.key, version(9)),
        value(&held.key, version(12), "written"),
    ] {
        assert_eq!(cache.refill(&held, &record).await.unwrap(), Refill::Stored);
        assert_eq!(hit(&*cache, &held.key).await, record);
        held = record;
    }
}

async fn only_what_was_held_clean_is_replaced(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let seen = value(&key("a"), version(7), "seen");
    let read = value(&key("a"), version(7), "read");
    let refill = async |expected: Lookup| {
        let refilled = cache.refill(&seen, &read).await.unwrap();
        assert_eq!(refilled, Refill::Kept(expected));
    };
    refill(Lookup::Miss).await;
    let ticket = granted(&*cache, &seen.key).await;
    refill(Lookup::Miss).await;
    assert!(cache.fill(ticket, &seen).await.unwrap());
    // The same value, which only the journal has now.
    cache.forget(&seen.key).await.unwrap();
    put_dirty(&*cache, &seen).await;
    refill(Lookup::Hit(seen.clone())).await;
    let begun = begin_write(&*cache, &seen.key).await;
    refill(Lookup::InDoubt(Some(seen.clone()))).await;
    let written = value(&seen.key, begun, "written");
    settle(&*cache, &written).await;
    refill(Lookup::Hit(written.clone())).await;
    assert_eq!(hit(&*cache, &seen.key).await, written);
    // Clean, at the same version, with another body.
    cache.forget(&seen.key).await.unwrap();
    let other = value(&seen.key, version(7), "other");
    put_clean(&*cache, &other).await;
    refill(Lookup::Hit(other.clone())).await;
}

/// The next version must be newer than what is held.
async fn a_refill_that_is_ahead_of_the_clock_raises_it(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let held = value(&key("a"), version(7), "x");
    put_clean(&*cache, &held).await;
    let ahead = value(&held.key, ahead_of_the_clock(), "x");
    assert_eq!(cache.refill(&held, &ahead).await.unwrap(), Refill::Stored);
    assert!(begin_write(&*cache, &held.key).await > ahead.version);
}

on_every_cache!([
    a_clean_value_is_forgotten,
    other_keys_stay_when_one_is_forgotten,
    more_values_than_a_batch_are_forgotten,
    dirty_records_and_doubts_stay,
    a_reader_that_fills_meanwhile_is_refused,
    a_clean_value_is_replaced_by_what_the_database_has,
    only_what_was_held_clean_is_replaced,
    a_refill_that_is_ahead_of_the_clock_raises_it,
]);

/// The server belongs to others, too, and to other databases' data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn only_the_entries_of_one_database_are_forgotten() {
    use cache_core::cache::redis::RedisCache;
    let identities = [new_identity(), new_identity()];
    let mut caches = Vec::new();
    for identity in &identities {
        let cache = RedisCache::new(connect_to_redis(identity).await, LONG_LIFETIMES);
        cache.raise(&Version::ZERO).await.unwrap();
        caches.push(Arc::new(cache));
    }
    let held = value(&key("a"), version(7), "x");
    for cache in &caches {
        put_clean(&**cache, &held).await;
    }
    caches[0].forget_all().await.unwrap();
    assert_eq!(lookup(&*caches[0], &held.key).await, Lookup::Miss);
    assert_eq!(hit(&*caches[1], &held.key).await, held);
    // Another process on the same data sees that as well, and the clock has stayed.
    let other = RedisCache::new(connect_to_redis(&identities[1]).await, LONG_LIFETIMES);
    other.forget_all().await.unwrap();
    assert_eq!(lookup(&*caches[1], &held.key).await, Lookup::Miss);
    begin_write(&*caches[1], &held.key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn nothing_is_refilled_before_the_clock_is_raised() {
    let cache = Implementation::Redis(1).unseeded(LONG_LIFETIMES).await;
    let held = value(&key("a"), version(7), "x");
    let refilled = cache.refill(&held, &held).await;
    assert!(
        matches!(refilled, Err(Error::Unseeded(Part::Cache))),
        "{refilled:?}"
    );
    let read = cache.get(&held.key).await;
    assert!(matches!(read, Err(Error::Unseeded(_))), "{read:?}");
}
