//! The cache in Redis. What must be atomic is a script on the keys of one
//! shard; the scripts are in `redis/*.lua`, the form of an entry in
//! `crate::redis`.

mod begun;
mod forget;
pub mod inspect;
mod reads;
mod sweep;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::Script;
use tokio_util::task::AbortOnDropHandle;

use crate::cache::{Begun, Cache, FillStart, FillTicket, Lifetimes, Lookup, Refill, Withdrawn};
use crate::error::{Part, Result};
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::redis::{Call, Entry, Link, Over, Redis, RunKeys, encode_version, milliseconds, newest};

use begun::Beginning;
use reads::Reads;
use sweep::Sweeper;

/// Most entries in one call of a script that reads all of them at once, which
/// Lua's stack bounds.
const ENTRIES_MAX: usize = 2_000;

macro_rules! script {
    ($($part:literal),+) => {
        LazyLock::new(|| {
            Script::new(concat!(include_str!("../redis/forms.lua"), $(include_str!($part)),+))
        })
    };
}

static BEGIN_FILL: LazyLock<Script> = script!(
    "../redis/clock.lua",
    "../redis/doubt.lua",
    "redis/begin_fill.lua"
);
static FILL: LazyLock<Script> = script!("../redis/clock.lua", "redis/fill.lua");
static REFILL: LazyLock<Script> = script!("../redis/clock.lua", "redis/refill.lua");
static ABANDON_FILL: LazyLock<Script> = script!("redis/abandon_fill.lua");
static PUT_DIRTY: LazyLock<Script> = script!("../redis/put_dirty.lua", "redis/put_dirty.lua");
static MARK_CLEAN: LazyLock<Script> = script!("redis/mark_clean.lua");
static BEGIN_WRITE: LazyLock<Script> = script!(
    "../redis/clock.lua",
    "../redis/doubt.lua",
    "../redis/next_version.lua",
    "redis/begin_write.lua"
);
static WITHDRAW: LazyLock<Script> = script!("redis/withdraw.lua");
static DISCARD: LazyLock<Script> = script!("../redis/discard.lua", "redis/discard.lua");
static SETTLE: LazyLock<Script> = script!("redis/settle.lua");

/// The cache in Redis, which any number of processes may share.
#[derive(Debug)]
pub struct RedisCache {
    redis: Arc<Redis>,
    // For reads, which may have a shorter timeout.
    reads: Arc<Redis>,
    values: Reads,
    lifetimes: Lifetimes,
    // They end with the cache.
    tasks: Vec<AbortOnDropHandle<()>>,
}

impl RedisCache {
    /// A cache on this server.
    pub fn new(redis: Arc<Redis>, lifetimes: Lifetimes) -> RedisCache {
        RedisCache::reading_by(redis.clone(), redis, lifetimes)
    }

    /// A cache on this server that is read over a link of its own, to the same
    /// data.
    pub fn reading_by(reads: Arc<Redis>, redis: Arc<Redis>, lifetimes: Lifetimes) -> RedisCache {
        RedisCache {
            redis,
            values: Reads::new(reads.clone()),
            reads,
            lifetimes,
            tasks: Vec::new(),
        }
    }

    /// The same cache, for a process that may be idle while others use the server.
    pub fn watching_clocks(mut self) -> RedisCache {
        self.tasks.push(self.redis.watch_clocks());
        self
    }

