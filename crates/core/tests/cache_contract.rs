//! What every cache promises, run for every implementation. A new one joins by
//! a name in [`Implementation`] and a line in the list at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

#[macro_use]
#[path = "contract/suite.rs"]
mod suite;

/// Each test on every cache.
macro_rules! on_every_cache {
    ($tests:tt) => {
        contract!(
            [
                memory: Implementation::Memory,
                #[ignore = "needs servers"]
                redis: Implementation::Redis(1),
                #[ignore = "needs servers"]
                redis_of_several_shards: Implementation::Redis(SEVERAL),
            ],
            $tests
        );
    };
}

#[path = "contract/cache_model.rs"]
mod cache_model;

#[path = "contract/discards.rs"]
mod discards;

#[path = "contract/epochs.rs"]
mod epochs;

#[path = "contract/forgetting.rs"]
mod forgetting;

#[path = "contract/withdrawals.rs"]
mod withdrawals;

#[path = "contract/fills.rs"]
mod fills;

#[path = "contract/dirty_records.rs"]
mod dirty_records;

#[path = "contract/issued_versions.rs"]
mod issued_versions;

#[path = "contract/doubts.rs"]
mod doubts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::cache::memory::MemoryCache;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, FillStart, FillTicket, Lifetimes, Lookup};
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::records::{valid_name, valid_names};
use tokio::task::JoinSet;

