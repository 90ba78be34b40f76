//! While the database takes no writes.

use std::time::Duration;

use cache_core::engine::{Engine, Outcome};
use cache_core::error::{Error, Part};
use cache_core::model::record::Key;
use cache_core::model::source::Source;
use cache_core::store::Store;

use crate::parts::{Place, body, in_each_place, put};

async fn write_through_answers_no_write_and_caches_nothing_of_it(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_through().await;
    let key = Key::from("Ann");
    engine.write(put("Ann", 1)).await.unwrap();
    parts.store.refuse_writes(true);
    let refused = engine.write(put("Ann", 2)).await;
    assert!(
        matches!(
            refused,
            Err(Error::Unavailable {
                part: Part::Database,
                ..
            })
        ),
        "{refused:?}"
    );
    let read = engine.read(&key).await.unwrap();
    assert_eq!(read.record.body, Some(body("Ann", 1)));
    assert_eq!(
        read.source,
        Source::InDoubt,
        "what became of the write is for the database to say"
    );
    parts.store.refuse_writes(false);
    engine.write(put("Ann", 3)).await.unwrap();
    let read = engine.read(&key).await.unwrap();
    assert_eq!(
        (read.record.body, read.source),
        (Some(body("Ann", 3)), Source::Hit)
    );
}

async fn write_behind_goes_on_and_drains_when_it_is_back(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    parts.store.refuse_writes(true);
    for age in 0..10 {
        let outcome = engine.write(put("Bob", age)).await.unwrap();
        assert!(matches!(outcome, Outcome::Written { .. }));
    }
    assert_eq!(
        engine.read(&Key::from("Bob")).await.unwrap().record.body,
        Some(body("Bob", 9))
    );
    assert!(
        !engine.flush(Duration::from_millis(300)).await.unwrap(),
        "nothing can be in the database"
    );
    let depth: u64 = engine
        .journal_state()
        .await
        .unwrap()
        .shards
        .iter()
        .map(|shard| shard.stats.depth)
        .sum();
    assert_eq!(
        depth, 10,
        "the journal keeps what the database does not have"
    );
    assert_eq!(parts.store.load(&Key::from("Bob")).await.unwrap(), None);
    parts.store.refuse_writes(false);
    assert!(engine.flush(Duration::from_secs(30)).await.unwrap());
    let stored = parts.store.load(&Key::from("Bob")).await.unwrap().unwrap();
    assert_eq!(stored.body, Some(body("Bob", 9)));
}

in_each_place! {
    write_through_answers_no_write_and_caches_nothing_of_it
    write_behind_goes_on_and_drains_when_it_is_back
}
