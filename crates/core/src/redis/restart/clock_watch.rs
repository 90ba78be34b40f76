//! Looking at the clocks once a second. So an idle process, too, learns which versions are issued, and
//! notices for all processes when other data have taken their place (`issued.rs`).

use std::sync::Arc;

use bytes::Bytes;
use deadpool_redis::redis::cmd;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Part, Result};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::Redis;
use crate::timing;

impl Redis {
    /// Looks at the clocks once a second, until the returned value is dropped.
    pub(crate) fn watch_clocks(self: &Arc<Redis>) -> AbortOnDropHandle<()> {
        let redis = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(timing::REDIS_CLOCK_INTERVAL).await;
                // Calls that need Redis notice when it is unavailable.
                let _ = redis.look_at_clocks().await;
            }
        }))
    }

    /// Reads all clocks, and removes those that are invalid or older than what is known.
    async fn look_at_clocks(&self) -> Result<()> {
        let mut link = self.link(Part::Cache).await?;
        let shards = || (0..self.keyspace.shards()).map(Shard);
        // IMPORTANT: read before the server is asked.
        let known: Vec<Version> = shards().map(|shard| self.issued().newest(shard)).collect();
        let mut get = cmd("MGET");
        for shard in shards() {
            get.arg(link.keys.clock(shard));
        }
        let clocks: Vec<Option<Bytes>> = link.command(&get).await?;
        for ((shard, clock), known) in shards().zip(clocks).zip(known) {
            let is_wrong = clock.is_some_and(|clock| {
                let issued = self.issued();
                !issued.is_known_to(Some(&clock), known, shard)
            });
            if is_wrong && !self.has_clock(&mut link, shard).await? {
                tracing::warn!(
                    shard = shard.0,
                    "this Redis has other data than before; the shard is recovered"
                );
            }
        }
        Ok(())
    }
}
