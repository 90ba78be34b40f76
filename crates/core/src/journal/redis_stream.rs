//! The journal in Redis Streams, one a shard, beside the cache: one script
//! issues the version, puts the value into the cache and appends to the stream.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::{Error, Part, Result};
use crate::health::PartHealth;
use crate::journal::{Appended, Journal, ShardStats};
use crate::record::{Condition, Key, Record, Write};
use crate::redis::{Call, Redis, encode_version, milliseconds, parse_version};
use crate::shard::Shard;
use crate::version::Version;

static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../redis/next_version.lua"),
        include_str!("redis_stream/append.lua")
    ))
});
static ACKNOWLEDGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../redis/mark_clean.lua"),
        include_str!("redis_stream/acknowledge.lua")
    ))
});
static STATS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("redis_stream/stats.lua")));

/// The journal in Redis, which any number of processes may share.
#[derive(Debug)]
pub struct RedisStreamJournal {
    redis: Arc<Redis>,
    clean_lifetime: Duration,
    in_doubt_lifetime: Duration,
}

impl RedisStreamJournal {
    /// A journal on the cache's server. The lifetimes are the cache's: of a
    /// record that the database has too, and of a mark of doubt.
    pub fn new(
        redis: Arc<Redis>,
        clean_lifetime: Duration,
        in_doubt_lifetime: Duration,
    ) -> RedisStreamJournal {
        RedisStreamJournal {
            redis,
            clean_lifetime,
            in_doubt_lifetime,
        }
    }

    /// What an acknowledged write survives, as the server is set up.
    async fn durability(&self) -> Result<String> {
        let persistence: String = self
            .redis
            .command(Part::Journal, cmd("INFO").arg("persistence"))
            .await?;
        let replication: String = self
            .redis
            .command(Part::Journal, cmd("INFO").arg("replication"))
            .await?;
        // Managed servers often forbid CONFIG; then only that much is known.
        let fsync: Result<Vec<String>> = self
            .redis
            .command(Part::Journal, cmd("CONFIG").arg("GET").arg("appendfsync"))
            .await;
        let fsync = fsync
            .ok()
            .and_then(|pair| pair.into_iter().nth(1))
            .unwrap_or_default();
        let replicas = info(&replication, "connected_slaves").unwrap_or("0");
        let survives = match (info(&persistence, "aof_enabled"), fsync.as_str()) {
            (Some("1"), "always") => {
                "appendonly yes, appendfsync always: survives a crash of Redis and a power loss"
            }
            (Some("1"), "everysec") => {
                "appendonly yes, appendfsync everysec: survives a crash of Redis; a power loss takes up to about the last second"
            }
            (Some("1"), "no") => {
                "appendonly yes, appendfsync no: survives a crash of Redis; a power loss takes what its system has not written"
            }
            (Some("1"), _) => "appendonly yes, appendfsync unknown: survives a crash of Redis",
            _ => "appendonly no: survives a crash of this service, not one of Redis",
        };
        Ok(format!("{survives}; {replicas} replicas"))
    }
}

/// A field of what INFO answers.
fn info<'a>(answer: &'a str, field: &str) -> Option<&'a str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(Part::Journal, what)
}

/// The record that an entry of the stream holds.
fn parse(id: &[u8], fields: Vec<Bytes>) -> Option<Record> {
    let version = parse_version(id.split(|byte| *byte == b'-').next()?)?;
    let (mut key, mut body) = (None, None);
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match &name[..] {
            b"k" => key = Some(Key::from(std::str::from_utf8(&value).ok()?)),
            b"b" => body = Some(value),
            _ => {}
        }
    }
    Some(Record {
        key: key?,
        version,
        body,
    })
}

#[async_trait]
impl Journal for RedisStreamJournal {
    fn shards(&self) -> u16 {
        self.redis.keyspace.shards()
    }

    fn shard_of(&self, key: &Key) -> Shard {
        self.redis.keyspace.shard_of(key)
    }

    fn holds_cache(&self) -> bool {
        true
    }

