//! What every cache promises of writes that began and did not take place, and of
//! what it says when one begins.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Begun, Cache, FillStart, Lifetimes, Lookup, Withdrawn};
use cache_core::error::Error;
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use cache_core::redis::patterns;
use deadpool_redis::redis::{Client, cmd};
use testkit::servers::redis_url;

use crate::suite::{
    SEVERAL, connect_to_redis, eventually, key, new_identity_with, tombstone, value, version,
};
use crate::{Implementation, LONG_LIFETIMES, SHORT, granted, put_clean, put_dirty, settle};

/// More than one call of a script takes.
const MANY: usize = 4_500;

async fn begin(cache: &dyn Cache, key: &Key) -> Begun {
    let mut begun = cache.begin_write(std::slice::from_ref(key)).await.unwrap();
    begun.pop().unwrap()
}

fn withdrawal(key: &Key, begun: &Begun) -> Withdrawn {
    Withdrawn {
        key: key.clone(),
        version: begun.version,
        doubt: begun.doubt,
    }
}

async fn withdraw(cache: &dyn Cache, key: &Key, begun: &Begun) {
    cache.withdraw(&[withdrawal(key, begun)]).await.unwrap();
}

async fn get(cache: &dyn Cache, key: &Key) -> Lookup {
    cache.get(key).await.unwrap()
}

fn before(begun: &Begun) -> (Option<&Record>, Option<Version>) {
    (begun.dirty.as_ref(), begun.doubt)
}

// What was there when it began

async fn what_the_database_has_is_not_told(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let clean = value(&key("clean"), version(7), "x");
    put_clean(&*cache, &clean).await;
    granted(&*cache, &key("filling")).await;
    for name in ["absent", "clean", "filling"] {
        let begun = begin(&*cache, &key(name)).await;
        assert_eq!(before(&begun), (None, None), "{name}");
    }
    let settled = begin(&*cache, &key("settled")).await;
    settle(&*cache, &tombstone(&key("settled"), settled.version)).await;
    let begun = begin(&*cache, &key("settled")).await;
    assert_eq!(before(&begun), (None, None));
}

async fn what_only_the_journal_has_is_told(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for (name, dirty) in [
        ("value", value(&key("value"), version(7), "x")),
        ("tombstone", tombstone(&key("tombstone"), version(8))),
        (
            "like an entry",
            value(&key("like an entry"), version(9), "0000000000000001E"),
        ),
    ] {
        put_dirty(&*cache, &dirty).await;
        let first = begin(&*cache, &key(name)).await;
        assert_eq!(before(&first), (Some(&dirty), None));
        // Beside a write in flight too.
        let second = begin(&*cache, &key(name)).await;
        assert_eq!(before(&second), (Some(&dirty), Some(first.version)));
        let newer = value(&key(name), version(10), "newer");
        put_dirty(&*cache, &newer).await;
        let third = begin(&*cache, &key(name)).await;
        assert_eq!(before(&third), (Some(&newer), Some(second.version)));
        assert_eq!(get(&*cache, &key(name)).await, Lookup::InDoubt(Some(newer)));
    }
}

async fn the_newest_write_in_flight_is_told(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let a = key("a");
    let mut doubt = None;
    for _ in 0..4 {
        let begun = begin(&*cache, &a).await;
        assert_eq!(before(&begun), (None, doubt));
        assert!(doubt < Some(begun.version));
        doubt = Some(begun.version);
    }
    // One that settles is in flight no more, nor are those before it.
    settle(&*cache, &value(&a, doubt.unwrap(), "x")).await;
    assert_eq!(before(&begin(&*cache, &a).await), (None, None));
}

