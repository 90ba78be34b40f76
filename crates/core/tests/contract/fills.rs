//! What every cache promises of what readers fill it with.

use bytes::Bytes;
use cache_core::cache::{FillStart, Lifetimes, Lookup};
use cache_core::model::record::{Key, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::suite::{
    SEVERAL, ahead_of_the_clock, eventually, for_random, key, new_identity_with, tombstone, value,
    version,
};
use crate::{
    Implementation, LONG_LIFETIMES, SHORT, SHORT_LIFETIMES, begin_write, granted, hit, put_dirty,
    settle,
};

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

on_every_cache!([
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
    any_body_can_be_filled,
]);
