//! The version clocks in Redis, one a shard.

use std::sync::LazyLock;

use deadpool_redis::redis::Script;

use crate::error::{Part, Result};
use crate::redis::{Call, Redis, encode_version};
use crate::shard::Shard;
use crate::version::Version;

static RAISE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("raise.lua")));

impl Redis {
    /// Seeds the clock of every shard, above `floor` and above the shard's journal.
    pub(crate) async fn raise(&self, part: Part, floor: Version) -> Result<()> {
        let calls: Vec<Call> = (0..self.keyspace.shards())
            .map(Shard)
            .map(|shard| {
                let mut call = Call::new(
                    &RAISE,
                    vec![self.keyspace.clock(shard), self.keyspace.journal(shard)],
                );
                call.arg(encode_version(floor));
                call
            })
            .collect();
        self.scripts::<()>(part, &calls).await.map(drop)
    }
}