async fn a_doubt_that_has_ended_is_not_told(implementation: Implementation) {
    let lifetimes = Lifetimes {
        in_doubt: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    // The name is not read meanwhile, and others are written all the time.
    let others_are_written = async |duration: Duration| {
        let began = Instant::now();
        while began.elapsed() <= duration {
            begin(&*cache, &key("b")).await;
        }
    };
    for _ in 0..5 {
        others_are_written(SHORT / 2).await;
        begin(&*cache, &key("a")).await;
        // Redis counts whole milliseconds.
        others_are_written(SHORT + Duration::from_millis(3)).await;
        assert_eq!(before(&begin(&*cache, &key("a")).await), (None, None));
        let newest = tombstone(&key("a"), Version::MAX);
        settle(&*cache, &newest).await;
    }
}

async fn each_write_of_a_batch_finds_those_before_it(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let [a, b, c] = ["a", "b", "c"].map(key);
    let dirty = value(&b, version(7), "dirty");
    put_dirty(&*cache, &dirty).await;
    put_clean(&*cache, &value(&c, version(7), "clean")).await;
    let earlier = begin(&*cache, &c).await;
    let keys = [&a, &b, &a, &c, &b, &a, &c].map(Clone::clone);
    let begun = cache.begin_write(&keys).await.unwrap();
    let at = |place: usize| Some(begun[place].version);
    let expected = [
        (None, None),
        (Some(&dirty), None),
        (None, at(0)),
        (None, Some(earlier.version)),
        (Some(&dirty), at(1)),
        (None, at(2)),
        (None, at(3)),
    ];
    for (place, expected) in expected.into_iter().enumerate() {
        assert_eq!(before(&begun[place]), expected, "{place}");
    }
    for (place, other) in [(0, 2), (2, 5), (1, 4), (3, 6)] {
        assert!(begun[place].version < begun[other].version);
    }
}

/// Names in many shards, some of which are dirty.
async fn each_of_many_is_told_its_own(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let keys: Vec<Key> = (0..MANY)
        .map(|number| key(&format!("user {number}")))
        .collect();
    let dirty: Vec<Record> = keys
        .iter()
        .step_by(3)
        .zip(1..)
        .map(|(key, number)| value(key, version(number), &number.to_string()))
        .collect();
    cache.put_dirty(&dirty).await.unwrap();
    let begun = cache.begin_write(&keys).await.unwrap();
    for (place, begun) in begun.iter().enumerate() {
        let dirty = (place % 3 == 0).then(|| &dirty[place / 3]);
        assert_eq!(before(begun), (dirty, None), "{place}");
    }
    let again = cache.begin_write(&keys).await.unwrap();
    for (place, (again, first)) in again.iter().zip(&begun).enumerate() {
        let expected = (first.dirty.as_ref(), Some(first.version));
        assert_eq!(before(again), expected, "{place}");
    }
}

// Withdrawing

async fn a_withdrawn_write_leaves_nothing(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let a = key("a");
    let begun = begin(&*cache, &a).await;
    withdraw(&*cache, &a, &begun).await;
    assert_eq!(get(&*cache, &a).await, Lookup::Miss);
    // It may be filled at once.
    let stored = value(&a, version(3), "stored");
    let ticket = granted(&*cache, &a).await;
    assert!(cache.fill(ticket, &stored).await.unwrap());
    // Withdrawn again, it takes nothing with it.
    withdraw(&*cache, &a, &begun).await;
    assert_eq!(get(&*cache, &a).await, Lookup::Hit(stored));
    cache.withdraw(&[]).await.unwrap();
}

/// A reader's ticket of before the write is void all the same.
async fn a_withdrawn_write_brings_no_ticket_back(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let a = key("a");
    let ticket = granted(&*cache, &a).await;
    let begun = begin(&*cache, &a).await;
    withdraw(&*cache, &a, &begun).await;
    let read = value(&a, version(3), "read");
    assert!(!cache.fill(ticket, &read).await.unwrap());
    // One of after it is not touched when it is withdrawn again.
    let ticket = granted(&*cache, &a).await;
    withdraw(&*cache, &a, &begun).await;
    assert_eq!(cache.begin_fill(&a).await.unwrap(), FillStart::Busy);
    assert!(cache.fill(ticket, &read).await.unwrap());
}

async fn a_withdrawn_write_leaves_a_dirty_record(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for dirty in [
        value(&key("a"), version(7), "x"),
        tombstone(&key("b"), version(8)),
        value(&key("c"), version(9), "0000000000000009?"),
    ] {
        put_dirty(&*cache, &dirty).await;
        let begun = begin(&*cache, &dirty.key).await;
        withdraw(&*cache, &dirty.key, &begun).await;
        let held = get(&*cache, &dirty.key).await;
        assert_eq!(held, Lookup::Hit(dirty.clone()));
        // It is dirty still.
        let again = begin(&*cache, &dirty.key).await;
        assert_eq!(before(&again), (Some(&dirty), None));
    }
}

async fn a_doubt_that_was_there_before_comes_back(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let [a, b] = ["a", "b"].map(key);
    let dirty = value(&b, version(7), "dirty");
    put_dirty(&*cache, &dirty).await;
    for (key, held) in [(a, None), (b, Some(dirty))] {
        let first = begin(&*cache, &key).await;
        let second = begin(&*cache, &key).await;
        withdraw(&*cache, &key, &second).await;
        assert_eq!(get(&*cache, &key).await, Lookup::InDoubt(held.clone()));
        // It is that of the first, which ends it.
        let third = begin(&*cache, &key).await;
        assert_eq!(before(&third), (held.as_ref(), Some(first.version)));
        withdraw(&*cache, &key, &third).await;
        let written = value(&key, first.version, "written");
        settle(&*cache, &written).await;
        assert_eq!(get(&*cache, &key).await, Lookup::Hit(written));
    }
}

/// The mark of a newer write is not the older one's to take.
async fn a_newer_doubt_stays(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let [a, b] = ["a", "b"].map(key);
    let dirty = value(&b, version(7), "dirty");
    put_dirty(&*cache, &dirty).await;
    for (key, held) in [(a, None), (b, Some(dirty))] {
        let first = begin(&*cache, &key).await;
        let second = begin(&*cache, &key).await;
        withdraw(&*cache, &key, &first).await;
        assert_eq!(get(&*cache, &key).await, Lookup::InDoubt(held));
        let written = value(&key, second.version, "written");
        settle(&*cache, &written).await;
        assert_eq!(get(&*cache, &key).await, Lookup::Hit(written));
    }
}

async fn what_has_settled_meanwhile_stays(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let a = key("a");
    let first = begin(&*cache, &a).await;
    let second = begin(&*cache, &a).await;
    let written = value(&a, second.version, "written");
    settle(&*cache, &written).await;
    withdraw(&*cache, &a, &first).await;
    assert_eq!(get(&*cache, &a).await, Lookup::Hit(written.clone()));
    // Its own version, too, although a write that took place is never withdrawn.
    withdraw(&*cache, &a, &second).await;
    assert_eq!(get(&*cache, &a).await, Lookup::Hit(written));
    // And what a journal has put, which is no doubt.
    let begun = begin(&*cache, &key("b")).await;
    let dirty = value(&key("b"), version(begun.version.get() + 1), "newer");
    put_dirty(&*cache, &dirty).await;
    withdraw(&*cache, &key("b"), &begun).await;
    assert_eq!(get(&*cache, &key("b")).await, Lookup::Hit(dirty));
}

/// A newer write has settled beside them: those before it are in doubt no more.
async fn no_settled_doubt_comes_back(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let a = key("a");
    let first = begin(&*cache, &a).await;
    let second = begin(&*cache, &a).await;
    let third = begin(&*cache, &a).await;
    settle(&*cache, &value(&a, second.version, "second")).await;
    settle(&*cache, &value(&a, first.version, "first")).await;
    assert_eq!(get(&*cache, &a).await, Lookup::InDoubt(None));
    withdraw(&*cache, &a, &third).await;
    assert_eq!(get(&*cache, &a).await, Lookup::Miss);
    // Those that begin later know it as well.
    let first = begin(&*cache, &a).await;
    let second = begin(&*cache, &a).await;
    let third = begin(&*cache, &a).await;
    settle(&*cache, &value(&a, first.version, "first")).await;
    settle(&*cache, &value(&a, second.version, "second")).await;
    let fourth = begin(&*cache, &a).await;
    withdraw(&*cache, &a, &fourth).await;
    assert_eq!(get(&*cache, &a).await, Lookup::InDoubt(None));
    withdraw(&*cache, &a, &third).await;
    assert_eq!(get(&*cache, &a).await, Lookup::Miss);
}

async fn a_withdrawal_restores_nothing_that_was_dropped(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for doubt in [None, Some(version(5))] {
        let write = Withdrawn {
            key: key("a"),
            version: version(7),
            doubt,
        };
        cache.withdraw(&[write]).await.unwrap();
        assert_eq!(get(&*cache, &key("a")).await, Lookup::Miss);
    }
}

/// Those of a batch are withdrawn the newest first.
async fn several_of_one_name_are_withdrawn_together(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let [a, b, c] = ["a", "b", "c"].map(key);
    let dirty = value(&b, version(7), "dirty");
    put_dirty(&*cache, &dirty).await;
    let in_flight = begin(&*cache, &c).await;
    let keys: Vec<Key> = [&a, &b, &c].repeat(3).into_iter().cloned().collect();
    let begun = cache.begin_write(&keys).await.unwrap();
    let withdrawn = keys.iter().zip(&begun).rev();
    let withdrawn: Vec<Withdrawn> = withdrawn
        .map(|(key, begun)| withdrawal(key, begun))
        .collect();
    cache.withdraw(&withdrawn).await.unwrap();
    assert_eq!(get(&*cache, &a).await, Lookup::Miss);
    assert_eq!(get(&*cache, &b).await, Lookup::Hit(dirty));
    assert_eq!(get(&*cache, &c).await, Lookup::InDoubt(None));
    settle(&*cache, &tombstone(&c, in_flight.version)).await;
    assert_eq!(
        get(&*cache, &c).await,
        Lookup::Hit(tombstone(&c, in_flight.version))
    );
}

/// Of three of a batch the middle one was written.
async fn what_was_written_between_settles(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let [a, b] = ["a", "b"].map(key);
    put_dirty(&*cache, &value(&b, version(7), "dirty")).await;
    for key in [a, b] {
        let keys = [&key, &key, &key].map(Clone::clone);
        let begun = cache.begin_write(&keys).await.unwrap();
        let not_written = [&begun[2], &begun[0]].map(|begun| withdrawal(&key, begun));
        cache.withdraw(&not_written).await.unwrap();
        assert!(matches!(get(&*cache, &key).await, Lookup::InDoubt(_)));
        let written = value(&key, begun[1].version, "written");
        settle(&*cache, &written).await;
        assert_eq!(get(&*cache, &key).await, Lookup::Hit(written));
    }
}

/// As when an operator deletes it.
async fn take_a_clock(identity: &str) {
    let client = Client::open(redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let [of_shards, _] = patterns(identity);
    let mut keys = cmd("KEYS");
    keys.arg(format!("{of_shards}.clock"));
    let clocks: Vec<String> = keys.query_async(&mut connection).await.unwrap();
    assert_eq!(clocks.len(), usize::from(SEVERAL));
    let mut delete = cmd("DEL");
    delete.arg(&clocks[0]);
    let deleted: u32 = delete.query_async(&mut connection).await.unwrap();
    assert_eq!(deleted, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_batch_that_one_shard_refuses_leaves_no_doubt() {
    let identity = new_identity_with(SEVERAL);
    let cache = RedisCache::new(connect_to_redis(&identity).await, LONG_LIFETIMES);
    cache.raise(&Version::ZERO).await.unwrap();
    let names = (0..50).map(|number| key(&format!("user {}", number % 30)));
    let keys: Vec<Key> = names.collect();
    take_a_clock(&identity).await;
    let unseeded = cache.begin_write(&keys).await;
    assert!(matches!(unseeded, Err(Error::Unseeded(_))), "{unseeded:?}");
    cache.raise(&Version::ZERO).await.unwrap();
    for key in &keys {
        assert_eq!(get(&cache, key).await, Lookup::Miss, "{key:?}");
    }
    for begun in cache.begin_write(&keys[..30]).await.unwrap() {
        assert_eq!(before(&begun), (None, None));
    }
}

async fn a_doubt_that_came_back_ends_by_itself(implementation: Implementation) {
    let lifetimes = Lifetimes {
        in_doubt: SHORT,
        ..LONG_LIFETIMES
    };
    let cache = implementation.cache(lifetimes).await;
    let a = key("a");
    // It may end before it is withdrawn.
    eventually("a doubt comes back", async || {
        let first = begin(&*cache, &a).await;
        let second = begin(&*cache, &a).await;
        withdraw(&*cache, &a, &second).await;
        second.doubt == Some(first.version) && get(&*cache, &a).await == Lookup::InDoubt(None)
    })
    .await;
    eventually("it ends", async || get(&*cache, &a).await == Lookup::Miss).await;
}

/// Bodies of every kind of byte are left as they were.
async fn a_dirty_body_is_left_as_it_was(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let dirty = Record {
        body: Some(Bytes::from((0..=255).collect::<Vec<u8>>())),
        ..tombstone(&key("a"), version(7))
    };
    put_dirty(&*cache, &dirty).await;
    let first = begin(&*cache, &dirty.key).await;
    let second = begin(&*cache, &dirty.key).await;
    assert_eq!(second.dirty.as_ref(), Some(&dirty));
    withdraw(&*cache, &dirty.key, &second).await;
    withdraw(&*cache, &dirty.key, &first).await;
    assert_eq!(get(&*cache, &dirty.key).await, Lookup::Hit(dirty));
}

on_every_cache!([
    what_the_database_has_is_not_told,
    what_only_the_journal_has_is_told,
    the_newest_write_in_flight_is_told,
    a_doubt_that_has_ended_is_not_told,
    each_write_of_a_batch_finds_those_before_it,
    each_of_many_is_told_its_own,
    a_withdrawn_write_leaves_nothing,
    a_withdrawn_write_brings_no_ticket_back,
    a_withdrawn_write_leaves_a_dirty_record,
    a_doubt_that_was_there_before_comes_back,
    a_newer_doubt_stays,
    what_has_settled_meanwhile_stays,
    no_settled_doubt_comes_back,
    a_withdrawal_restores_nothing_that_was_dropped,
    several_of_one_name_are_withdrawn_together,
    what_was_written_between_settles,
    a_doubt_that_came_back_ends_by_itself,
    a_dirty_body_is_left_as_it_was,
]);
