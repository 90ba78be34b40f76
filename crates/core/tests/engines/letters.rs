//! Replaying one dead letter by its name.

use std::time::Duration;

use bytes::Bytes;
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Key, Write};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Store};

use crate::parts::{Place, body, in_each_place, put};

const TIMEOUT: Duration = Duration::from_secs(30);

async fn a_replay_ends_a_superseded_letter_and_no_refused_one(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    let [refused, superseded] = ["refused", "superseded"].map(Key::from);
    let mut newest = Version::ZERO;
    for key in [&refused, &superseded] {
        // It is no user, which every database refuses.
        let write = Write::put(key.clone(), Bytes::from("{}"));
        let Outcome::Written { version, .. } = engine.write(write).await.unwrap() else {
            panic!("it has no condition");
        };
        newest = newest.max(version);
    }
    assert!(engine.flush(TIMEOUT).await.unwrap());
    assert_eq!(engine.dead_letters(10).await.unwrap().len(), 2);
    // Another service writes one of them.
    let newer = put("superseded", 2).at(newest.next().unwrap());
    let applied = parts.store.apply(&[newer], Origin::Drained).await;
    applied.unwrap();

    let replayed = engine.replay_dead_letter(&refused).await;
    assert!(
        matches!(replayed, Err(Error::Refused { .. })),
        "{replayed:?}"
    );
    assert!(engine.replay_dead_letter(&superseded).await.unwrap());
    assert!(!engine.replay_dead_letter(&superseded).await.unwrap());
    let unknown = Key::from("unknown");
    assert!(!engine.replay_dead_letter(&unknown).await.unwrap());
    let left = engine.dead_letters(10).await.unwrap();
    let left: Vec<&Key> = left.iter().map(|letter| &letter.record.key).collect();
    assert_eq!(left, [&refused]);
    let read = engine.read(&superseded).await.unwrap();
    assert_eq!(read.record.body, Some(body("superseded", 2)));
    engine.stop(TIMEOUT).await;
}

in_each_place! {
    a_replay_ends_a_superseded_letter_and_no_refused_one
}
