//! Forgetting clean values in Redis.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::cache::redis::RedisCache;
use crate::error::{Part, Result};
use crate::model::record::Key;
use crate::redis::{Call, Link, Over};

/// Names that are looked at in one round trip.
const BATCH_MAX: usize = 1_000;

static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../redis/forms.lua"),
        include_str!("forget.lua")
    ))
});

impl RedisCache {
    pub(super) async fn forget_clean(&self, key: &Key) -> Result<()> {
        let forget = |mut link: Link| async move {
            let entry = link.keys.entry(key);
            link.script(Call::new(&FORGET, vec![entry])).await
        };
        self.redis.ask(Over::Shared, Part::Cache, forget).await
    }

    /// Walks over all names of the server, most of which may be others'. What was held when
    /// this began, and still is, is among those that it finds.
    pub(super) async fn forget_all_clean(&self) -> Result<()> {
        let mut link = self.redis.link(Part::Cache).await?;
        let keys = link.keys.clone();
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(keys.entry_pattern());
            scan.arg("COUNT").arg(BATCH_MAX);
            let (next, found): (u64, Vec<Bytes>) = link.command(&scan).await?;
            if !found.is_empty() {
                let mut call = Call::begin(&FORGET, found.len());
                for name in &found {
                    call.arg(&name[..]);
                }
                link.script::<()>(call).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }
}