    /// The same cache for writes that it marks in doubt: it is not used while the server may
    /// evict the marks, and old ones are removed.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub fn keeping_doubts(mut self) -> Result<RedisCache> {
        let sweeper = Sweeper {
            redis: self.redis.clone(),
            lifetime: self.lifetimes.in_doubt,
        };
        self.tasks.push(self.redis.watch_policy()?);
        self.tasks.push(sweeper.start());
        Ok(self)
    }

    async fn link(&self) -> Result<Link> {
        self.redis.link(Part::Cache).await
    }

    /// The items of each shard, with their places in the input.
    fn by_shard<'a, T>(
        &self,
        items: &'a [T],
        key: impl Fn(&T) -> &Key,
    ) -> BTreeMap<Shard, Vec<(usize, &'a T)>> {
        let mut shards: BTreeMap<Shard, Vec<(usize, &T)>> = BTreeMap::new();
        for (place, item) in items.iter().enumerate() {
            shards
                .entry(self.redis.keyspace.shard_of(key(item)))
                .or_default()
                .push((place, item));
        }
        shards
    }

    /// What a value means. A value in no known form, which another program has put there, counts
    /// as nothing: [`Cache::begin_fill`] deals with it. So does a mark of doubt whose lifetime is
    /// over.
    fn lookup(&self, key: &Key, value: Option<Bytes>) -> Lookup {
        let record = |(version, body)| Record {
            key: key.clone(),
            version,
            body,
        };
        match value.as_ref().and_then(Entry::parse) {
            Some(Entry::Held(version, body)) => Lookup::Hit(record((version, body))),
            Some(Entry::InDoubt(doubt, None)) if self.is_over(doubt) => Lookup::Miss,
            Some(Entry::InDoubt(_, held)) => Lookup::InDoubt(held.map(record)),
            Some(Entry::Filling) | None => Lookup::Miss,
        }
    }

    /// Whether the lifetime of a mark of doubt is over, by this machine's clock. The server decides
    /// by its own.
    fn is_over(&self, doubt: Version) -> bool {
        let lifetime_us = self.lifetimes.in_doubt.as_micros() as u64;
        doubt.get().saturating_add(lifetime_us) < Version::now().get()
    }

    /// A call that settles records of one shard.
    fn settling(
        &self,
        names: &RunKeys,
        shard: Shard,
        records: &[(usize, &Record)],
    ) -> Call<'static> {
        let mut call = Call::begin(&SETTLE, 1 + records.len());
        call.arg(self.redis.keyspace.committed(shard));
        let mut text = String::new();
        for (_, record) in records {
            names.write_entry(shard, &record.key, &mut text);
            call.arg(&text);
        }
        let newest = newest(records.iter().map(|(_, record)| record.version));
        call.arg(milliseconds(self.lifetimes.clean))
            .arg(encode_version(newest));
        let mut entry = Vec::new();
        for (_, record) in records {
            entry.clear();
            entry.extend_from_slice(encode_version(record.version).as_bytes());
            entry.push(b'C');
            entry.extend_from_slice(body(record));
            call.arg(&entry[..]);
        }
        call
    }

    async fn withdraw_over(&self, link: &mut Link, writes: &[Withdrawn]) -> Result<()> {
        let entries = link.keys.clone();
        let shards = self.by_shard(writes, |write| &write.key);
        let calls = shards.values().map(|writes| {
            let keys = writes
                .iter()
                .map(|(_, write)| entries.entry(&write.key))
                .collect();
            let mut call = Call::new(&WITHDRAW, keys);
            for (_, write) in writes {
                call.arg(encode_version(write.version))
                    .arg(write.doubt.map(encode_version).unwrap_or_default());
            }
            call
        });
        link.scripts::<()>(calls.collect()).await.map(drop)
    }

    /// The newest version that this process knows to be issued in a shard, as scripts take it.
    fn known(&self, shard: Shard) -> String {
        encode_version(self.redis.issued().newest(shard))
    }
}

