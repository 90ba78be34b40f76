//! Keeping the leases, and hearing what other processes say.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::drainer::Wake;
use crate::lease::{Call, Leases};
use crate::shard::Shard;
use crate::telemetry;

/// How many times a lease is renewed while it lasts.
const RENEWALS: u32 = 3;

/// Renews the leases for ever, and wakes the loops: of all shards at each
/// renewal, so that whatever was not heard is found, and of one when another
/// process says that there is something in it.
pub(super) async fn keep(leases: Arc<dyn Leases>, lifetime: Duration, wake: Wake, shards: u16) {
    loop {
        let began = Instant::now();
        if let Err(error) = leases.renew().await {
            telemetry::failed("lease", &error);
            tracing::warn!(%error, "cannot renew the leases on the journal's shards");
        }
        let held = (0..shards).filter(|shard| leases.held().holds(Shard(*shard)));
        telemetry::leases(held.count());
        wake.wake_all();
        let renew_at = began + lifetime / RENEWALS;
        while let Ok(said) = tokio::time::timeout_at(renew_at, leases.called()).await {
            match said {
                Call::Entries(shard) => wake.wake(shard),
                Call::Everything => wake.wake_all(),
                Call::Leases => break,
            }
        }
    }
}
