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

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cache_core::cache::memory::MemoryCache;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, FillStart, FillTicket, Lifetimes, Lookup};
use cache_core::error::{Error, Part};
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use proptest::collection::vec;
use proptest::prelude::*;
use test_support::records::{valid_name, valid_names};
use tokio::task::JoinSet;

use suite::{
    SEVERAL, ahead_of_the_clock, connect_to_redis, eventually, for_random, issued, key,
    new_identity_with, tombstone, value, version,
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

async fn a_filled_record_is_a_hit(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let record = value(&key("a"), version(7), "x");
    let ticket = granted(&*cache, &record.key).await;
    assert_eq!(cache.get(&record.key).await.unwrap(), Lookup::Miss);
    assert!(cache.fill(ticket, &record).await.unwrap());
    assert_eq!(hit(&*cache, &record.key).await, record);
}

async fn of_two_readers_the_second_is_busy(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    granted(&*cache, &key("a")).await;
    let second = cache.begin_fill(&key("a")).await.unwrap();
    assert_eq!(second, FillStart::Busy);
    granted(&*cache, &key("b")).await;
}

async fn begin_fill_finds_what_is_held(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let record = value(&key("a"), version(7), "x");
    let ticket = granted(&*cache, &record.key).await;
    assert!(cache.fill(ticket, &record).await.unwrap());
    let found = cache.begin_fill(&record.key).await.unwrap();
    assert_eq!(found, FillStart::Found(Lookup::Hit(record.clone())));

    begin_write(&*cache, &record.key).await;
    let found = cache.begin_fill(&record.key).await.unwrap();
    assert_eq!(found, FillStart::Found(Lookup::InDoubt(None)));

    put_dirty(&*cache, &tombstone(&key("b"), version(8))).await;
    let found = cache.begin_fill(&key("b")).await.unwrap();
    let held = Lookup::Hit(tombstone(&key("b"), version(8)));
    assert_eq!(found, FillStart::Found(held));
}

async fn a_ticket_fills_once(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let record = value(&key("a"), version(7), "x");
    let ticket = granted(&*cache, &record.key).await;
    assert!(cache.fill(ticket, &record).await.unwrap());
    let later = value(&key("a"), version(8), "y");
    assert!(!cache.fill(ticket, &later).await.unwrap());
    assert_eq!(hit(&*cache, &record.key).await, record);
}

async fn a_ticket_fills_its_own_key_only(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let ticket = granted(&*cache, &key("a")).await;
    let other_ticket = granted(&*cache, &key("b")).await;
    assert_ne!(ticket, other_ticket);
    for other in ["b", "c"] {
        let record = value(&key(other), version(7), "x");
        assert!(!cache.fill(ticket, &record).await.unwrap());
        assert_eq!(cache.get(&record.key).await.unwrap(), Lookup::Miss);
    }
}

async fn a_fill_is_refused_after_a_dirty_record_was_put(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let ticket = granted(&*cache, &key("a")).await;
    let written = value(&key("a"), version(7), "new");
    put_dirty(&*cache, &written).await;
    // Even one that is newer: the ticket decides, not the version.
    for read in [6, 8] {
        let record = value(&key("a"), version(read), "read");
        assert!(!cache.fill(ticket, &record).await.unwrap());
    }
    assert_eq!(hit(&*cache, &key("a")).await, written);
}

async fn a_fill_is_refused_after_a_write_began(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let ticket = granted(&*cache, &key("a")).await;
    begin_write(&*cache, &key("a")).await;
    let old = value(&key("a"), version(7), "old");
    assert!(!cache.fill(ticket, &old).await.unwrap());
    let held = cache.get(&key("a")).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None));
}

async fn a_fill_is_refused_after_a_write_settled(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let ticket = granted(&*cache, &key("a")).await;
    let written = tombstone(&key("a"), begin_write(&*cache, &key("a")).await);
    settle(&*cache, &written).await;
    let old = value(&key("a"), version(7), "old");
    assert!(!cache.fill(ticket, &old).await.unwrap());
    assert_eq!(hit(&*cache, &key("a")).await, written);

    // One whose mark of doubt was lost before the ticket was granted.
    let ticket = granted(&*cache, &key("b")).await;
    settle(&*cache, &value(&key("b"), version(9), "new")).await;
    let old = value(&key("b"), version(7), "old");
    assert!(!cache.fill(ticket, &old).await.unwrap());
    assert_eq!(cache.get(&key("b")).await.unwrap(), Lookup::Miss);
}

