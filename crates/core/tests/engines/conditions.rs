//! Deletes, which take place only where there is something to delete.

use std::sync::Arc;
use std::time::Duration;

use cache_core::cache::memory::MemoryCache;
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Key, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;
use cache_core::store::{Origin, Store};

use crate::parts::{LIFETIMES, Parts, Place, body, in_each_place, put};

async fn deletes_that_race_leave_the_name_to_the_cache(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_through().await;
    for round in 0..10 {
        engine.write(put("Gus", round)).await.unwrap();
        let deletes = (0..4).map(|_| {
            let engine = engine.clone();
            tokio::spawn(
                async move { engine.write(Write::delete(Key::from("Gus"))).await.unwrap() },
            )
        });
        let mut took_place = 0;
        for delete in deletes.collect::<Vec<_>>() {
            took_place += usize::from(delete.await.unwrap() != Outcome::ConditionFailed);
        }
        assert_eq!(took_place, 1, "one of them deletes");
        let read = engine.read(&Key::from("Gus")).await.unwrap();
        assert_eq!(read.record.body, None);
        // Not in doubt: those that did not take place have left nothing behind.
        let of_the_cache = matches!(read.source, Source::Hit | Source::Miss { stored: true });
        assert!(of_the_cache, "{:?}", read.source);
    }
}

in_each_place! {
    deletes_that_race_leave_the_name_to_the_cache
}

/// A cache so small that it forgets at once.
async fn forgetful() -> (Place, Parts) {
    let place = Place::embedded();
    let mut parts = place.open().await;
    parts.cache = Arc::new(MemoryCache::new(0, LIFETIMES));
    (place, parts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_of_nothing_needs_no_cache() {
    let (_place, parts) = forgetful().await;
    let engine = parts.write_behind().await;
    let outcome = engine
        .write(Write::delete(Key::from("absent")))
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::ConditionFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_cannot_be_judged_writes_nothing_and_says_so() {
    let (_place, parts) = forgetful().await;
    let stored = put("Hal", 1).at(Version::new(1).unwrap());
    parts
        .store
        .apply(std::slice::from_ref(&stored), Origin::Drained)
        .await
        .unwrap();
    let engine = parts.write_behind().await;
    let refused = engine.write(Write::delete(stored.key.clone())).await;
    assert!(matches!(refused, Err(Error::Undecided)), "{refused:?}");
    assert!(engine.flush(Duration::from_secs(30)).await.unwrap());
    assert_eq!(
        parts.store.load(&stored.key).await.unwrap().unwrap().body,
        Some(body("Hal", 1))
    );
}
