//! Removing the tombstones of deleted users, beside a journal.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cache_core::engine::purge::Purger;
use cache_core::engine::seeder::Seeder;
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Purge, Purged, Store};

use crate::parts::{Parts, Place, body, in_each_place, put};

const HOUR_US: u64 = 3_600_000_000;
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

fn purger(parts: &Parts, retention: Duration) -> Purger {
    let (cache, journal, store) = (
        parts.cache.clone(),
        parts.journal.clone(),
        parts.store.clone(),
    );
    Purger {
        store: store.clone(),
        seeder: Seeder::new(cache, Some(journal.clone()), store),
        journal: Some(journal),
        retention,
        unless_relied_on_by: None,
    }
}

fn later(version: Version, by_us: u64) -> Version {
    Version::new(version.get() + by_us).unwrap()
}

fn tombstone(name: &str, version: Version) -> Record {
    Record {
        version,
        ..Record::absent(Key::from(name))
    }
}

async fn store(parts: &Parts, record: &Record) {
    let records = std::slice::from_ref(record);
    parts.store.apply(records, Origin::Drained).await.unwrap();
}

/// Whether the database has a row of the name.
async fn has(parts: &Parts, name: &str) -> bool {
    parts.store.load(&Key::from(name)).await.unwrap().is_some()
}

/// Removes all that is old enough `at` that time; up to which version that was.
async fn purge(purger: &Purger, at: Version) -> Version {
    let through = purger.through(at).await.unwrap();
    let floor = purger.store.purged_through().await.unwrap();
    let purged = purger.once(floor, through).await.unwrap();
    assert!(matches!(purged, Purged::Through { is_all: true, .. }));
    through
}

/// The version of a write that waits in the journal.
async fn append(parts: &Parts, write: Write) -> Version {
    let appended = parts.journal.append(&[write]).await.remove(0);
    match appended.unwrap() {
        Decision::Written(version) => version,
        other => panic!("{other:?}"),
    }
}

async fn a_tombstone_stays_for_its_retention(place: Place) {
    let parts = place.open().await;
    let purger = purger(&parts, Duration::from_secs(3_600));
    parts.journal.raise(&Version::ZERO).await.unwrap();
    let deleted = Version::now();
    store(&parts, &tombstone("gone", deleted)).await;
    store(&parts, &tombstone("newest", later(deleted, 2 * HOUR_US))).await;
    purge(&purger, later(deleted, HOUR_US - 1)).await;
    assert!(has(&parts, "gone").await);
    purge(&purger, later(deleted, HOUR_US)).await;
    assert!(!has(&parts, "gone").await);
    assert!(has(&parts, "newest").await);
}

async fn nothing_is_purged_that_is_as_new_as_what_waits(place: Place) {
    let parts = place.open().await;
    parts.journal.raise(&Version::ZERO).await.unwrap();
    let waits = append(&parts, put("waits", 1)).await;
    store(&parts, &tombstone("newer", later(waits, 1_000))).await;
    store(&parts, &tombstone("older", later(waits, 0))).await;
    let purger = purger(&parts, Duration::ZERO);
    let in_an_hour = later(waits, HOUR_US);
    assert!(purge(&purger, in_an_hour).await < waits);
    assert!(has(&parts, "newer").await && has(&parts, "older").await);

    let engine = parts.write_behind().await;
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    purge(&purger, in_an_hour).await;
    assert!(!has(&parts, "newer").await && !has(&parts, "older").await);
    assert!(has(&parts, "waits").await);
    engine.stop(WAIT_TIMEOUT).await;
}

