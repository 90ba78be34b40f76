//! What every cache promises of names that are in doubt, and of writes that settle them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::cache::{Cache, Lifetimes, Lookup};
use cache_core::model::record::{Key, Record};
use tokio::task::JoinSet;

use crate::suite::{SEVERAL, eventually, issued, key, tombstone, value, version};
use crate::{
    Implementation, LONG, LONG_LIFETIMES, SHORT, SHORT_LIFETIMES, begin_write, granted, hit,
    mark_clean, put_clean, put_dirty, settle, until_a_clean_entry_expires,
};

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

on_every_cache!([
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
]);
