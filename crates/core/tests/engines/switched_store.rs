//! A store that can be switched off, as a database that becomes unavailable. (A
//! real one cannot be stopped between two given steps of an engine.)

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use cache_core::error::{Error, Part, Result};
use cache_core::model::dataset::Dataset;
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;
use cache_core::store::{Origin, Page, Proposal, Purge, Purged, Store};

#[derive(Debug)]
pub(crate) struct SwitchedStore {
    pub(crate) inner: Box<dyn Store>,
    refuses_writes: AtomicBool,
    /// Records are applied while this is not held.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// How often records were to be applied.
    pub(crate) applies: AtomicUsize,
}

impl SwitchedStore {
    pub(crate) fn new(inner: impl Store) -> Arc<SwitchedStore> {
        Arc::new(SwitchedStore {
            inner: Box::new(inner),
            refuses_writes: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
            applies: AtomicUsize::new(0),
        })
    }

    /// Makes every write fail, or no longer.
    pub(crate) fn refuse_writes(&self, refuse: bool) {
        self.refuses_writes.store(refuse, Ordering::SeqCst);
    }

    fn refuse_or_not(&self) -> Result<()> {
        if self.refuses_writes.load(Ordering::SeqCst) {
            return Err(Error::unavailable(Part::Database, "switched off"));
        }
        Ok(())
    }
}

#[async_trait]
impl Store for SwitchedStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        self.refuse_or_not()?;
        self.applies.fetch_add(1, Ordering::SeqCst);
        drop(self.turn.lock().await);
        self.inner.apply(records, origin).await
    }

    async fn transact(
        &self,
        proposals: &[Proposal],
        fence: Option<Epoch>,
    ) -> Result<Vec<Decision>> {
        self.refuse_or_not()?;
        self.inner.transact(proposals, fence).await
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
