//! One shard's stream as it is now.

use std::collections::HashMap;

use bytes::Bytes;
use deadpool_redis::redis::{Value, cmd, from_redis_value};

use crate::error::Result;
use crate::redis::{Link, parse_id};
use crate::version::Version;

/// What a stream says of itself; for one that is not there, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stream {
    /// Whether it is there; one that is drained is.
    pub(super) exists: bool,
    /// The newest version that it has ever had.
    pub(super) newest: Version,
    /// How many entries wait in it.
    pub(super) depth: u64,
    /// By which it is told from one that was made in its place: the name of a
    /// consumer group that `raise.lua` makes with it. Empty for one that is older.
    pub(super) made: Bytes,
}

impl Stream {
    pub(super) async fn ask(link: &mut Link, name: &str) -> Result<Stream> {
        let has_stream: bool = link.command(cmd("EXISTS").arg(name)).await?;
        if !has_stream {
            return Ok(Stream::default());
        }
        let information: HashMap<String, Value> =
            link.command(cmd("XINFO").arg("STREAM").arg(name)).await?;
        let field = |name| information.get(name).cloned();
        let id: Option<Bytes> = field("last-generated-id").and_then(|id| from_redis_value(id).ok());
        let newest = id.and_then(|id| parse_id(&id));
        let depth = field("length").and_then(|length| from_redis_value(length).ok());
        let groups: Vec<HashMap<String, Value>> =
            link.command(cmd("XINFO").arg("GROUPS").arg(name)).await?;
        let group = groups.first().and_then(|group| group.get("name").cloned());
        Ok(Stream {
            exists: true,
            made: group
                .and_then(|name| from_redis_value(name).ok())
                .unwrap_or_default(),
            newest: newest.map_or(Version::ZERO, |(version, _)| version),
            depth: depth.unwrap_or_default(),
        })
    }
}
