//! Removing marks of doubt whose lifetime is over. Marks have no expiry. Where a writer died or the
//! database did not answer, a mark stays until the name is read or written once more. Names of an
//! earlier run or epoch never are.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Part, Result};
use crate::redis::{Call, Redis, milliseconds};
use crate::timing;

/// How many names one round trip looks at.
const BATCH_MAX: usize = 1_000;

static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../redis/forms.lua"),
        include_str!("../../redis/doubt.lua"),
        include_str!("sweep.lua")
    ))
});

/// Sweeps once in the lifetime of a mark, in one process on the server.
#[derive(Debug)]
pub(super) struct Sweeper {
    pub(super) redis: Arc<Redis>,
    pub(super) lifetime: Duration,
}

impl Sweeper {
    /// Sweeps until the returned value is dropped.
    pub(super) fn start(self) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(self.lifetime).await;
                let swept = match self.is_its_turn().await {
                    Ok(true) => self.sweep().await,
                    other => other.map(drop),
                };
                if let Err(error) = swept {
                    tracing::debug!(%error, "old marks of doubt stay until they are looked for again");
                }
            }
        }))
    }

    async fn is_its_turn(&self) -> Result<bool> {
        let mut link = self.redis.link(Part::Cache).await?;
        let mut set = cmd("SET");
        set.arg(self.redis.keyspace.sweep()).arg("").arg("NX");
        // Expires before the next process wakes.
        set.arg("PX").arg(milliseconds(self.lifetime / 2));
        let taken: Option<String> = link.command(&set).await?;
        Ok(taken.is_some())
    }

    /// Removes the marks of doubt whose lifetime is over, of all runs and epochs. Walks over all
    /// names of the server, most of which may belong to other programs.
    async fn sweep(&self) -> Result<()> {
        let mut link = self.redis.link(Part::Cache).await?;
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("COUNT").arg(BATCH_MAX);
            scan.arg("MATCH").arg(self.redis.keyspace.entry_pattern());
            let (next, found): (u64, Vec<Bytes>) = link.command(&scan).await?;
            if !found.is_empty() {
                let mut call = Call::begin(&SWEEP, found.len());
                for name in &found {
                    call.arg(&name[..]);
                }
                call.arg(milliseconds(self.lifetime));
                link.script::<()>(call).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
            tokio::time::sleep(timing::SWEEP_INTERVAL).await;
        }
    }
}
