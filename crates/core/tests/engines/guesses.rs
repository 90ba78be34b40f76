//! Conditional writes that race, by writers that sometimes guess the version that comes next: whatever
//! takes place does so upon what it asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Condition, Record, Write};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Store};

use crate::parts::{Place, in_each_place, put};

const TASKS: u64 = 12;
const STEPS: u64 = 120;
const NAME: &str = "Ida";
const HOUR_US: u64 = 3_600_000_000;

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// A condition on versions about the newest that is known, at most `ahead` above it.
fn condition(newest: u64, ahead: u64, choice: u64) -> Condition {
    let count = 1 + choice % 3;
    let versions =
        (0..count).map(|place| version(newest + ahead - (choice / 7 + place) % (ahead + 3)));
    match choice % 11 {
        0 => Condition::Absent,
        1 => Condition::Exists,
        2..=6 => Condition::Is(versions.collect()),
        _ => Condition::IsNot(versions.collect()),
    }
}

async fn race(store: &dyn Store, engine: Arc<dyn Engine>, first: Record, ahead: u64) {
    let newest = Arc::new(AtomicU64::new(first.version.get()));
    let done: Arc<Mutex<Vec<(Record, Condition)>>> = Arc::default();
    let tasks = (0..TASKS).map(|task| {
        let (engine, newest, done) = (engine.clone(), newest.clone(), done.clone());
        tokio::spawn(async move {
            for step in 0..STEPS {
                let choice = (task * 0x9E37_79B9 + step * 0x85EB_CA6B) >> 5;
                let condition = match choice % 13 {
                    0 => Condition::Always,
                    _ => condition(newest.load(Ordering::Relaxed), ahead, choice / 13),
                };
                let mut write = Write {
                    condition: condition.clone(),
                    ..put(NAME, (step % 150) as u8)
                };
                if choice % 5 == 0 {
                    write.body = None;
                }
                match engine.write(write.clone()).await {
                    Ok(Outcome::Written { version, .. }) => {
                        newest.fetch_max(version.get(), Ordering::Relaxed);
                        done.lock().unwrap().push((write.at(version), condition));
                    }
                    Ok(Outcome::ConditionFailed) | Err(Error::Undecided) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let mut done = std::mem::take(&mut *done.lock().unwrap());
    done.sort_by_key(|(record, _)| record.version);
    assert!(done.len() > 50, "only {} took place", done.len());
    let mut current = first;
    for (record, condition) in done {
        assert!(condition.holds(&current), "{condition:?} of {current:?}");
        current = record;
    }
    let read = engine.read(&current.key).await.unwrap();
    assert_eq!(read.record, current);
    engine.stop(std::time::Duration::from_secs(30)).await;
    assert_eq!(store.load(&current.key).await.unwrap(), Some(current));
}

/// A row so new that the version clock only counts from there, and the next version can be guessed.
async fn row(store: &dyn Store) -> Record {
    let row = put(NAME, 0).at(version(Version::now().get() + HOUR_US));
    store
        .apply(std::slice::from_ref(&row), Origin::Drained)
        .await
        .unwrap();
    row
}

async fn what_write_behind_writes_is_upon_what_was_asked_for(place: Place) {
    let parts = place.open().await;
    let row = row(&*parts.store).await;
    let engine = parts.write_behind().await;
    race(&*parts.store, engine, row, 4).await;
}

async fn what_write_through_writes_is_upon_what_was_asked_for(place: Place) {
    let parts = place.open().await;
    let row = row(&*parts.store).await;
    let engine = parts.write_through().await;
    race(&*parts.store, engine, row, 4).await;
}

in_each_place! {
    what_write_behind_writes_is_upon_what_was_asked_for
    what_write_through_writes_is_upon_what_was_asked_for
}