async fn nothing_is_purged_that_is_as_new_as_a_dead_letter(place: Place) {
    let parts = place.open().await;
    parts.journal.raise(&Version::ZERO).await.unwrap();
    let refused = append(&parts, put("refused", 1)).await;
    let record = put("refused", 1).at(refused);
    let letter = DeadLetter {
        record: record.clone(),
        reason: Arc::from("a test"),
        set_aside_at: refused,
        held_back: false,
    };
    let shard = parts.journal.shard_of(&record.key);
    let read = parts.journal.read(shard, Version::ZERO, 10).await.unwrap();
    assert_eq!(read, [record]);
    parts.journal.set_aside(shard, &letter).await.unwrap();
    parts
        .journal
        .acknowledge(shard, refused, &[])
        .await
        .unwrap();
    store(&parts, &tombstone("newer", later(refused, 1_000))).await;
    let purger = purger(&parts, Duration::ZERO);
    let in_an_hour = later(refused, HOUR_US);
    assert!(purge(&purger, in_an_hour).await < refused);
    assert!(has(&parts, "newer").await);

    // So it can be replayed still.
    let engine = parts.write_behind().await;
    let key = Key::from("refused");
    assert!(engine.replay_dead_letter(&key).await.unwrap());
    assert!(has(&parts, "refused").await);
    purge(&purger, in_an_hour).await;
    assert!(!has(&parts, "newer").await);
    engine.stop(WAIT_TIMEOUT).await;
}

/// Whatever the clocks say: else it would count as one that comes late.
async fn what_is_written_after_a_purge_is_newer(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    engine.write(put("seeds the clock", 1)).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let ahead = later(Version::now(), HOUR_US);
    store(&parts, &tombstone("ahead", ahead)).await;
    let purger = purger(&parts, Duration::ZERO);
    // The newest version is known up to a bound.
    let through = purge(&purger, later(ahead, HOUR_US)).await;
    assert!((ahead..later(ahead, HOUR_US)).contains(&through));
    assert!(!has(&parts, "ahead").await);
    for name in (0..32).map(|number| format!("user {number}")) {
        engine.write(put(&name, 1)).await.unwrap();
        assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
        assert!(has(&parts, &name).await, "{name}");
    }
    engine.stop(WAIT_TIMEOUT).await;
}

async fn a_redelivered_batch_restores_no_deleted_user(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    let key = Key::from("gone");
    engine.write(put("gone", 1)).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let batch = parts.store.load(&key).await.unwrap().unwrap();
    engine.write(Write::delete(key.clone())).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let purger = purger(&parts, Duration::ZERO);
    purge(&purger, later(Version::now(), HOUR_US)).await;
    assert!(!has(&parts, "gone").await);

    let again = parts.store.apply(&[batch], Origin::Drained).await;
    assert!(matches!(again, Err(Error::Refused { .. })), "{again:?}");
    assert!(!has(&parts, "gone").await);
    assert_eq!(engine.read(&key).await.unwrap().record.body, None);
    // It is a name as any other.
    engine.write(put("gone", 2)).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let stored = parts.store.load(&key).await.unwrap().unwrap();
    assert_eq!(stored.body, Some(body("gone", 2)));
    engine.stop(WAIT_TIMEOUT).await;
}

/// One that waited for its write, and was asleep until what came after was purged.
async fn a_write_that_was_purged_counts_as_persisted(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    let key = Key::from("gone");
    engine.write(put("gone", 1)).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let written = parts.store.load(&key).await.unwrap().unwrap().version;
    engine.write(Write::delete(key.clone())).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let purger = purger(&parts, Duration::ZERO);
    purge(&purger, later(Version::now(), HOUR_US)).await;
    engine.persisted(&key, written, WAIT_TIMEOUT).await.unwrap();
    engine.stop(WAIT_TIMEOUT).await;
}

/// Purging takes part in nothing that recovers a journal.
async fn purging_beside_writes_finds_nothing_lost(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    let purger = purger(&parts, Duration::ZERO);
    let purges = async {
        for _ in 0..30 {
            purger.through(Version::now()).await.unwrap();
            assert_eq!(parts.journal.lost(), 0);
        }
    };
    let write = async |writer: u32| {
        for number in 0.. {
            let name = format!("user {}", writer * 100 + number % 100);
            engine.write(put(&name, 1)).await.unwrap();
        }
    };
    let flush = async {
        loop {
            assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
        }
    };
    tokio::select! {
        () = purges => {}
        _ = futures_util::future::join_all((0..8).map(write)) => {}
        () = flush => {}
    }
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    engine.stop(WAIT_TIMEOUT).await;
}

