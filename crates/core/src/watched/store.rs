//! A database whose calls are noted.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Part, Result};
use crate::model::dataset::Dataset;
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::outage::back_off::Recovery;
use crate::outage::health::PartHealth;
use crate::store::{Connections, Loaded, Locks, Origin, Page, Proposal, Purge, Purged, Store};

use crate::outage::{Calls, Consequences, Outage, Probe, prober};

/// A database whose calls are noted. Those of clients are refused at once while it is known to leave
/// them waiting; those of the drainer are not, since it pauses by itself after a failure.
#[derive(Debug)]
pub struct WatchedStore {
    store: Arc<dyn Store>,
    outage: Arc<Outage>,
    _prober: AbortOnDropHandle<()>,
}

struct Database(Arc<dyn Store>);

#[async_trait]
impl Probe for Database {
    async fn health(&self) -> PartHealth {
        self.0.health().await
    }

    async fn takes_writes(&self) -> Result<()> {
        self.0.takes_writes().await
    }
}

impl WatchedStore {
    /// Watches `store`.
    pub fn new(store: Arc<dyn Store>, consequences: Consequences) -> WatchedStore {
        let outage = Outage::new(Part::Database, consequences);
        WatchedStore {
            _prober: prober::start(outage.clone(), Database(store.clone())),
            store,
            outage,
        }
    }

    /// Its state.
    pub fn outage(&self) -> Arc<Outage> {
        self.outage.clone()
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.outage.note(Calls::Reads, 1, call).await
    }

    async fn read_for_client<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.outage.admits(Calls::Reads)?;
        self.read(call).await
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        if matches!(origin, Origin::Issued(_)) {
            self.outage.admits(Calls::Writes)?;
        }
        let call = self.store.apply(records, origin);
        self.outage.note(Calls::Writes, records.len(), call).await
    }

    async fn transact(
        &self,
        proposals: &[Proposal],
        fence: Option<Epoch>,
    ) -> Result<Vec<Decision>> {
        self.outage.admits(Calls::Writes)?;
        let call = self.store.transact(proposals, fence);
        self.outage.note(Calls::Writes, proposals.len(), call).await
    }

    async fn locks(&self, keys: &[Key]) -> Result<Locks> {
        self.read(self.store.locks(keys)).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        self.read_for_client(self.store.load(key)).await
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Loaded> {
        self.read_for_client(self.store.load_many(keys)).await
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        self.read(self.store.versions(keys)).await
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.read_for_client(self.store.page(after, limit)).await
    }

    async fn newest_version(&self) -> Result<Version> {
        self.read(self.store.newest_version()).await
    }

    fn newest_written(&self) -> Version {
        self.store.newest_written()
    }

    async fn has_between(&self, from: Version, to: Version) -> Result<bool> {
        self.read(self.store.has_between(from, to)).await
    }

    async fn purged_through(&self) -> Result<Version> {
        self.read(self.store.purged_through()).await
    }

    async fn purge(&self, purge: Purge) -> Result<Purged> {
        self.outage
            .note(Calls::Writes, 1, self.store.purge(purge))
            .await
    }

    fn connections(&self) -> Connections {
        self.store.connections()
    }

    fn dataset(&self) -> &Dataset {
        self.store.dataset()
    }

    fn admits_writes(&self) -> Result<()> {
        self.outage.admits(Calls::Writes)
    }

    async fn takes_writes(&self) -> Result<()> {
        self.store.takes_writes().await
    }

    fn on_recovery(&self, recovery: &Recovery) {
        self.outage.on_recovery(recovery);
    }

    async fn health(&self) -> PartHealth {
        match self.outage.looked_at().await {
            Some(health) => self.outage.told_of(health),
            None => self.outage.told_of(self.store.health().await),
        }
    }
}
