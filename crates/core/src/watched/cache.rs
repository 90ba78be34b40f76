//! A cache whose calls are noted.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use crate::cache::{Begun, Cache, FillStart, FillTicket, Lookup, Refill, Withdrawn};
use crate::error::{Part, Result};
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::health::PartHealth;

use crate::outage::{Calls, Consequences, Outage, Probe, prober};

/// A cache whose calls are noted. Where the cache can be bypassed, no call is refused: `crate::bypass`
/// decides when the cache is left, and needs each failure for that. Otherwise readers are refused at
/// once while the cache is known to leave them waiting.
#[derive(Debug)]
pub struct WatchedCache {
    cache: Arc<dyn Cache>,
    may_bypass: bool,
    outage: Arc<Outage>,
    _prober: AbortOnDropHandle<()>,
}

struct Values(Arc<dyn Cache>);

#[async_trait]
impl Probe for Values {
    async fn health(&self) -> PartHealth {
        self.0.health().await
    }

    async fn takes_writes(&self) -> Result<()> {
        self.0.probe().await.map(drop)
    }
}

impl WatchedCache {
    /// Watches `cache`, which the service can do without if it `may_bypass` it.
    pub fn new(
        cache: Arc<dyn Cache>,
        consequences: Consequences,
        may_bypass: bool,
    ) -> WatchedCache {
        let outage = Outage::new(Part::Cache, consequences);
        WatchedCache {
            _prober: prober::start(outage.clone(), Values(cache.clone())),
            cache,
            may_bypass,
            outage,
        }
    }

    /// Its state.
    pub fn outage(&self) -> Arc<Outage> {
        self.outage.clone()
    }

    async fn write<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.outage.note(Calls::Writes, 1, call).await
    }
}

#[async_trait]
impl Cache for WatchedCache {
    async fn get(&self, key: &Key) -> Result<Lookup> {
        if !self.may_bypass {
            self.outage.admits(Calls::Reads)?;
        }
        self.outage.note(Calls::Reads, 1, self.cache.get(key)).await
    }

    async fn begin_fill(&self, key: &Key) -> Result<FillStart> {
        self.write(self.cache.begin_fill(key)).await
    }

    async fn fill(&self, ticket: FillTicket, record: &Record) -> Result<bool> {
        self.write(self.cache.fill(ticket, record)).await
    }

    async fn abandon_fill(&self, key: &Key, ticket: FillTicket) -> Result<()> {
        self.write(self.cache.abandon_fill(key, ticket)).await
    }

    async fn refill(&self, held: &Record, record: &Record) -> Result<Refill> {
        self.write(self.cache.refill(held, record)).await
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        self.write(self.cache.forget(key)).await
    }

    async fn forget_all(&self) -> Result<()> {
        self.write(self.cache.forget_all()).await
    }

    async fn put_dirty(&self, records: &[Record]) -> Result<()> {
        self.write(self.cache.put_dirty(records)).await
    }

    async fn mark_clean(&self, flushed: &[(Key, Version)]) -> Result<()> {
        self.write(self.cache.mark_clean(flushed)).await
    }

    async fn begin_write(&self, keys: &[Key]) -> Result<Vec<Begun>> {
        self.write(self.cache.begin_write(keys)).await
    }

    async fn withdraw(&self, writes: &[Withdrawn]) -> Result<()> {
        self.write(self.cache.withdraw(writes)).await
    }

    async fn settle(&self, records: &[Record]) -> Result<()> {
        self.write(self.cache.settle(records)).await
    }

    async fn discard(&self, key: &Key, version: Version) -> Result<()> {
        self.write(self.cache.discard(key, version)).await
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.cache.raise(stored).await
    }

    fn enter_epoch(&self, epoch: Epoch, run: Option<&str>) {
        self.cache.enter_epoch(epoch, run);
    }

    async fn probe(&self) -> Result<String> {
        self.write(self.cache.probe()).await
    }

    async fn health(&self) -> PartHealth {
        match self.outage.looked_at().await {
            Some(health) => self.outage.told_of(health),
            None => self.outage.told_of(self.cache.health().await),
        }
    }
}
