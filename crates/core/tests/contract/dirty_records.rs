//! What every cache promises of records that the database does not have yet.

use std::sync::Arc;

use cache_core::cache::{Cache, Lifetimes, Lookup};
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use tokio::task::JoinSet;

use crate::suite::{SEVERAL, eventually, key, tombstone, value, version};
use crate::{
    Implementation, LONG_LIFETIMES, SHORT, SHORT_LIFETIMES, begin_write, granted, hit, mark_clean,
    put_clean, put_dirty, settle, until_a_clean_entry_expires,
};

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

on_every_cache!([
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
]);