async fn a_fill_is_refused_after_its_ticket_expired(implementation: Implementation) {
    let lifetimes = Lifetimes {
        fill: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    let lost = granted(&*cache, &key("a")).await;
    // A ticket that was taken later has expired when it is granted again.
    granted(&*cache, &key("b")).await;
    eventually("a ticket expires", async || {
        cache.begin_fill(&key("b")).await.unwrap() != FillStart::Busy
    })
    .await;
    let record = value(&key("a"), version(7), "old");
    assert!(!cache.fill(lost, &record).await.unwrap());
    assert_eq!(cache.get(&record.key).await.unwrap(), Lookup::Miss);
}

async fn a_ticket_that_expired_is_void_though_another_was_granted(implementation: Implementation) {
    let lifetimes = Lifetimes {
        fill: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    let lost = granted(&*cache, &key("a")).await;
    eventually("a ticket expires", async || {
        cache.begin_fill(&key("a")).await.unwrap() != FillStart::Busy
    })
    .await;
    let record = value(&key("a"), version(7), "old");
    assert!(!cache.fill(lost, &record).await.unwrap());
}

async fn a_filled_record_expires(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let record = value(&key("a"), version(7), "x");
    // The ticket may expire before it is used.
    eventually("the key is filled", async || {
        match cache.begin_fill(&record.key).await.unwrap() {
            FillStart::Granted(ticket) => cache.fill(ticket, &record).await.unwrap(),
            _ => false,
        }
    })
    .await;
    eventually("it expires", async || {
        cache.get(&record.key).await.unwrap() == Lookup::Miss
    })
    .await;
}

async fn a_filled_record_that_is_ahead_of_the_clock_raises_it(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let record = value(&key("a"), ahead_of_the_clock(), "x");
    let ticket = granted(&*cache, &record.key).await;
    assert!(cache.fill(ticket, &record).await.unwrap());
    let next = begin_write(&*cache, &record.key).await;
    assert!(next > record.version, "{next} after {}", record.version);
}

async fn a_filled_record_that_is_behind_the_clock_does_not_lower_it(
    implementation: Implementation,
) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let floor = ahead_of_the_clock();
    cache.raise(&floor).await.unwrap();
    let record = value(&key("a"), version(7), "x");
    let ticket = granted(&*cache, &record.key).await;
    assert!(cache.fill(ticket, &record).await.unwrap());
    let next = begin_write(&*cache, &record.key).await;
    assert!(next > floor, "{next} below {floor}");
}

// Absent records

async fn an_absent_record_is_held(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let absent = Record::absent(key("a"));
    let ticket = granted(&*cache, &absent.key).await;
    assert!(cache.fill(ticket, &absent).await.unwrap());
    assert_eq!(hit(&*cache, &absent.key).await, absent);
}

async fn any_write_replaces_an_absent_record(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for name in ["put", "settled", "begun"] {
        let absent = Record::absent(key(name));
        let ticket = granted(&*cache, &absent.key).await;
        assert!(cache.fill(ticket, &absent).await.unwrap());
    }
    let put = value(&key("put"), version(1), "x");
    put_dirty(&*cache, &put).await;
    assert_eq!(hit(&*cache, &put.key).await, put);

    let settled = key("settled");
    let settled = value(&settled, begin_write(&*cache, &settled).await, "x");
    settle(&*cache, &settled).await;
    assert_eq!(hit(&*cache, &settled.key).await, settled);

    begin_write(&*cache, &key("begun")).await;
    let held = cache.get(&key("begun")).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None));
}

async fn an_absent_record_has_a_lifetime_of_its_own(implementation: Implementation) {
    let lifetimes = Lifetimes {
        absent: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    let deleted = tombstone(&key("deleted"), version(7));
    let ticket = granted(&*cache, &deleted.key).await;
    assert!(cache.fill(ticket, &deleted).await.unwrap());
    let absent = Record::absent(key("absent"));
    let ticket = granted(&*cache, &absent.key).await;
    assert!(cache.fill(ticket, &absent).await.unwrap());
    eventually("the absent record expires", async || {
        cache.get(&absent.key).await.unwrap() == Lookup::Miss
    })
    .await;
    assert_eq!(hit(&*cache, &deleted.key).await, deleted);
}

// Dirty records

async fn of_dirty_records_the_newest_is_held(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let old = value(&key("a"), version(5), "old");
    let new = value(&key("a"), version(6), "new");
    let again = value(&key("a"), version(6), "same version, another body");
    put_dirty(&*cache, &old).await;
    assert_eq!(hit(&*cache, &key("a")).await, old);
    put_dirty(&*cache, &new).await;
    assert_eq!(hit(&*cache, &key("a")).await, new);
    put_dirty(&*cache, &old).await;
    assert_eq!(hit(&*cache, &key("a")).await, new);
    put_dirty(&*cache, &again).await;
    assert_eq!(hit(&*cache, &key("a")).await, new);
}

async fn of_dirty_records_in_one_call_the_newest_is_held(implementation: Implementation) {
    let names = ["a", "b", "c", "d"];
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [3, 1, 2]] {
        let cache = implementation.cache(LONG_LIFETIMES).await;
        let records: Vec<Record> = order
            .iter()
            .flat_map(|number| {
                names.map(|name| value(&key(name), version(*number), &number.to_string()))
            })
            .collect();
        cache.put_dirty(&records).await.unwrap();
        for name in names {
            let newest = value(&key(name), version(3), "3");
            assert_eq!(hit(&*cache, &newest.key).await, newest);
        }
    }
}

