//! Readers that come while others are under way to the database.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::bypass::Access;
use cache_core::cache::Cache;
use cache_core::engine::read_through::ReadThrough;
use cache_core::engine::seeder::Seeder;
use cache_core::error::{Error, Part, Result};
use cache_core::model::dataset::Dataset;
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Key, Record};
use cache_core::model::source::Source;
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;
use cache_core::store::{Origin, Page, Proposal, Purge, Purged, Store};
use tokio::sync::oneshot;

use crate::fakes::{Database, FakeCache};
use crate::processes::{Process, eventually};

/// A database whose loads end when they are told to.
#[derive(Debug, Default)]
struct HeldStore {
    loads: Mutex<VecDeque<oneshot::Sender<Record>>>,
}

impl HeldStore {
    /// Waits until one more reader is under way; what it is told, and when, is
    /// the caller's.
    async fn load_begun(&self) -> oneshot::Sender<Record> {
        for _ in 0..1_000 {
            if let Some(load) = self.loads.lock().unwrap().pop_front() {
                return load;
            }
            tokio::task::yield_now().await;
        }
        panic!("the database is not asked");
    }

    fn is_idle(&self) -> bool {
        self.loads.lock().unwrap().is_empty()
    }
}

fn never_asked<T>() -> Result<T> {
    Err(Error::unavailable(Part::Database, "this is not asked"))
}

#[async_trait]
impl Store for HeldStore {
    async fn apply(&self, _: &[Record], _: Origin) -> Result<()> {
        never_asked()
    }

    async fn transact(&self, _: &[Proposal], _: Option<Epoch>) -> Result<Vec<Decision>> {
        never_asked()
    }

    async fn load(&self, _: &Key) -> Result<Option<Record>> {
        let (load, loaded) = oneshot::channel();
        self.loads.lock().unwrap().push_back(load);
        match loaded.await {
            Ok(record) => Ok(Some(record)),
            Err(_) => never_asked(),
        }
    }

    async fn versions(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        never_asked()
    }

    async fn page(&self, _: Option<&Key>, _: u32) -> Result<Page> {
        never_asked()
    }

    async fn newest_version(&self) -> Result<Version> {
        never_asked()
    }

    async fn purged_through(&self) -> Result<Version> {
        never_asked()
    }

    async fn purge(&self, _: Purge) -> Result<Purged> {
        never_asked()
    }

    fn dataset(&self) -> &Dataset {
        static DATASET: Dataset = Dataset {
            identity: String::new(),
            shards: 1,
        };
        &DATASET
    }

    async fn health(&self) -> PartHealth {
        PartHealth {
            kind: "held",
            at: "this test".to_owned(),
            up: true,
            problem: None,
            durability: None,
            ..PartHealth::default()
        }
    }
}

fn record(number: u64) -> Record {
    Record {
        key: Key::from("a"),
        version: Version::new(number).unwrap(),
        body: Some(Bytes::from("{}")),
    }
}

/// The cache has no room for what they load. So it is unknown whether that was
/// current when the second reader came: a write may have been acknowledged
/// meanwhile.
#[tokio::test(start_paused = true)]
async fn a_reader_is_not_told_what_was_loaded_before_it_came() {
    let (cache, store) = (FakeCache::new(), Arc::new(HeldStore::default()));
    let held: Arc<dyn Store> = store.clone();
    let cache: Arc<dyn Cache> = cache;
    let seeder = Arc::new(Seeder::new(cache.clone(), None, held.clone()));
    let reader = ReadThrough::new(cache, held, seeder, Access::always());
    let read = || {
        let reader = reader.clone();
        tokio::spawn(async move { reader.read(&Key::from("a")).await.unwrap() })
    };
    let first = read();
    let load = store.load_begun().await;
    // The database has looked; then a write was acknowledged; then these came.
    let late = [read(), read(), read()];
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(store.is_idle(), "they wait for the first");
    load.send(record(1)).unwrap();
    assert_eq!(first.await.unwrap().record.version.get(), 1);
    // One of them goes for all of them.
    store.load_begun().await.send(record(2)).unwrap();
    let mut sources = Vec::new();
    for late in late {
        let read = late.await.unwrap();
        assert_eq!(read.record.version.get(), 2);
        sources.push(read.source);
    }
    let collapsed = sources
        .iter()
        .filter(|source| **source == Source::Collapsed);
    assert_eq!(collapsed.count(), 2, "{sources:?}");
    assert!(store.is_idle());
}

/// Other processes may have written while bypassing the cache since.
#[tokio::test(start_paused = true)]
async fn what_was_read_while_the_trust_ended_is_read_again_from_the_database() {
    let database = Arc::new(Database::default());
    let process = Process::join(&database, "a").await;
    let other = Process::join(&database, "b").await;
    let store = Arc::new(HeldStore::default());
    let held: Arc<dyn Store> = store.clone();
    let cache: Arc<dyn Cache> = process.cache.clone();
    let seeder = Arc::new(Seeder::new(cache.clone(), None, held.clone()));
    let reader = ReadThrough::new(cache, held, seeder, process.access.clone());
    let read = || {
        let reader = reader.clone();
        tokio::spawn(async move { reader.read(&Key::from("a")).await.unwrap() })
    };
    // What is read while it is trusted is not read again.
    let reading = read();
    store.load_begun().await.send(record(1)).unwrap();
    assert_eq!(
        reading.await.unwrap().source,
        Source::Miss { stored: false }
    );
    assert!(store.is_idle());

    let reading = read();
    let load = store.load_begun().await;
    other.is_cut_off().await.unwrap();
    eventually(|| !process.trusts()).await;
    load.send(record(1)).unwrap();
    store.load_begun().await.send(record(2)).unwrap();
    let read = reading.await.unwrap();
    assert_eq!(
        (read.record.version.get(), read.source),
        (2, Source::Bypass)
    );
}
