//! Using a shard again in a run of the server in which it was used before, and whose clock is gone.
//! The server was the replica of another one for a while, which issued versions. Or another program
//! has changed or removed something.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::Result;
use crate::model::shard::Shard;
use crate::redis::{Call, Link, Redis};

/// Names that are looked at in one round trip.
const BATCH_MAX: usize = 1_000;

static FORGET_CLEAN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../forms.lua"),
        include_str!("forget_clean.lua")
    ))
});

impl Redis {
    /// Removes what the shard had cached under the name of this run, if it was used in the run
    /// before. `recovered` is not empty then.
    pub(in crate::redis) async fn forget_if_used(
        &self,
        link: &mut Link,
        shard: Shard,
        recovered: &[u8],
    ) -> Result<()> {
        if recovered.is_empty() {
            return Ok(());
        }
        let keys = link.keys.clone();
        let entries = format!("{}*", keys.entry_prefix(shard));
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&entries);
            scan.arg("COUNT").arg(BATCH_MAX);
            let (next, found): (u64, Vec<Bytes>) = link.command(&scan).await?;
            if !found.is_empty() {
                let mut call = Call::begin(&FORGET_CLEAN, 1 + found.len());
                call.arg(keys.clock(shard));
                for name in &found {
                    call.arg(&name[..]);
                }
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