async fn a_dirty_record_does_not_replace_a_newer_clean_one(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let filled = value(&key("filled"), version(7), "x");
    let ticket = granted(&*cache, &filled.key).await;
    assert!(cache.fill(ticket, &filled).await.unwrap());
    let settled = key("settled");
    let settled = tombstone(&settled, begin_write(&*cache, &settled).await);
    settle(&*cache, &settled).await;
    let flushed = value(&key("flushed"), version(7), "x");
    put_clean(&*cache, &flushed).await;
    for held in [filled, settled, flushed] {
        let number = held.version.get();
        for older in [number - 1, number] {
            put_dirty(&*cache, &value(&held.key, version(older), "old")).await;
            assert_eq!(hit(&*cache, &held.key).await, held, "put at {older}");
        }
        let newer = value(&held.key, version(number + 1), "newer");
        put_dirty(&*cache, &newer).await;
        assert_eq!(hit(&*cache, &held.key).await, newer);
    }
}

async fn a_dirty_record_outlives_every_lifetime(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let put = value(&key("put"), version(7), "x");
    put_dirty(&*cache, &put).await;
    // These had an expiry of their own before.
    let over_clean = value(&key("over clean"), version(7), "x");
    put_clean(&*cache, &value(&over_clean.key, version(6), "old")).await;
    put_dirty(&*cache, &over_clean).await;
    let over_ticket = value(&key("over a ticket"), version(7), "x");
    granted(&*cache, &over_ticket.key).await;
    put_dirty(&*cache, &over_ticket).await;
    let over_doubt = key("over doubt");
    let doubt = begin_write(&*cache, &over_doubt).await;
    let over_doubt = value(&over_doubt, version(doubt.get() + 1), "x");
    put_dirty(&*cache, &over_doubt).await;
    let deleted = tombstone(&key("deleted"), version(7));
    put_dirty(&*cache, &deleted).await;

    until_a_clean_entry_expires(&*cache).await;
    for record in [put, over_clean, over_ticket, over_doubt, deleted] {
        assert_eq!(hit(&*cache, &record.key).await, record);
    }
}

async fn a_dirty_record_outlives_a_write_in_flight(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let older = value(&key("older"), version(7), "x");
    put_dirty(&*cache, &older).await;
    begin_write(&*cache, &older.key).await;
    let late = value(&key("late"), version(7), "x");
    begin_write(&*cache, &late.key).await;
    put_dirty(&*cache, &late).await;

    until_a_clean_entry_expires(&*cache).await;
    for record in [older, late] {
        match cache.get(&record.key).await.unwrap() {
            // In doubt or no longer so: only the journal has the value beside this.
            Lookup::Hit(held) | Lookup::InDoubt(Some(held)) => assert_eq!(held, record),
            other => panic!("the dirty record is gone: {other:?}"),
        }
    }
}

