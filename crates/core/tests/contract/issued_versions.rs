//! What every cache promises of the versions that it issues.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cache_core::cache::{Cache, Lookup};
use cache_core::error::{Error, Part};
use cache_core::model::record::Key;
use cache_core::model::version::Version;
use tokio::task::JoinSet;

use crate::suite::{SEVERAL, ahead_of_the_clock, issued, key, value, version};
use crate::{Implementation, LONG_LIFETIMES, begin_write, hit, settle};

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
                issued.extend(crate::suite::issued(begun).unwrap());
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

on_every_cache!([
    no_version_is_issued_before_the_clock_is_raised,
    versions_follow_the_wall_clock,
    the_versions_of_a_key_grow_in_the_order_of_its_writes,
    versions_are_newer_than_every_floor,
    versions_that_are_issued_at_once_are_distinct,
]);
