//! Which keys there are in Redis. All keys of a shard carry the same hash tag
//! and so live on the same node of a Redis Cluster; `redis-cli` shows:
//!
//! ```text
//! wc:{<identity>:<shard>}:clock       string  the newest version issued in the shard
//! wc:{<identity>:<shard>}:journal     stream  one entry a write: id <version>-0, fields k (key) and b (body)
//! wc:{<identity>:<shard>}:user:<key>  string  the cached entry, see `entry.rs`
//! ```

use crate::record::Key;
use crate::shard::Shard;

/// Shards of the key space. Every process on one Redis must have the same
/// number, so it is not a setting.
pub(crate) const SHARDS: u16 = 16;

/// The names of the keys that belong to one database's data.
#[derive(Clone, Debug)]
pub(crate) struct Keyspace {
    // By shard: "wc:{<identity>:<shard>}:".
    prefixes: Vec<String>,
}

impl Keyspace {
    pub(crate) fn new(identity: &str) -> Keyspace {
        Keyspace {
            prefixes: (0..SHARDS)
                .map(|shard| format!("wc:{{{identity}:{shard:02}}}:"))
                .collect(),
        }
    }

    pub(crate) fn shards(&self) -> u16 {
        SHARDS
    }

    pub(crate) fn shard_of(&self, key: &Key) -> Shard {
        Shard((crc32fast::hash(key.as_str().as_bytes()) % u32::from(SHARDS)) as u16)
    }

    fn prefix(&self, shard: Shard) -> &str {
        self.prefixes
            .get(usize::from(shard.0))
            .map_or("", String::as_str)
    }

    pub(crate) fn clock(&self, shard: Shard) -> String {
        format!("{}clock", self.prefix(shard))
    }

    pub(crate) fn journal(&self, shard: Shard) -> String {
        format!("{}journal", self.prefix(shard))
    }

    pub(crate) fn entry(&self, key: &Key) -> String {
        format!("{}user:{}", self.prefix(self.shard_of(key)), key.as_str())
    }
}