async fn an_entry_expires_once_its_version_is_marked_clean(implementation: Implementation) {
    let lifetimes = Lifetimes {
        clean: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    for record in [
        value(&key("a"), version(7), "x"),
        tombstone(&key("deleted"), version(7)),
    ] {
        put_dirty(&*cache, &record).await;
        mark_clean(&*cache, &record.key, record.version).await;
        eventually("it expires", async || {
            match cache.get(&record.key).await.unwrap() {
                Lookup::Hit(held) => {
                    assert_eq!(held, record);
                    false
                }
                Lookup::Miss => true,
                Lookup::InDoubt(held) => panic!("in doubt: {held:?}"),
            }
        })
        .await;
    }
}

async fn a_clean_entry_is_a_hit_until_it_expires(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for record in [
        value(&key("a"), version(7), "x"),
        tombstone(&key("deleted"), version(7)),
    ] {
        put_dirty(&*cache, &record).await;
        mark_clean(&*cache, &record.key, record.version).await;
        assert_eq!(hit(&*cache, &record.key).await, record);
    }
}

async fn only_the_version_that_is_held_can_be_marked_clean(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let held = value(&key("a"), version(7), "x");
    put_dirty(&*cache, &held).await;
    for other in [1, 6, 8, 700] {
        mark_clean(&*cache, &held.key, version(other)).await;
    }
    mark_clean(&*cache, &held.key, Version::ZERO).await;
    until_a_clean_entry_expires(&*cache).await;
    assert_eq!(hit(&*cache, &held.key).await, held);
}

async fn of_many_flushed_versions_each_is_judged_by_itself(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let records: Vec<Record> = (0..40)
        .map(|number| value(&key(&format!("user {number}")), version(number + 10), "x"))
        .collect();
    cache.put_dirty(&records).await.unwrap();
    // Every second one was written again after it was flushed.
    let again: Vec<Record> = records
        .iter()
        .step_by(2)
        .map(|record| value(&record.key, version(record.version.get() + 100), "again"))
        .collect();
    cache.put_dirty(&again).await.unwrap();
    let flushed: Vec<(Key, Version)> = records
        .iter()
        .map(|record| (record.key.clone(), record.version))
        .collect();
    cache.mark_clean(&flushed).await.unwrap();
    for record in records.iter().skip(1).step_by(2) {
        eventually("the flushed one expires", async || {
            cache.get(&record.key).await.unwrap() == Lookup::Miss
        })
        .await;
    }
    until_a_clean_entry_expires(&*cache).await;
    for record in &again {
        assert_eq!(hit(&*cache, &record.key).await, *record);
    }
}

async fn what_is_not_dirty_is_not_changed_by_marking_it_clean(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    mark_clean(&*cache, &key("missing"), version(7)).await;
    assert_eq!(cache.get(&key("missing")).await.unwrap(), Lookup::Miss);

    let ticket = granted(&*cache, &key("filling")).await;
    mark_clean(&*cache, &key("filling"), version(7)).await;
    mark_clean(&*cache, &key("filling"), Version::ZERO).await;
    let filled = value(&key("filling"), version(7), "x");
    assert!(cache.fill(ticket, &filled).await.unwrap());

    let doubt = begin_write(&*cache, &key("begun")).await;
    mark_clean(&*cache, &key("begun"), doubt).await;
    let held = cache.get(&key("begun")).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None));

    let clean = value(&key("clean"), version(7), "x");
    put_clean(&*cache, &clean).await;
    mark_clean(&*cache, &clean.key, clean.version).await;
    assert_eq!(hit(&*cache, &clean.key).await, clean);
}

