//! The version clocks in Redis, one a shard.

use std::sync::LazyLock;

use deadpool_redis::redis::{Script, cmd};

use crate::error::{Part, Result};
use crate::redis::{Call, Redis, encode_version};
use crate::seed::StoredVersions;
use crate::shard::Shard;

static RAISE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("raise.lua")));

impl Redis {
    /// Seeds the clock of every shard, above all that `stored` has and above the
    /// shard's journal. Where there is no clock yet in this run of the server,
    /// what the journal holds is brought into the cache first.
    pub(crate) async fn raise(&self, part: Part, stored: &dyn StoredVersions) -> Result<()> {
        let floor = stored.newest().await?;
        let mut link = self.link(part).await?;
        let keys = link.keys.clone();
        let mut calls = Vec::new();
        for shard in (0..self.keyspace.shards()).map(Shard) {
            let clock = keys.clock(shard);
            let has_clock: bool = link.command(cmd("EXISTS").arg(&clock)).await?;
            let before: Option<String> = link
                .command(cmd("GET").arg(self.keyspace.run(shard)))
                .await?;
            // The run that the shard was used in before.
            let old = match before {
                Some(run) if run != keys.run() => Some(self.keyspace.in_run(&run)),
                _ => None,
            };
            if !has_clock {
                self.recover(&mut link, shard, old.as_ref(), stored).await?;
            }
            let old_clock = old.map_or_else(|| clock.clone(), |old| old.clock(shard));
            let mut call = Call::new(
                &RAISE,
                vec![
                    clock,
                    self.keyspace.journal(shard),
                    self.keyspace.run(shard),
                    old_clock,
                ],
            );
            call.arg(encode_version(floor)).arg(keys.run());
            calls.push(call);
        }
        link.scripts::<()>(calls).await.map(drop)
    }
}