use suite::{
    SEVERAL, connect_to_redis, eventually, for_random, issued, key, new_identity_with, tombstone,
    value, version,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Implementation {
    Memory,
    /// With so many shards.
    Redis(u16),
}

impl Implementation {
    /// A cache of its own, with nothing in it and a clock that is not seeded.
    pub(crate) async fn unseeded(self, lifetimes: Lifetimes) -> Box<dyn Cache> {
        match self {
            Implementation::Memory => Box::new(MemoryCache::new(64 << 20, lifetimes)),
            Implementation::Redis(shards) => {
                let redis = connect_to_redis(&new_identity_with(shards)).await;
                Box::new(RedisCache::new(redis, lifetimes))
            }
        }
    }

    /// A cache of its own, with nothing in it.
    pub(crate) async fn cache(self, lifetimes: Lifetimes) -> Box<dyn Cache> {
        let cache = self.unseeded(lifetimes).await;
        cache.raise(&Version::ZERO).await.unwrap();
        cache
    }

    /// How many inputs a property is tried on.
    fn cases(self) -> u32 {
        match self {
            Implementation::Memory => 400,
            Implementation::Redis(_) => 60,
        }
    }
}

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(20);

pub(crate) const LONG_LIFETIMES: Lifetimes = Lifetimes {
    clean: LONG,
    absent: LONG,
    in_doubt: LONG,
    fill: LONG,
};
const SHORT_LIFETIMES: Lifetimes = Lifetimes {
    clean: SHORT,
    absent: SHORT,
    in_doubt: SHORT,
    fill: SHORT,
};

async fn granted(cache: &dyn Cache, key: &Key) -> FillTicket {
    match cache.begin_fill(key).await.unwrap() {
        FillStart::Granted(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    }
}

async fn begin_write(cache: &dyn Cache, key: &Key) -> Version {
    issued(cache.begin_write(std::slice::from_ref(key)).await)
        .unwrap()
        .pop()
        .unwrap()
}

async fn put_dirty(cache: &dyn Cache, record: &Record) {
    cache.put_dirty(std::slice::from_ref(record)).await.unwrap();
}

async fn settle(cache: &dyn Cache, record: &Record) {
    cache.settle(std::slice::from_ref(record)).await.unwrap();
}

async fn mark_clean(cache: &dyn Cache, key: &Key, version: Version) {
    cache.mark_clean(&[(key.clone(), version)]).await.unwrap();
}

async fn hit(cache: &dyn Cache, key: &Key) -> Record {
    match cache.get(key).await.unwrap() {
        Lookup::Hit(record) => record,
        other => panic!("no hit: {other:?}"),
    }
}

/// Holds a record that the database has.
async fn put_clean(cache: &dyn Cache, record: &Record) {
    put_dirty(cache, record).await;
    mark_clean(cache, &record.key, record.version).await;
}

/// Waits until a clean entry that was put just now has expired: everything
/// older whose lifetime is as short has expired too.
async fn until_a_clean_entry_expires(cache: &dyn Cache) {
    let witness = key("put later and expired already");
    put_clean(cache, &value(&witness, version(1), "x")).await;
    eventually("a clean entry expires", async || {
        cache.get(&witness).await.unwrap() == Lookup::Miss
    })
    .await;
}

async fn a_key_that_was_never_given_is_a_miss(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    put_dirty(&*cache, &value(&key("another"), version(1), "x")).await;
    assert_eq!(cache.get(&key("a")).await.unwrap(), Lookup::Miss);
}

async fn two_caches_do_not_see_each_other(implementation: Implementation) {
    let one = implementation.cache(LONG_LIFETIMES).await;
    let other = implementation.cache(LONG_LIFETIMES).await;
    put_dirty(&*one, &value(&key("a"), version(1), "x")).await;
    assert_eq!(other.get(&key("a")).await.unwrap(), Lookup::Miss);
}

async fn it_says_that_it_is_up(implementation: Implementation) {
    let health = implementation.cache(LONG_LIFETIMES).await.health().await;
    assert!(health.up, "{health:?}");
    assert_eq!(health.problem, None);
    assert!(!health.at.contains('@'), "{}", health.at);
}

async fn nothing_to_do_is_done(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    cache.put_dirty(&[]).await.unwrap();
    cache.mark_clean(&[]).await.unwrap();
    cache.settle(&[]).await.unwrap();
    assert_eq!(issued(cache.begin_write(&[]).await).unwrap(), []);
}

// Filling

// Absent records

// Dirty records

// Versions

// Writes on their way to the database

// Keys and bodies

async fn difficult_names_are_distinct_and_unchanged(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let records: Vec<Record> = (1..)
        .zip(valid_names())
        .map(|(number, name)| value(&Key::from(name), version(number), &number.to_string()))
        .collect();
    for record in &records {
        assert_eq!(cache.get(&record.key).await.unwrap(), Lookup::Miss);
        granted(&*cache, &record.key).await;
    }
    cache.put_dirty(&records).await.unwrap();
    for record in &records {
        assert_eq!(hit(&*cache, &record.key).await, *record);
    }
    let names: Vec<Key> = records.iter().map(|record| record.key.clone()).collect();
    let issued = issued(cache.begin_write(&names).await).unwrap();
    let written: Vec<Record> = records
        .into_iter()
        .zip(issued)
        .map(|(record, version)| Record { version, ..record })
        .collect();
    cache.settle(&written).await.unwrap();
    for record in &written {
        assert_eq!(hit(&*cache, &record.key).await, *record);
    }
}

async fn any_name_and_any_body_come_back_unchanged(implementation: Implementation) {
    let shared = implementation.cache(LONG_LIFETIMES).await;
    let names_and_bodies = vec((valid_name(), vec(any::<u8>(), 1..300)), 1..6);
    for_random(implementation.cases(), names_and_bodies, async |inputs| {
        for (name, body) in inputs {
            let key = Key::from(name);
            // By each of the four ways into the cache.
            let written = begin_write(&*shared, &key).await;
            let settled = Record {
                key: key.clone(),
                version: written,
                body: Some(Bytes::from(body.clone())),
            };
            settle(&*shared, &settled).await;
            assert_eq!(hit(&*shared, &key).await, settled);
            let dirty = Record {
                version: version(written.get() + 1),
                ..settled
            };
            put_dirty(&*shared, &dirty).await;
            assert_eq!(hit(&*shared, &key).await, dirty);
            shared.raise(&dirty.version).await.unwrap();
            begin_write(&*shared, &key).await;
            let held = shared.get(&key).await.unwrap();
            assert_eq!(held, Lookup::InDoubt(Some(dirty)));
        }
    })
    .await;
}

async fn the_first_and_the_last_version_are_held(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for number in [
        1,
        9,
        10,
        1 << 32,
        Version::MAX.get() - 1,
        Version::MAX.get(),
    ] {
        let record = value(&key("a"), version(number), "x");
        put_dirty(&*cache, &record).await;
        assert_eq!(hit(&*cache, &key("a")).await, record);
    }
}

async fn a_tombstone_is_held_like_a_value(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let filled = tombstone(&key("filled"), version(7));
    let ticket = granted(&*cache, &filled.key).await;
    assert!(cache.fill(ticket, &filled).await.unwrap());
    let dirty = tombstone(&key("dirty"), version(7));
    put_dirty(&*cache, &value(&dirty.key, version(6), "x")).await;
    put_dirty(&*cache, &dirty).await;
    let settled = tombstone(&key("settled"), version(7));
    put_clean(&*cache, &value(&settled.key, version(6), "x")).await;
    settle(&*cache, &settled).await;
    for deleted in [filled, dirty, settled] {
        assert_eq!(hit(&*cache, &deleted.key).await, deleted);
        put_dirty(&*cache, &value(&deleted.key, version(6), "x")).await;
        settle(&*cache, &value(&deleted.key, version(6), "x")).await;
        assert_eq!(hit(&*cache, &deleted.key).await, deleted);
    }
}

/// A command that is dropped midway must not leave its answer to the next one.
async fn a_dropped_get_gives_its_answer_to_no_other_call(implementation: Implementation) {
    let cache: Arc<dyn Cache> = implementation.cache(LONG_LIFETIMES).await.into();
    let records: Vec<Record> = (1..=100)
        .map(|number| {
            value(
                &key(&format!("{number}")),
                version(number),
                &number.to_string(),
            )
        })
        .collect();
    cache.put_dirty(&records).await.unwrap();
    let mut readers = JoinSet::new();
    for (place, record) in records.iter().cycle().take(2_000).cloned().enumerate() {
        let cache = cache.clone();
        readers.spawn(async move {
            if place % 2 == 0 {
                let until_dropped = Duration::from_micros(fastrand::u64(..5_000));
                let _ = tokio::time::timeout(until_dropped, cache.get(&record.key)).await;
            } else {
                assert_eq!(hit(&*cache, &record.key).await, record);
            }
        });
    }
    while let Some(ended) = readers.join_next().await {
        ended.unwrap();
    }
    for record in &records {
        assert_eq!(hit(&*cache, &record.key).await, *record);
    }
}

async fn no_read_goes_back(implementation: Implementation) {
    let cases = implementation.cases();
    for_random(cases, cache_model::steps(), async |steps| {
        cache_model::run(implementation, steps).await;
    })
    .await;
}

on_every_cache!([
    a_key_that_was_never_given_is_a_miss,
    two_caches_do_not_see_each_other,
    it_says_that_it_is_up,
    nothing_to_do_is_done,
    difficult_names_are_distinct_and_unchanged,
    any_name_and_any_body_come_back_unchanged,
    the_first_and_the_last_version_are_held,
    a_tombstone_is_held_like_a_value,
    a_dropped_get_gives_its_answer_to_no_other_call,
    no_read_goes_back,
]);