async fn writers_that_race_leave_the_newest(implementation: Implementation) {
    let cache: Arc<dyn Cache> = implementation.cache(LONG_LIFETIMES).await.into();
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let cache = cache.clone();
        writers.spawn(async move {
            for turn in 0..25 {
                let number = 1 + turn * 8 + writer;
                put_dirty(
                    &*cache,
                    &value(&key("a"), version(number), &number.to_string()),
                )
                .await;
                assert!(hit(&*cache, &key("a")).await.version >= version(number));
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(
        hit(&*cache, &key("a")).await,
        value(&key("a"), version(200), "200")
    );
}

// Versions

async fn no_version_is_issued_before_the_clock_is_raised(implementation: Implementation) {
    let cache = implementation.unseeded(LONG_LIFETIMES).await;
    let refused = issued(cache.begin_write(&[key("a"), key("b")]).await);
    assert!(
        matches!(refused, Err(Error::Unseeded(Part::Cache))),
        "{refused:?}"
    );
    // One that no other process can write needs no clock to read it.
    let read = cache.get(&key("a")).await;
    assert!(
        matches!(read, Ok(Lookup::Miss) | Err(Error::Unseeded(_))),
        "{read:?}"
    );
    cache.raise(&Version::ZERO).await.unwrap();
    let issued = issued(cache.begin_write(&[key("a"), key("b")]).await).unwrap();
    assert!(issued.iter().all(|version| *version > Version::ZERO));
}

async fn versions_follow_the_wall_clock(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let issued = begin_write(&*cache, &key("a")).await.get();
    // The server's clock may differ from this machine's.
    let difference_us = issued.abs_diff(Version::now().get());
    assert!(difference_us < 60_000_000, "{issued} is no time of now");
}

async fn the_versions_of_a_key_grow_in_the_order_of_its_writes(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let names = ["a", "b", "a", "c", "d", "a", "b", "e", "f", "g", "a"];
    let mut newest = HashMap::new();
    for _ in 0..50 {
        let issued = issued(cache.begin_write(&names.map(key)).await).unwrap();
        assert_eq!(issued.len(), names.len());
        for (name, version) in names.iter().zip(issued) {
            let before = newest.insert(*name, version);
            assert!(before < Some(version), "{version} after {before:?}");
        }
    }
}

async fn versions_are_newer_than_every_floor(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let floor = ahead_of_the_clock();
    cache.raise(&floor).await.unwrap();
    let names: Vec<Key> = (0..40).map(|number| key(&format!("{number}"))).collect();
    let first = issued(cache.begin_write(&names).await).unwrap();
    assert!(first.iter().all(|version| *version > floor));
    // A floor that lies below is no reason to go back.
    cache.raise(&Version::ZERO).await.unwrap();
    cache.raise(&version(5)).await.unwrap();
    let second = issued(cache.begin_write(&names).await).unwrap();
    for (first, second) in first.iter().zip(&second) {
        assert!(second > first, "{second} after {first}");
    }
}

async fn versions_that_are_issued_at_once_are_distinct(implementation: Implementation) {
    let cache: Arc<dyn Cache> = implementation.cache(LONG_LIFETIMES).await.into();
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let cache = cache.clone();
        writers.spawn(async move {
            let mut issued = Vec::new();
            for _ in 0..25 {
                let begun = cache.begin_write(&[key("a"), key("a")]).await;
                issued.extend(suite::issued(begun).unwrap());
            }
            issued
        });
    }
    let issued = writers.join_all().await.concat();
    let distinct: HashSet<Version> = issued.iter().copied().collect();
    assert_eq!(distinct.len(), 8 * 25 * 2);
    // The doubt is that of the newest.
    let mut issued: Vec<Version> = distinct.into_iter().collect();
    issued.sort_unstable();
    for version in issued.iter().rev().skip(1) {
        settle(&*cache, &value(&key("a"), *version, "x")).await;
        let held = cache.get(&key("a")).await.unwrap();
        assert_eq!(held, Lookup::InDoubt(None));
    }
    let newest = value(&key("a"), *issued.last().unwrap(), "x");
    settle(&*cache, &newest).await;
    assert_eq!(hit(&*cache, &key("a")).await, newest);
}

// Writes on their way to the database

async fn a_write_in_flight_hides_a_clean_value(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let filled = value(&key("filled"), version(7), "x");
    let ticket = granted(&*cache, &filled.key).await;
    assert!(cache.fill(ticket, &filled).await.unwrap());
    let settled = key("settled");
    let settled = value(&settled, begin_write(&*cache, &settled).await, "x");
    settle(&*cache, &settled).await;
    let flushed = value(&key("flushed"), version(7), "x");
    put_clean(&*cache, &flushed).await;
    for record in [filled, settled, flushed] {
        begin_write(&*cache, &record.key).await;
        let held = cache.get(&record.key).await.unwrap();
        assert_eq!(held, Lookup::InDoubt(None));
    }
}

async fn a_write_in_flight_leaves_a_dirty_value_beside_it(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for dirty in [
        value(&key("a"), version(7), "x"),
        tombstone(&key("deleted"), version(7)),
    ] {
        put_dirty(&*cache, &dirty).await;
        // The second write in flight leaves it as well.
        for _ in 0..2 {
            begin_write(&*cache, &dirty.key).await;
            let held = cache.get(&dirty.key).await.unwrap();
            assert_eq!(held, Lookup::InDoubt(Some(dirty.clone())));
        }
    }
}

async fn a_settled_write_ends_its_doubt(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let written = value(&key("a"), begin_write(&*cache, &key("a")).await, "x");
    settle(&*cache, &written).await;
    assert_eq!(hit(&*cache, &key("a")).await, written);
    let deleted = tombstone(&key("a"), begin_write(&*cache, &key("a")).await);
    settle(&*cache, &deleted).await;
    assert_eq!(hit(&*cache, &key("a")).await, deleted);

    let dirty = value(&key("dirty"), version(7), "x");
    put_dirty(&*cache, &dirty).await;
    let written = value(&dirty.key, begin_write(&*cache, &dirty.key).await, "y");
    settle(&*cache, &written).await;
    assert_eq!(hit(&*cache, &dirty.key).await, written);
}

async fn many_settled_writes_end_their_doubts(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let names: Vec<Key> = (0..100).map(|number| key(&format!("{number}"))).collect();
    let issued = issued(cache.begin_write(&names).await).unwrap();
    let written: Vec<Record> = names
        .iter()
        .zip(issued)
        .map(|(name, version)| value(name, version, name.as_str()))
        .collect();
    cache.settle(&written).await.unwrap();
    for record in &written {
        assert_eq!(hit(&*cache, &record.key).await, *record);
    }
}

async fn a_settled_write_ends_no_newer_doubt(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let older = value(&key("a"), begin_write(&*cache, &key("a")).await, "older");
    let newer = value(&key("a"), begin_write(&*cache, &key("a")).await, "newer");
    settle(&*cache, &older).await;
    let held = cache.get(&key("a")).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None));
    settle(&*cache, &newer).await;
    assert_eq!(hit(&*cache, &key("a")).await, newer);
    settle(&*cache, &older).await;
    assert_eq!(hit(&*cache, &key("a")).await, newer);
}

