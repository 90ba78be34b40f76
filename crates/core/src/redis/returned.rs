//! A server that is used again in a run in which it was used before: it was the
//! replica of another one for a while, and that one issued versions.

use std::sync::LazyLock;

use deadpool_redis::redis::{Script, cmd};

use crate::error::Result;
use crate::redis::{Call, Link, Redis};
use crate::shard::Shard;

/// Names that are looked at in one round trip.
const BATCH_MAX: usize = 1_000;

static FORGET_CLEAN: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("forget_clean.lua")));

impl Redis {
    /// Forgets what the shard had cached under the name of this run, if it was
    /// used in another one since.
    pub(super) async fn forget_if_left(&self, link: &mut Link, shard: Shard) -> Result<()> {
        let keys = link.keys.clone();
        let was_left: bool = link.command(cmd("EXISTS").arg(keys.left(shard))).await?;
        if !was_left {
            return Ok(());
        }
        let entries = format!("{}*", keys.entry_prefix(shard));
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&entries);
            scan.arg("COUNT").arg(BATCH_MAX);
            let (next, found): (u64, Vec<String>) = link.command(&scan).await?;
            if !found.is_empty() {
                let names = std::iter::once(keys.clock(shard)).chain(found).collect();
                let call = Call::new(&FORGET_CLEAN, names);
                if !link.script::<bool>(call).await? {
                    return Ok(());
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }
}