fn body(record: &Record) -> &[u8] {
    record.body.as_deref().unwrap_or_default()
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &Key) -> Result<Lookup> {
        Ok(self.lookup(key, self.values.value(key).await?))
    }

    async fn begin_fill(&self, key: &Key) -> Result<FillStart> {
        let ticket = FillTicket(fastrand::u64(..));
        let shard = self.redis.keyspace.shard_of(key);
        let begin = |mut link: Link| async move {
            let names = vec![link.keys.clock(shard), link.keys.entry(key)];
            let mut call = Call::new(&BEGIN_FILL, names);
            call.arg(ticket.0)
                .arg(milliseconds(self.lifetimes.fill))
                .arg(self.known(shard))
                .arg(milliseconds(self.lifetimes.in_doubt));
            link.script(call).await
        };
        let held: Option<Bytes> = self.reads.ask(Over::Local, Part::Cache, begin).await?;
        match (held.is_some(), self.lookup(key, held)) {
            (false, _) => Ok(FillStart::Granted(ticket)),
            (true, Lookup::Miss) => Ok(FillStart::Busy),
            (true, found) => Ok(FillStart::Found(found)),
        }
    }

    async fn fill(&self, ticket: FillTicket, record: &Record) -> Result<bool> {
        let mut link = self.reads.local_link(Part::Cache).await?;
        let shard = self.redis.keyspace.shard_of(&record.key);
        let names = vec![link.keys.clock(shard), link.keys.entry(&record.key)];
        let mut call = Call::new(&FILL, names);
        call.arg(ticket.0)
            .arg(encode_version(record.version))
            .arg(milliseconds(self.lifetimes.of(record)))
            .arg(body(record))
            .arg(self.known(shard));
        link.script(call).await
    }

    async fn abandon_fill(&self, key: &Key, ticket: FillTicket) -> Result<()> {
        let mut link = self.link().await?;
        let mut call = Call::new(&ABANDON_FILL, vec![link.keys.entry(key)]);
        call.arg(ticket.0);
        link.script(call).await
    }

    async fn refill(&self, held: &Record, record: &Record) -> Result<Refill> {
        let mut link = self.reads.local_link(Part::Cache).await?;
        let shard = self.redis.keyspace.shard_of(&record.key);
        let names = vec![link.keys.clock(shard), link.keys.entry(&record.key)];
        let clean = [encode_version(held.version).as_bytes(), b"C", body(held)].concat();
        let mut call = Call::new(&REFILL, names);
        call.arg(clean)
            .arg(encode_version(record.version))
            .arg(milliseconds(self.lifetimes.of(record)))
            .arg(body(record))
            .arg(self.known(shard));
        let (is_stored, instead): (bool, Option<Bytes>) = link.script(call).await?;
        Ok(match is_stored {
            true => Refill::Stored,
            false => Refill::Kept(self.lookup(&record.key, instead)),
        })
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        self.forget_clean(key).await
    }

    async fn forget_all(&self) -> Result<()> {
        self.forget_all_clean().await
    }

    async fn put_dirty(&self, records: &[Record]) -> Result<()> {
        let mut link = self.link().await?;
        let entries = link.keys.clone();
        let shards = self.by_shard(records, |record| &record.key);
        let calls = shards.values().map(|records| {
            let keys = records
                .iter()
                .map(|(_, record)| entries.entry(&record.key))
                .collect();
            let mut call = Call::new(&PUT_DIRTY, keys);
            for (_, record) in records {
                call.arg(encode_version(record.version)).arg(body(record));
            }
            call
        });
        link.scripts::<()>(calls.collect()).await.map(drop)
    }

    async fn mark_clean(&self, flushed: &[(Key, Version)]) -> Result<()> {
        let mut link = self.link().await?;
        let entries = link.keys.clone();
        let shards = self.by_shard(flushed, |(key, _)| key);
        let calls = shards.values().map(|flushed| {
            let keys = flushed
                .iter()
                .map(|(_, (key, _))| entries.entry(key))
                .collect();
            let mut call = Call::new(&MARK_CLEAN, keys);
            call.arg(milliseconds(self.lifetimes.clean));
            for (_, (_, version)) in flushed {
                call.arg(encode_version(*version));
            }
            call
        });
        link.scripts::<()>(calls.collect()).await.map(drop)
    }

    async fn begin_write(&self, keys: &[Key]) -> Result<Vec<Begun>> {
        let shards = self.by_shard(keys, |key| key);
        let shards = shards.iter();
        let beginning: Vec<Beginning> = shards
            .flat_map(|(shard, writes)| Beginning::of(*shard, writes))
            .collect();
        let begin = |link: Link| self.begin(link, &beginning, keys);
        // What was issued before a connection ended is never used.
        let issued = self.redis.ask(Over::Nearest, Part::Cache, begin).await?;
        let mut begun: Vec<Option<Begun>> = vec![None; keys.len()];
        for (place, issued) in issued {
            if let Some(begun) = begun.get_mut(place) {
                *begun = Some(issued);
            }
        }
        let begun: Option<Vec<Begun>> = begun.into_iter().collect();
        begun.ok_or_else(begun::no_version)
    }

    async fn withdraw(&self, writes: &[Withdrawn]) -> Result<()> {
        self.withdraw_over(&mut self.link().await?, writes).await
    }

    async fn settle(&self, records: &[Record]) -> Result<()> {
        let shards = self.by_shard(records, |record| &record.key);
        let settle = |mut link: Link| {
            let calls = shards.iter().flat_map(|(shard, records)| {
                let calls = records.chunks(ENTRIES_MAX);
                calls.map(|records| self.settling(&link.keys, *shard, records))
            });
            let calls = calls.collect();
            async move { link.scripts::<()>(calls).await }
        };
        self.redis
            .ask(Over::Nearest, Part::Cache, settle)
            .await
            .map(drop)
    }

    async fn discard(&self, key: &Key, version: Version) -> Result<()> {
        let mut link = self.link().await?;
        let mut call = Call::new(&DISCARD, vec![link.keys.entry(key)]);
        call.arg(encode_version(version));
        link.script(call).await
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.redis.raise(Part::Cache, stored).await
    }

    fn enter_epoch(&self, epoch: Epoch, run: Option<&str>) {
        self.redis.enter_epoch(epoch, run);
    }

    async fn probe(&self) -> Result<String> {
        let probe = |mut link: Link| async move {
            let written: Result<()> = link.script(self.redis.probe()).await;
            written.map(|()| link.server_run().to_owned())
        };
        self.redis.ask(Over::Shared, Part::Cache, probe).await
    }

    async fn health(&self) -> PartHealth {
        let answer = self.redis.takes_writes(Part::Cache).await;
        PartHealth {
            kind: "redis",
            at: self.redis.at(),
            up: answer.is_ok(),
            problem: answer.err().map(|error| self.redis.problem(&error)),
            durability: Some("none: it is filled again from the other parts".to_owned()),
            ..PartHealth::default()
        }
    }
}