async fn a_settled_write_ends_no_newer_doubt_of_a_dirty_record(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let dirty = value(&key("a"), version(7), "dirty");
    put_dirty(&*cache, &dirty).await;
    let older = value(&key("a"), begin_write(&*cache, &key("a")).await, "older");
    let newer = value(&key("a"), begin_write(&*cache, &key("a")).await, "newer");
    settle(&*cache, &older).await;
    let held = cache.get(&key("a")).await.unwrap();
    assert!(matches!(held, Lookup::InDoubt(_)), "{held:?}");
    settle(&*cache, &newer).await;
    assert_eq!(hit(&*cache, &key("a")).await, newer);
}

async fn a_settled_write_does_not_replace_what_is_newer(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let dirty = value(&key("dirty"), version(7), "new");
    put_dirty(&*cache, &dirty).await;
    let clean = tombstone(&key("clean"), version(7));
    put_clean(&*cache, &clean).await;
    for held in [dirty, clean] {
        settle(&*cache, &value(&held.key, version(6), "old")).await;
        assert_eq!(hit(&*cache, &held.key).await, held);
        let newer = value(&held.key, version(8), "newer");
        settle(&*cache, &newer).await;
        assert_eq!(hit(&*cache, &held.key).await, newer);
    }
}

/// It lost its mark long ago: the name may have been deleted since, and the tombstone purged.
async fn a_late_settled_write_does_not_replace_an_absent_record(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let absent = Record::absent(key("a"));
    let ticket = granted(&*cache, &absent.key).await;
    assert!(cache.fill(ticket, &absent).await.unwrap());
    settle(&*cache, &value(&absent.key, version(6), "old")).await;
    assert_eq!(cache.get(&absent.key).await.unwrap(), Lookup::Miss);
}

async fn a_settled_write_that_is_too_old_leaves_a_record_dirty(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let dirty = value(&key("dirty"), version(7), "new");
    put_dirty(&*cache, &dirty).await;
    settle(&*cache, &value(&dirty.key, version(6), "old")).await;
    until_a_clean_entry_expires(&*cache).await;
    assert_eq!(hit(&*cache, &dirty.key).await, dirty);
}

