//! Many writers and readers on a few names: no read is older than a write that
//! was answered, or a read that ended, before it began.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cache_core::engine::{Engine, Outcome};
use cache_core::model::record::{Key, Write};
use cache_core::model::version::Version;

use crate::parts::{Place, in_each_place, put};

const TASKS: u64 = 8;
const STEPS: u64 = 150;
const NAMES: u64 = 4;

/// The newest version of each name that a client was answered with.
#[derive(Default)]
struct Seen(Mutex<HashMap<Key, Version>>);

impl Seen {
    fn floor(&self, key: &Key) -> Version {
        self.0.lock().unwrap().get(key).copied().unwrap_or_default()
    }

    fn raise(&self, key: &Key, version: Version) {
        let mut seen = self.0.lock().unwrap();
        let newest = seen.entry(key.clone()).or_default();
        *newest = version.max(*newest);
    }
}

async fn race(engines: Vec<Arc<dyn Engine>>) {
    let seen = Arc::new(Seen::default());
    let tasks = (0..TASKS).map(|task| {
        let (engine, seen) = (engines[task as usize % engines.len()].clone(), seen.clone());
        tokio::spawn(async move {
            for step in 0..STEPS {
                let choice = task
                    .wrapping_mul(0x9E37_79B9)
                    .wrapping_add(step.wrapping_mul(0x85EB_CA6B))
                    >> 7;
                let name = format!("racer {}", choice % NAMES);
                let key = Key::from(name.as_str());
                let floor = seen.floor(&key);
                let write = match choice / NAMES % 5 {
                    0 | 1 => put(&name, (step % 150) as u8),
                    2 => Write::delete(key.clone()),
                    other => {
                        // As when other programs write, too.
                        if other == 3 && step % 3 == 0 {
                            engine.forget(&key).await.unwrap();
                        }
                        let read = match other == 3 && step % 3 == 1 {
                            true => engine.reload(&key).await.unwrap(),
                            false => engine.read(&key).await.unwrap(),
                        };
                        let found = read.record.version;
                        assert!(
                            found >= floor,
                            "read {found} after {floor} was seen ({:?})",
                            read.source
                        );
                        seen.raise(&key, found);
                        continue;
                    }
                };
                if let Outcome::Written { version, .. } = engine.write(write).await.unwrap() {
                    assert!(version > floor, "issued {version} after {floor} was seen");
                    seen.raise(&key, version);
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(
        seen.0.lock().unwrap().len() as u64,
        NAMES,
        "every name was touched"
    );
    for (key, newest) in &*seen.0.lock().unwrap() {
        assert!(*newest > Version::ZERO, "{key:?} was written");
    }
}

async fn write_through_reads_never_go_back(place: Place) {
    let parts = place.open().await;
    race(vec![parts.write_through().await]).await;
}

async fn write_behind_reads_never_go_back(place: Place) {
    let parts = place.open().await;
    race(vec![parts.write_behind().await]).await;
}

async fn what_was_raced_for_ends_the_same_in_cache_and_database(place: Place) {
    let parts = place.open().await;
    let engine = parts.write_behind().await;
    race(vec![engine.clone()]).await;
    assert!(
        engine
            .flush(std::time::Duration::from_secs(30))
            .await
            .unwrap()
    );
    for name in 0..NAMES {
        let key = Key::from(format!("racer {name}"));
        let read = engine.read(&key).await.unwrap().record;
        let stored = cache_core::store::Store::load(&*parts.store, &key)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read, stored);
    }
}

in_each_place! {
    write_through_reads_never_go_back
    write_behind_reads_never_go_back
    what_was_raced_for_ends_the_same_in_cache_and_database
}

/// Two processes, as far as the core can tell: each has its own connections.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn reads_through_two_replicas_of_write_through_never_go_back() {
    let place = Place::servers();
    let (one, other) = (place.open().await, place.open().await);
    race(vec![one.write_through().await, other.write_through().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn reads_through_two_replicas_of_write_behind_never_go_back() {
    let place = Place::servers();
    let (one, other) = (place.open().await, place.open().await);
    race(vec![one.write_behind().await, other.write_behind().await]).await;
}