/// Raises the floor to the version of a tombstone, as a process that does not know of this
/// journal does.
async fn purge_elsewhere(parts: &Parts, at: Version) {
    let store = &parts.store.inner;
    let record = tombstone("purged elsewhere", at);
    store.apply(&[record], Origin::Drained).await.unwrap();
    let purge = Purge {
        floor: Version::ZERO,
        through: at,
        rows_max: 1_000,
        unless_relied_on_by: None,
    };
    let purged = store.purge(purge).await.unwrap();
    assert!(matches!(purged, Purged::Through { removed: 1, .. }));
}

/// The disk of another host comes back.
async fn entries_older_than_the_floor_become_dead_letters(place: Place) {
    let parts = place.open().await;
    parts.journal.raise(&Version::ZERO).await.unwrap();
    let names: Vec<String> = (0..20).map(|number| format!("user {number:02}")).collect();
    let mut newest = Version::ZERO;
    for name in &names {
        newest = newest.max(append(&parts, put(name, 1)).await);
    }
    purge_elsewhere(&parts, later(newest, 1_000)).await;

    let engine = parts.write_behind().await;
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    let letters = engine.dead_letters(100).await.unwrap();
    let dead: Vec<&str> = letters
        .iter()
        .map(|letter| letter.record.key.as_str())
        .collect();
    assert_eq!(dead, names);
    assert!(letters[0].reason.contains("is not known"));
    let key = Key::from(&*names[7]);
    engine.read(&key).await.unwrap();
    assert!(!has(&parts, &names[7]).await);
    assert!(engine.replay_dead_letter(&key).await.unwrap());
    assert!(has(&parts, &names[7]).await);
    let read = engine.read(&key).await.unwrap();
    assert_eq!(read.record.body, Some(body(&names[7], 1)));
    assert_eq!(engine.dead_letters(100).await.unwrap().len(), 19);
    engine.stop(WAIT_TIMEOUT).await;
}

/// The process is suspended with a batch that it has read.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_another_process_drained_is_skipped() {
    let parts = Place::embedded();
    let parts = parts.open().await;
    let engine = parts.write_behind().await;
    let suspended = parts.store.turn.lock().await;
    let Outcome::Written { version, .. } = engine.write(put("gone", 1)).await.unwrap() else {
        panic!("it has no condition");
    };
    let deadline = Instant::now() + WAIT_TIMEOUT;
    while parts.store.applies.load(Ordering::SeqCst) == 0 {
        assert!(Instant::now() < deadline, "nothing is drained");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let shard = parts.journal.shard_of(&Key::from("gone"));
    parts
        .journal
        .acknowledge(shard, version, &[])
        .await
        .unwrap();
    purge_elsewhere(&parts, version).await;
    drop(suspended);
    // The next entry of the shard is drained after that.
    engine.write(put("next", 1)).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    assert!(has(&parts, "next").await && !has(&parts, "gone").await);
    assert_eq!(engine.dead_letters(10).await.unwrap(), []);
    engine.stop(WAIT_TIMEOUT).await;
}

in_each_place! {
    purging_beside_writes_finds_nothing_lost
    entries_older_than_the_floor_become_dead_letters
    a_tombstone_stays_for_its_retention
    nothing_is_purged_that_is_as_new_as_what_waits
    nothing_is_purged_that_is_as_new_as_a_dead_letter
    what_is_written_after_a_purge_is_newer
    a_redelivered_batch_restores_no_deleted_user
    a_write_that_was_purged_counts_as_persisted
}
