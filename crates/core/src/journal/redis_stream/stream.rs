//! One shard's stream as it is now.

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, Value, cmd, from_redis_value};

use crate::error::Result;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Call, Keyspace, Link, parse_id};

static DEPTH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../redis/waiting.lua"),
        include_str!("depth.lua")
    ))
});

/// What a stream says of itself; for one that is not there, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stream {
    /// Whether it is there; one that is drained is.
    pub(super) exists: bool,
    /// The newest version that it has ever had.
    pub(super) newest: Version,
    /// How many writes wait in it.
    pub(super) depth: u64,
    /// By which it is told from one that was made in its place: the name of a
    /// consumer group that `raise.lua` makes with it. Empty for one that is older.
    pub(super) made: Bytes,
}

impl Stream {
    pub(super) async fn ask(link: &mut Link, keyspace: &Keyspace, shard: Shard) -> Result<Stream> {
        let name = &keyspace.journal(shard);
        let has_stream: bool = link.command(cmd("EXISTS").arg(name)).await?;
        if !has_stream {
            return Ok(Stream::default());
        }
        let information: HashMap<String, Value> =
            link.command(cmd("XINFO").arg("STREAM").arg(name)).await?;
        let field = |name| information.get(name).cloned();
        let id: Option<Bytes> = field("last-generated-id").and_then(|id| from_redis_value(id).ok());
        let newest = id.and_then(|id| parse_id(&id));
        let depth = vec![keyspace.journal(shard), keyspace.waiting(shard)];
        let depth: u64 = link.script(Call::new(&DEPTH, depth)).await?;
        let groups: Vec<HashMap<String, Value>> =
            link.command(cmd("XINFO").arg("GROUPS").arg(name)).await?;
        let group = groups.first().and_then(|group| group.get("name").cloned());
        Ok(Stream {
            exists: true,
            made: group
                .and_then(|name| from_redis_value(name).ok())
                .unwrap_or_default(),
            newest: newest.map_or(Version::ZERO, |(version, _)| version),
            depth,
        })
    }
}
