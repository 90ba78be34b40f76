//! A store whose writes wait before they are committed, and again before they return, until
//! the test lets them go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::error::{Error, Part, Result};
use cache_core::model::dataset::Dataset;
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;
use cache_core::store::{Origin, Page, Proposal, Purge, Purged, Store};
use tokio::sync::Semaphore;

use crate::switched_store::SwitchedStore;

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// As the database says.
    Well,
    /// With an error, and not committed.
    Lost,
    /// With an error, although it is committed.
    Unanswered,
}

/// A place at which writes wait.
#[derive(Debug)]
struct Stop {
    goes_on: Semaphore,
    reached: AtomicUsize,
}

impl Stop {
    fn new() -> Stop {
        Stop {
            goes_on: Semaphore::new(0),
            reached: AtomicUsize::new(0),
        }
    }

    async fn wait(&self) {
        self.reached.fetch_add(1, Ordering::SeqCst);
        self.goes_on.acquire().await.unwrap().forget();
    }
}

#[derive(Debug)]
pub(crate) struct SteppedStore {
    inner: Arc<SwitchedStore>,
    ends: Ends,
    commit: Stop,
    answer: Stop,
}

impl SteppedStore {
    pub(crate) fn new(inner: Arc<SwitchedStore>, ends: Ends) -> Arc<SteppedStore> {
        Arc::new(SteppedStore {
            inner,
            ends,
            commit: Stop::new(),
            answer: Stop::new(),
        })
    }

    /// How often a write has come to its commit.
    pub(crate) fn begun(&self) -> usize {
        self.commit.reached.load(Ordering::SeqCst)
    }

    /// Lets one write be committed, or fail to be.
    pub(crate) async fn commit(&self) {
        let before = self.answer.reached.load(Ordering::SeqCst);
        self.commit.goes_on.add_permits(1);
        let committed = async {
            while self.answer.reached.load(Ordering::SeqCst) == before {
                tokio::task::yield_now().await;
            }
        };
        let committed = tokio::time::timeout(Duration::from_secs(30), committed);
        committed.await.unwrap();
    }

    /// Lets it return.
    pub(crate) fn answer(&self) {
        self.answer.goes_on.add_permits(1);
    }

    /// Lets all go on.
    pub(crate) fn open(&self) {
        self.commit.goes_on.add_permits(1_000);
        self.answer.goes_on.add_permits(1_000);
    }

    async fn step<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = || Err(Error::unavailable(Part::Database, "cut off"));
        self.commit.wait().await;
        let done = match self.ends {
            Ends::Lost => lost(),
            Ends::Well | Ends::Unanswered => write.await,
        };
        self.answer.wait().await;
        match self.ends {
            Ends::Unanswered => lost(),
            Ends::Well | Ends::Lost => done,
        }
    }
}

#[async_trait]
impl Store for SteppedStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        self.step(self.inner.apply(records, origin)).await
    }

    async fn transact(
        &self,
        proposals: &[Proposal],
        fence: Option<Epoch>,
    ) -> Result<Vec<Decision>> {
        if proposals.is_empty() {
            return Ok(Vec::new());
        }
        self.step(self.inner.transact(proposals, fence)).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        self.inner.load(key).await
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        self.inner.versions(keys).await
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.inner.page(after, limit).await
    }

    async fn newest_version(&self) -> Result<Version> {
        self.inner.newest_version().await
    }

    async fn purged_through(&self) -> Result<Version> {
        self.inner.purged_through().await
    }

    async fn purge(&self, purge: Purge) -> Result<Purged> {
        self.inner.purge(purge).await
    }

    fn dataset(&self) -> &Dataset {
        self.inner.dataset()
    }

    async fn health(&self) -> PartHealth {
        self.inner.health().await
    }
}