    async fn append(&self, writes: &[Write]) -> Result<Vec<Appended>> {
        let keyspace = &self.redis.keyspace;
        let mut shards: BTreeMap<Shard, Vec<usize>> = BTreeMap::new();
        for (place, write) in writes.iter().enumerate() {
            shards
                .entry(keyspace.shard_of(&write.key))
                .or_default()
                .push(place);
        }
        let calls: Vec<Call> = shards
            .iter()
            .map(|(shard, places)| {
                let writes = || places.iter().filter_map(|place| writes.get(*place));
                let mut keys = vec![keyspace.clock(*shard), keyspace.journal(*shard)];
                keys.extend(writes().map(|write| keyspace.entry(&write.key)));
                let mut call = Call::new(&APPEND, keys);
                for write in writes() {
                    call.arg(match write.condition {
                        Condition::Always => "always",
                        Condition::Exists => "exists",
                    });
                    call.arg(write.key.as_str())
                        .arg(write.body.as_deref().unwrap_or_default());
                }
                call
            })
            .collect();
        let answers: Vec<Vec<Bytes>> = self.redis.scripts(Part::Journal, &calls).await?;
        let mut appended = vec![None; writes.len()];
        for (places, answers) in shards.values().zip(answers) {
            for (place, answer) in places.iter().zip(answers) {
                if let Some(appended) = appended.get_mut(*place) {
                    *appended = match &answer[..] {
                        b"failed" => Some(Appended::ConditionFailed),
                        b"unknown" => Some(Appended::Unknown),
                        digits => parse_version(digits).map(Appended::At),
                    };
                }
            }
        }
        let appended: Option<Vec<Appended>> = appended.into_iter().collect();
        appended.ok_or_else(|| corrupt("the append script's answer has no known form"))
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let mut range = cmd("XRANGE");
        range
            .arg(self.redis.keyspace.journal(shard))
            .arg(after.get() + 1)
            .arg("+")
            .arg("COUNT")
            .arg(max);
        let entries: Vec<(Bytes, Vec<Bytes>)> = self.redis.command(Part::Journal, &range).await?;
        let records: Option<Vec<Record>> = entries
            .into_iter()
            .map(|(id, fields)| parse(&id, fields))
            .collect();
        records.ok_or_else(|| corrupt("an entry of the stream has no known form"))
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let keyspace = &self.redis.keyspace;
        let mut keys = vec![keyspace.journal(shard)];
        keys.extend(flushed.iter().map(|(key, _)| keyspace.entry(key)));
        let mut call = Call::new(&ACKNOWLEDGE, keys);
        call.arg(through.get() + 1)
            .arg(milliseconds(self.clean_lifetime))
            .arg(milliseconds(self.in_doubt_lifetime));
        for (_, version) in flushed {
            call.arg(encode_version(*version));
        }
        self.redis.script(Part::Journal, call).await
    }

    async fn raise(&self, floor: Version) -> Result<()> {
        self.redis.raise(Part::Journal, floor).await
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        let shards = || (0..self.shards()).map(Shard);
        let calls: Vec<Call> = shards()
            .map(|shard| {
                let keyspace = &self.redis.keyspace;
                Call::new(&STATS, vec![keyspace.journal(shard), keyspace.clock(shard)])
            })
            .collect();
        let answers: Vec<(u64, u64, Bytes, Bytes, u64)> =
            self.redis.scripts(Part::Journal, &calls).await?;
        let stats =
            shards()
                .zip(answers)
                .map(
                    |(shard, (depth, bytes, oldest, newest, oldest_age_us))| ShardStats {
                        shard,
                        depth,
                        bytes,
                        oldest: parse_version(&oldest),
                        newest: parse_version(&newest),
                        oldest_age_us,
                    },
                );
        Ok(stats.collect())
    }

    async fn health(&self) -> PartHealth {
        let durability = self.durability().await;
        PartHealth {
            kind: "redis",
            at: self.redis.at(),
            up: durability.is_ok(),
            problem: durability.is_err().then_some("it does not answer"),
            durability: durability.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_body_is_a_tombstone_and_one_without_a_key_is_nothing() {
        let field = |text: &'static str| Bytes::from_static(text.as_bytes());
        let record = parse(b"17-0", vec![field("k"), field("Jane")]).unwrap();
        assert_eq!((record.version.get(), record.body), (17, None));
        assert_eq!(parse(b"17-0", vec![field("b"), field("{}")]), None);
        assert_eq!(parse(b"x-0", vec![field("k"), field("Jane")]), None);
    }

    #[test]
    fn info_finds_a_whole_field() {
        let answer = "# Persistence\r\naof_enabled:1\r\naof_enabled_x:0\r\n";
        assert_eq!(info(answer, "aof_enabled"), Some("1"));
        assert_eq!(info(answer, "aof"), None);
    }
}
