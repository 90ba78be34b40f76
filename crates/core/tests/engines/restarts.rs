//! What a stop leaves and the next start finds.

use std::time::Duration;

use cache_core::engine::Engine;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use cache_core::store::{Origin, Store};

use crate::parts::{Place, WRITE_BEHIND, body, in_each_place, put};

async fn a_clean_stop_drains_everything(place: Place) {
    // More than one batch, and a backlog from the first moment of the stop.
    const USERS: usize = 4 * WRITE_BEHIND.drainer.batch_max;
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    parts.store.refuse_writes(true);
    let names: Vec<String> = (0..USERS).map(|user| format!("user {user}")).collect();
    for name in &names {
        engine.write(put(name, 7)).await.unwrap();
    }
    parts.store.refuse_writes(false);
    engine.stop(Duration::from_secs(30)).await;
    for name in &names {
        let stored = parts
            .store
            .load(&Key::from(name.as_str()))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.body, Some(body(name, 7)));
    }
    assert!(
        engine.write(put("late", 1)).await.is_err(),
        "a stopped engine takes nothing"
    );
}

async fn what_a_stop_could_not_drain_the_next_start_serves_and_drains(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    parts.store.refuse_writes(true);
    engine.write(put("Cid", 1)).await.unwrap();
    engine.write(put("Cid", 2)).await.unwrap();
    engine.write(put("Dan", 3)).await.unwrap();
    engine.write(Write::delete(Key::from("Dan"))).await.unwrap();
    engine.stop(Duration::from_millis(200)).await;
    drop((engine, parts));

    let parts = place.open().await;
    parts.store.refuse_writes(true);
    let engine = parts.write_behind().await;
    assert_eq!(
        engine.read(&Key::from("Cid")).await.unwrap().record.body,
        Some(body("Cid", 2))
    );
    assert_eq!(
        engine.read(&Key::from("Dan")).await.unwrap().record.body,
        None
    );
    parts.store.refuse_writes(false);
    assert!(engine.flush(Duration::from_secs(30)).await.unwrap());
    let stored = parts.store.load(&Key::from("Cid")).await.unwrap().unwrap();
    assert_eq!(stored.body, Some(body("Cid", 2)));
    assert_eq!(
        parts
            .store
            .load(&Key::from("Dan"))
            .await
            .unwrap()
            .unwrap()
            .body,
        None
    );
}

in_each_place! {
    a_clean_stop_drains_everything
    what_a_stop_could_not_drain_the_next_start_serves_and_drains
}

/// As after a crash between the commit and the note of it, or when another
/// service has written the database since.
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_entry_never_hides_what_the_database_has_newer() {
    let place = Place::embedded();
    let parts = place.open().await;
    parts.journal.raise(&Version::ZERO).await.unwrap();
    let appended = parts.journal.append(&[put("Eve", 1), put("Fay", 1)]).await;
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    let waiting = parts
        .journal
        .read(Shard(0), Version::ZERO, 10)
        .await
        .unwrap();
    let newer = Record {
        key: Key::from("Eve"),
        version: Version::new(waiting[0].version.get() + 1_000).unwrap(),
        body: Some(body("Eve", 2)),
    };
    parts
        .store
        .apply(std::slice::from_ref(&newer), Origin::Drained)
        .await
        .unwrap();

    let engine = parts.write_behind().await;
    assert_eq!(engine.read(&newer.key).await.unwrap().record, newer);
    assert_eq!(
        engine.read(&Key::from("Fay")).await.unwrap().record,
        waiting[1]
    );
    assert!(engine.flush(Duration::from_secs(30)).await.unwrap());
    assert_eq!(
        engine.read(&newer.key).await.unwrap().record,
        newer,
        "nor after it was drained"
    );
    assert_eq!(parts.store.load(&newer.key).await.unwrap(), Some(newer));
}
