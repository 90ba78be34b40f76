//! Keeping the leases, and hearing what other processes say.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::write_behind::drainer::Wake;
use crate::engine::write_behind::drainer::reach::Reach;
use crate::error::Result;
use crate::lease::{LeaseCall, Leases};
use crate::model::shard::Shard;
use crate::outage::back_off::Recovery;
use crate::store::Store;
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

/// How many times a lease is renewed while it lasts.
const RENEWALS: u32 = 3;

/// Keeps the leases of one process.
pub(super) struct Keeper {
    pub(super) leases: Arc<dyn Leases>,
    pub(super) lifetime: Duration,
    pub(super) wake: Wake,
    pub(super) shards: u16,
    pub(super) reach: Arc<Reach>,
    pub(super) recovery: Recovery,
    pub(super) store: Arc<dyn Store>,
}

impl Keeper {
    /// Renews the leases for ever, and wakes the loops: all at each renewal, in
    /// case a message was missed, and that of one shard when another process
    /// announces entries there. A renewal that failed, or found the database unavailable, is
    /// repeated as soon as a part recovers.
    pub(super) async fn keep(self) {
        let mut recoveries = self.recovery.watch();
        loop {
            let began = Instant::now();
            recoveries.forget();
            let renewed = self.renew().await;
            let waits_for_a_part = renewed.is_err() || self.reach.is_lost(self.lifetime);
            if let Err(error) = renewed {
                telemetry::failed("lease", &error);
                repeated::failed("cannot renew the leases on the journal's shards", &error, 1);
            }
            telemetry::leases(self.held());
            self.wake.wake_all();
            let renew_at = began + self.lifetime / RENEWALS;
            loop {
                let recovered = async {
                    tokio::time::sleep_until(began + timing::LEASE_RENEWAL_BACKOFF).await;
                    recoveries.next().await;
                };
                let said = tokio::select! {
                    biased;
                    () = recovered, if waits_for_a_part => break,
                    said = tokio::time::timeout_at(renew_at, self.leases.called()) => said,
                };
                match said {
                    Ok(LeaseCall::Entries(shard)) => self.wake.wake(shard),
                    Ok(LeaseCall::Everything) => self.wake.wake_all(),
                    Ok(LeaseCall::Leases) | Err(_) => break,
                }
            }
        }
    }

    fn held(&self) -> usize {
        let held = (0..self.shards).filter(|shard| self.leases.held().holds(Shard(*shard)));
        held.count()
    }

    async fn renew(&self) -> Result<()> {
        if self.reach.is_lost(self.lifetime) && self.held() == 0 {
            // A process without shards drains nothing, so it would not notice that the database is back.
            let wait_timeout = self.lifetime / RENEWALS;
            let store = &*self.store;
            self.reach
                .ask_again(store, self.lifetime, wait_timeout)
                .await;
        }
        if !self.reach.is_lost(self.lifetime) {
            return self.leases.renew().await;
        }
        let held = self.held();
        self.leases.stand_back().await?;
        if held > 0 && self.held() == 0 {
            tracing::warn!(
                shards = held,
                "the database takes nothing from this process; other processes drain the journal"
            );
        }
        Ok(())
    }
}
