//! Waking the loops: there is no tick in an idle service.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::lease::Leases;
use crate::model::shard::Shard;

/// Wakes the loop of a shard.
#[derive(Clone, Debug)]
pub struct Wake {
    leases: Arc<dyn Leases>,
    shards: Arc<[Notify]>,
    hurry: watch::Sender<()>,
}

impl Wake {
    pub(super) fn new(leases: Arc<dyn Leases>, shards: u16) -> Wake {
        Wake {
            leases,
            shards: (0..shards).map(|_| Notify::new()).collect(),
            hurry: watch::Sender::new(()),
        }
    }

    /// There is something in `shard`. The loop sleeps on if another process drains it; all
    /// are woken when the leases change.
    pub fn wake(&self, shard: Shard) {
        if !self.leases.held().holds(shard) {
            return;
        }
        if let Some(notify) = self.shards.get(usize::from(shard.0)) {
            // Leaves a permit when the loop is not waiting, so that nothing is missed.
            notify.notify_one();
        }
    }

    /// There may be something in any shard.
    pub fn wake_all(&self) {
        for notify in self.shards.iter() {
            notify.notify_one();
        }
    }

    /// Ends the lingering of all loops, since a caller waits for the database.
    pub fn hurry(&self) {
        self.hurry.send_replace(());
    }

    pub(super) async fn woken(&self, shard: Shard) {
        match self.shards.get(usize::from(shard.0)) {
            Some(notify) => notify.notified().await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn hurried(&self) -> watch::Receiver<()> {
        self.hurry.subscribe()
    }
}