async fn a_settled_record_expires(implementation: Implementation) {
    let lifetimes = Lifetimes {
        clean: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    let over_dirty = value(&key("over dirty"), version(7), "x");
    put_dirty(&*cache, &value(&over_dirty.key, version(6), "old")).await;
    settle(&*cache, &over_dirty).await;
    let alone = key("alone");
    let alone = value(&alone, begin_write(&*cache, &alone).await, "x");
    settle(&*cache, &alone).await;
    for record in [over_dirty, alone] {
        eventually("it expires", async || {
            cache.get(&record.key).await.unwrap() == Lookup::Miss
        })
        .await;
    }
}

/// Whether a newer write of the key came and went since is unknown.
async fn a_settled_write_whose_mark_was_lost_is_not_held(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let late = value(&key("a"), begin_write(&*cache, &key("a")).await, "late");
    let newer = value(&key("a"), begin_write(&*cache, &key("a")).await, "newer");
    settle(&*cache, &newer).await;
    eventually("all of it is forgotten", async || {
        cache.get(&key("a")).await.unwrap() == Lookup::Miss
    })
    .await;
    settle(&*cache, &late).await;
    assert_eq!(cache.get(&key("a")).await.unwrap(), Lookup::Miss);
}

async fn writers_in_flight_that_race_never_show_an_older_value(implementation: Implementation) {
    let cache: Arc<dyn Cache> = implementation.cache(LONG_LIFETIMES).await.into();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..4 {
        let (cache, acknowledged) = (cache.clone(), acknowledged.clone());
        writers.spawn(async move {
            for _ in 0..implementation.cases() * 10 {
                let written = value(&key("a"), begin_write(&*cache, &key("a")).await, "x");
                settle(&*cache, &written).await;
                acknowledged.fetch_max(written.version.get(), Ordering::AcqRel);
                let before = version(acknowledged.load(Ordering::Acquire));
                if let Lookup::Hit(held) = cache.get(&key("a")).await.unwrap() {
                    assert!(held.version >= before, "{held:?} after {before}");
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let newest = version(acknowledged.load(Ordering::Acquire));
    assert_eq!(hit(&*cache, &key("a")).await.version, newest);
}

async fn a_doubt_ends_when_its_writer_never_settles(implementation: Implementation) {
    let lifetimes = Lifetimes {
        in_doubt: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    put_clean(&*cache, &value(&key("a"), version(7), "old")).await;
    begin_write(&*cache, &key("a")).await;
    eventually("the doubt ends", async || {
        match cache.get(&key("a")).await.unwrap() {
            Lookup::InDoubt(held) => {
                assert_eq!(held, None);
                false
            }
            // What was held before may be old by now.
            Lookup::Hit(held) => panic!("{held:?} came back"),
            Lookup::Miss => true,
        }
    })
    .await;
    let read = value(&key("a"), version(8), "read");
    let ticket = granted(&*cache, &key("a")).await;
    assert!(cache.fill(ticket, &read).await.unwrap());
    assert_eq!(hit(&*cache, &key("a")).await, read);
}

async fn a_doubt_lasts_until_its_lifetime_ends(implementation: Implementation) {
    let lifetimes = Lifetimes {
        in_doubt: LONG,
        ..SHORT_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    let ticket = granted(&*cache, &key("a")).await;
    begin_write(&*cache, &key("a")).await;
    put_clean(&*cache, &value(&key("b"), version(7), "x")).await;
    begin_write(&*cache, &key("b")).await;
    until_a_clean_entry_expires(&*cache).await;
    for name in ["a", "b"] {
        let held = cache.get(&key(name)).await.unwrap();
        assert_eq!(held, Lookup::InDoubt(None));
    }
    let read = value(&key("a"), version(7), "read");
    assert!(!cache.fill(ticket, &read).await.unwrap());
}

async fn a_dirty_record_that_is_flushed_in_doubt_leaves_the_doubt(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let dirty = value(&key("a"), version(7), "x");
    put_dirty(&*cache, &dirty).await;
    let written = value(&dirty.key, begin_write(&*cache, &dirty.key).await, "y");
    mark_clean(&*cache, &dirty.key, version(6)).await;
    let held = cache.get(&dirty.key).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(Some(dirty.clone())));

    mark_clean(&*cache, &dirty.key, dirty.version).await;
    let held = cache.get(&dirty.key).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None));
    settle(&*cache, &value(&dirty.key, version(8), "older")).await;
    let held = cache.get(&dirty.key).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None));
    settle(&*cache, &written).await;
    assert_eq!(hit(&*cache, &dirty.key).await, written);
}

async fn the_doubt_that_a_flushed_record_leaves_ends_too(implementation: Implementation) {
    let cache = implementation.cache(SHORT_LIFETIMES).await;
    let dirty = value(&key("a"), version(7), "x");
    put_dirty(&*cache, &dirty).await;
    begin_write(&*cache, &dirty.key).await;
    mark_clean(&*cache, &dirty.key, dirty.version).await;
    eventually("the doubt ends", async || {
        match cache.get(&dirty.key).await.unwrap() {
            Lookup::Miss => true,
            Lookup::InDoubt(None) => false,
            // Where the doubt had ended before, the flushed record is clean.
            Lookup::Hit(held) => {
                assert_eq!(held, dirty);
                false
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
}

async fn a_dirty_record_that_is_newer_than_a_doubt_ends_it(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let doubt = begin_write(&*cache, &key("a")).await;
    let newer = value(&key("a"), version(doubt.get() + 1), "x");
    put_dirty(&*cache, &newer).await;
    assert_eq!(hit(&*cache, &key("a")).await, newer);

    put_dirty(&*cache, &value(&key("b"), version(7), "old")).await;
    let doubt = begin_write(&*cache, &key("b")).await;
    let newer = tombstone(&key("b"), version(doubt.get() + 1));
    put_dirty(&*cache, &newer).await;
    assert_eq!(hit(&*cache, &key("b")).await, newer);
    // The write that was in flight comes home late.
    settle(&*cache, &value(&key("b"), doubt, "late")).await;
    assert_eq!(hit(&*cache, &key("b")).await, newer);
}

async fn a_dirty_record_that_is_older_than_a_doubt_stands_beside_it(
    implementation: Implementation,
) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let doubt = begin_write(&*cache, &key("a")).await;
    for (put, held) in [(7, 7), (8, 8), (6, 8), (8, 8)] {
        let body = if put == 8 { "newest" } else { "older" };
        put_dirty(&*cache, &value(&key("a"), version(put), body)).await;
        match cache.get(&key("a")).await.unwrap() {
            Lookup::InDoubt(Some(record)) => assert_eq!(record.version, version(held)),
            other => panic!("not in doubt with a value: {other:?}"),
        }
    }
    settle(&*cache, &value(&key("a"), version(7), "older")).await;
    let held = value(&key("a"), version(8), "newest");
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::InDoubt(Some(held)));
    let written = tombstone(&key("a"), doubt);
    settle(&*cache, &written).await;
    assert_eq!(hit(&*cache, &key("a")).await, written);
}

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

async fn any_body_can_be_filled(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let bodies = vec(any::<u8>(), 1..300);
    for_random(implementation.cases(), bodies, async |body| {
        let record = Record {
            key: Key::from(new_identity_with(1)),
            version: version(7),
            body: Some(Bytes::from(body)),
        };
        let ticket = granted(&*cache, &record.key).await;
        assert!(cache.fill(ticket, &record).await.unwrap());
        assert_eq!(hit(&*cache, &record.key).await, record);
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

contract!(
    [
        memory: Implementation::Memory,
        redis: Implementation::Redis(1),
        redis_of_several_shards: Implementation::Redis(SEVERAL),
    ],
    [
        a_key_that_was_never_given_is_a_miss,
        two_caches_do_not_see_each_other,
        it_says_that_it_is_up,
        nothing_to_do_is_done,
        a_filled_record_is_a_hit,
        of_two_readers_the_second_is_busy,
        begin_fill_finds_what_is_held,
        a_ticket_fills_once,
        a_ticket_fills_its_own_key_only,
        a_fill_is_refused_after_a_dirty_record_was_put,
        a_fill_is_refused_after_a_write_began,
        a_fill_is_refused_after_a_write_settled,
        a_fill_is_refused_after_its_ticket_expired,
        a_ticket_that_expired_is_void_though_another_was_granted,
        a_filled_record_expires,
        a_filled_record_that_is_ahead_of_the_clock_raises_it,
        a_filled_record_that_is_behind_the_clock_does_not_lower_it,
        an_absent_record_is_held,
        any_write_replaces_an_absent_record,
        an_absent_record_has_a_lifetime_of_its_own,
        of_dirty_records_the_newest_is_held,
        of_dirty_records_in_one_call_the_newest_is_held,
        a_dirty_record_does_not_replace_a_newer_clean_one,
        a_dirty_record_outlives_every_lifetime,
        a_dirty_record_outlives_a_write_in_flight,
        an_entry_expires_once_its_version_is_marked_clean,
        a_clean_entry_is_a_hit_until_it_expires,
        only_the_version_that_is_held_can_be_marked_clean,
        of_many_flushed_versions_each_is_judged_by_itself,
        what_is_not_dirty_is_not_changed_by_marking_it_clean,
        writers_that_race_leave_the_newest,
        no_version_is_issued_before_the_clock_is_raised,
        versions_follow_the_wall_clock,
        the_versions_of_a_key_grow_in_the_order_of_its_writes,
        versions_are_newer_than_every_floor,
        versions_that_are_issued_at_once_are_distinct,
        a_write_in_flight_hides_a_clean_value,
        a_write_in_flight_leaves_a_dirty_value_beside_it,
        a_settled_write_ends_its_doubt,
        many_settled_writes_end_their_doubts,
        a_settled_write_ends_no_newer_doubt,
        a_settled_write_ends_no_newer_doubt_of_a_dirty_record,
        a_settled_write_does_not_replace_what_is_newer,
        a_late_settled_write_does_not_replace_an_absent_record,
        a_settled_write_that_is_too_old_leaves_a_record_dirty,
        a_settled_record_expires,
        a_settled_write_whose_mark_was_lost_is_not_held,
        writers_in_flight_that_race_never_show_an_older_value,
        a_doubt_ends_when_its_writer_never_settles,
        a_doubt_lasts_until_its_lifetime_ends,
        a_dirty_record_that_is_flushed_in_doubt_leaves_the_doubt,
        the_doubt_that_a_flushed_record_leaves_ends_too,
        a_dirty_record_that_is_newer_than_a_doubt_ends_it,
        a_dirty_record_that_is_older_than_a_doubt_stands_beside_it,
        difficult_names_are_distinct_and_unchanged,
        any_name_and_any_body_come_back_unchanged,
        any_body_can_be_filled,
        the_first_and_the_last_version_are_held,
        a_tombstone_is_held_like_a_value,
        a_dropped_get_gives_its_answer_to_no_other_call,
        no_read_goes_back,
    ]
);
