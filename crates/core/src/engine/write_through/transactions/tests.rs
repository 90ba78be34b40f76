use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::cache::memory::MemoryCache;
use crate::cache::{Lifetimes, Lookup};
use crate::model::dataset::Dataset;
use crate::model::decision::Decision;
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::store::{Origin, Page, Purge, Purged};

const LONG: Duration = Duration::from_secs(3600);

/// A database that accepts only writes without a condition.
#[derive(Debug, Default)]
struct FakeStore {
    rows: Mutex<HashMap<Key, Record>>,
    dataset: Dataset,
}

fn not_asked<T>() -> Result<T> {
    Err(Error::unavailable(Part::Database, "not asked for here"))
}

#[async_trait]
impl Store for FakeStore {
    async fn apply(&self, records: &[Record], _: Origin) -> Result<()> {
        let records = records.iter().cloned();
        let mut rows = self.rows.lock().unwrap();
        rows.extend(records.map(|record| (record.key.clone(), record)));
        Ok(())
    }

    async fn transact(&self, _: &[Proposal], _: Option<Epoch>) -> Result<Vec<Decision>> {
        not_asked()
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        Ok(self.rows.lock().unwrap().get(key).cloned())
    }

    async fn versions(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        not_asked()
    }

    async fn page(&self, _: Option<&Key>, _: u32) -> Result<Page> {
        not_asked()
    }

    async fn newest_version(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn purged_through(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn purge(&self, _: Purge) -> Result<Purged> {
        not_asked()
    }

    fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    async fn health(&self) -> PartHealth {
        PartHealth {
            kind: "fake",
            at: String::new(),
            up: true,
            ..PartHealth::default()
        }
    }
}

fn transactions() -> Transactions {
    let lifetimes = Lifetimes {
        clean: LONG,
        absent: LONG,
        in_doubt: LONG,
        fill: LONG,
    };
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new(1 << 20, lifetimes));
    let store: Arc<dyn Store> = Arc::new(FakeStore::default());
    Transactions {
        seeder: Arc::new(Seeder::new(cache.clone(), None, store.clone())),
        cache,
        store,
        access: Access::always(),
        locked: Arc::default(),
        turns: Semaphore::new(1),
    }
}

fn writes() -> [Vec<Write>; 2] {
    ["one", "other"].map(|name| {
        let body = Bytes::from_static(b"x");
        vec![Write::put(Key::from(name), body)]
    })
}

/// Another batch is in the database for longer than a batch waits for its turn.
#[tokio::test(start_paused = true)]
async fn a_batch_without_a_turn_is_withdrawn_and_answered() {
    let transactions = transactions();
    let [one, _] = writes();
    let key = one[0].key.clone();
    let turn = transactions.turns.acquire().await.unwrap();
    let answers = transactions.take(one).await;
    assert!(
        matches!(
            answers[..],
            [Err(Error::NotWritten {
                part: Part::Database,
                ..
            })]
        ),
        "{answers:?}"
    );
    assert_eq!(transactions.cache.get(&key).await.unwrap(), Lookup::Miss);
    // Nothing is written later.
    drop(turn);
    tokio::time::sleep(2 * timing::BATCH_TURN_TIMEOUT).await;
    assert_eq!(transactions.store.load(&key).await.unwrap(), None);
    let again = transactions.take(writes()[0].clone()).await;
    assert!(matches!(again[..], [Ok(Decision::Written(_))]), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_gets_its_turn_in_time_is_written() {
    let transactions = transactions();
    let [one, other] = writes();
    let key = one[0].key.clone();
    let turn = transactions.turns.acquire().await.unwrap();
    let goes_on = async {
        tokio::time::sleep(timing::BATCH_TURN_TIMEOUT / 2).await;
        let lookup = transactions.cache.get(&key).await.unwrap();
        assert_eq!(lookup, Lookup::InDoubt(None));
        drop(turn);
    };
    let (one, other, ()) = tokio::join!(transactions.take(one), transactions.take(other), goes_on);
    for answers in [one, other] {
        assert!(
            matches!(answers[..], [Ok(Decision::Written(_))]),
            "{answers:?}"
        );
    }
    let stored = transactions.store.load(&key).await.unwrap().unwrap();
    let held = transactions.cache.get(&key).await.unwrap();
    assert_eq!(held, Lookup::Hit(stored));
}
