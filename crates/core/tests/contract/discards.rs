//! What every cache promises of a write that is given up: only its very value
//! is forgotten.

use cache_core::cache::Lookup;
use cache_core::model::version::Version;

use crate::suite::{SEVERAL, key, tombstone, value, version};
use crate::{Implementation, LONG_LIFETIMES, begin_write, granted, put_clean, put_dirty, settle};

async fn a_dirty_record_is_forgotten_at_exactly_its_version(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    for dirty in [
        value(&key("a"), version(50), "x"),
        tombstone(&key("b"), version(50)),
        value(&key("c"), Version::MAX, "0000000000000050D"),
    ] {
        put_dirty(&*cache, &dirty).await;
        for other in [0, 5, 49, 51, 500, Version::MAX.get() - 1] {
            cache.discard(&dirty.key, version(other)).await.unwrap();
            let held = cache.get(&dirty.key).await.unwrap();
            assert_eq!(held, Lookup::Hit(dirty.clone()), "{other}");
        }
        cache.discard(&dirty.key, dirty.version).await.unwrap();
        assert_eq!(cache.get(&dirty.key).await.unwrap(), Lookup::Miss);
        // And may be filled again from the database.
        let stored = value(&dirty.key, version(3), "stored");
        let ticket = granted(&*cache, &dirty.key).await;
        assert!(cache.fill(ticket, &stored).await.unwrap());
        let held = cache.get(&dirty.key).await.unwrap();
        assert_eq!(held, Lookup::Hit(stored));
    }
}

async fn discarding_one_key_leaves_the_others(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let other = value(&key("b"), version(50), "x");
    put_dirty(&*cache, &other).await;
    cache.discard(&key("a"), version(50)).await.unwrap();
    put_dirty(&*cache, &value(&key("a"), version(50), "x")).await;
    cache.discard(&key("a"), version(50)).await.unwrap();
    assert_eq!(cache.get(&key("a")).await.unwrap(), Lookup::Miss);
    let held = cache.get(&other.key).await.unwrap();
    assert_eq!(held, Lookup::Hit(other));
}

async fn under_a_mark_of_doubt_the_doubt_stays(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let dirty = value(&key("a"), version(50), "x");
    put_dirty(&*cache, &dirty).await;
    let doubt = begin_write(&*cache, &dirty.key).await;
    let in_doubt = Lookup::InDoubt(Some(dirty.clone()));
    assert_eq!(cache.get(&dirty.key).await.unwrap(), in_doubt);
    // The doubt's own version is no version that is held.
    for other in [version(49), version(51), doubt] {
        cache.discard(&dirty.key, other).await.unwrap();
        assert_eq!(cache.get(&dirty.key).await.unwrap(), in_doubt);
    }
    cache.discard(&dirty.key, dirty.version).await.unwrap();
    let held = cache.get(&dirty.key).await.unwrap();
    assert_eq!(held, Lookup::InDoubt(None), "a write is on its way still");
    let written = value(&dirty.key, doubt, "y");
    settle(&*cache, &written).await;
    assert_eq!(
        cache.get(&dirty.key).await.unwrap(),
        Lookup::Hit(written),
        "the doubt was its own still"
    );
}

async fn a_mark_of_doubt_alone_is_not_touched(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let doubt = begin_write(&*cache, &key("a")).await;
    cache.discard(&key("a"), doubt).await.unwrap();
    assert_eq!(cache.get(&key("a")).await.unwrap(), Lookup::InDoubt(None));
}

async fn a_clean_entry_is_not_touched(implementation: Implementation) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let clean = value(&key("a"), version(50), "x");
    put_clean(&*cache, &clean).await;
    cache.discard(&clean.key, clean.version).await.unwrap();
    let held = cache.get(&clean.key).await.unwrap();
    assert_eq!(held, Lookup::Hit(clean.clone()));
    // Nor one that a reader filled, nor the reader's ticket.
    let filled = value(&key("b"), version(50), "x");
    let ticket = granted(&*cache, &filled.key).await;
    cache.discard(&filled.key, Version::ZERO).await.unwrap();
    assert!(cache.fill(ticket, &filled).await.unwrap());
    cache.discard(&filled.key, filled.version).await.unwrap();
    let held = cache.get(&filled.key).await.unwrap();
    assert_eq!(held, Lookup::Hit(filled));
}

on_every_cache!([
    a_dirty_record_is_forgotten_at_exactly_its_version,
    discarding_one_key_leaves_the_others,
    under_a_mark_of_doubt_the_doubt_stays,
    a_mark_of_doubt_alone_is_not_touched,
    a_clean_entry_is_not_touched,
]);
