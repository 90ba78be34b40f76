//! What one process has of a Redis, and what a test does to that Redis behind
//! its back.

#![allow(dead_code, reason = "each suite uses its own part of this")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, FillStart, Lifetimes, Lookup};
use cache_core::error::{Error, Result};
use cache_core::journal::Journal;
use cache_core::journal::redis_stream::RedisStreamJournal;
use cache_core::model::dataset::Dataset;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::shard::Shard;
use cache_core::model::stored_versions::StoredVersions;
use cache_core::model::version::Version;
use cache_core::redis::{Redis, patterns};
use deadpool_redis::redis::{Client, Cmd, FromRedisValue, RedisResult, ToRedisArgs};
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::suite::{
    SEVERAL, append, appended, connect_for, connect_to, eventually, key, new_identity,
    new_identity_with, put, redis_stream_journal, version,
};

pub(crate) const LONG: Duration = Duration::from_secs(3_600);
pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    clean: LONG,
    absent: LONG,
    in_doubt: LONG,
    fill: LONG,
};

/// A process that shares cache and journal with all that have its identity.
pub(crate) struct Process {
    pub(crate) redis: Arc<Redis>,
    pub(crate) journal: Arc<RedisStreamJournal>,
    pub(crate) cache: Arc<RedisCache>,
}

impl Process {
    /// Its clocks not seeded by this process.
    pub(crate) async fn start(url: &str, identity: &str) -> Process {
        Process::start_with(url, identity, LIFETIMES).await
    }

    /// The same with other lifetimes.
    pub(crate) async fn start_with(url: &str, identity: &str, lifetimes: Lifetimes) -> Process {
        Process::on(connect_to(url, identity).await, lifetimes).await
    }

    /// A process on the data of a database.
    pub(crate) async fn start_for(url: &str, dataset: &Dataset) -> Process {
        Process::on(connect_for(url, dataset).await, LIFETIMES).await
    }

    async fn on(redis: Arc<Redis>, lifetimes: Lifetimes) -> Process {
        let journal = redis_stream_journal(redis.clone(), lifetimes.clean).await;
        Process {
            journal: Arc::new(journal),
            cache: Arc::new(RedisCache::new(redis.clone(), lifetimes)),
            redis,
        }
    }

    /// Waits until its connection is one to the server that runs now.
    pub(crate) async fn reconnect(&self) {
        eventually("the server answers", async || self.cache.health().await.up).await;
    }

    pub(crate) async fn append(&self, writes: &[Write]) -> Vec<Record> {
        append(&*self.journal, writes).await
    }

    /// Acknowledges everything that waits, as if the database had it.
    pub(crate) async fn drain(&self) {
        for shard in (0..self.journal.shards()).map(Shard) {
            let waiting = self.waiting(shard).await;
            let Some(last) = waiting.last() else { continue };
            let flushed: HashMap<Key, Version> = waiting
                .iter()
                .map(|record| (record.key.clone(), record.version))
                .collect();
            let flushed: Vec<_> = flushed.into_iter().collect();
            let acknowledged = self.journal.acknowledge(shard, last.version, &flushed);
            acknowledged.await.unwrap();
        }
    }

    pub(crate) async fn waiting(&self, shard: Shard) -> Vec<Record> {
        match self.journal.read(shard, Version::ZERO, 100_000).await {
            // There is no stream.
            Err(Error::Unseeded(_)) => Vec::new(),
            waiting => waiting.unwrap(),
        }
    }

    pub(crate) async fn all_waiting(&self) -> Vec<Record> {
        let mut all = Vec::new();
        for shard in (0..self.journal.shards()).map(Shard) {
            all.extend(self.waiting(shard).await);
        }
        all.sort_by_key(|record| record.version);
        all
    }

    pub(crate) async fn get(&self, name: &str) -> Lookup {
        self.cache.get(&key(name)).await.unwrap()
    }

    /// Holds a record that the database has.
    pub(crate) async fn fill(&self, record: &Record) {
        let FillStart::Granted(ticket) = self.cache.begin_fill(&record.key).await.unwrap() else {
            panic!("no ticket")
        };
        assert!(self.cache.fill(ticket, record).await.unwrap());
    }

    /// Asserts that nothing of what it had cached is served, nothing more is cached, and nothing is
    /// acknowledged or appended.
    pub(crate) async fn assert_unseeded(&self, names: &[&str]) {
        for name in names {
            let key = key(name);
            let held = self.cache.get(&key).await;
            assert!(matches!(held, Err(Error::Unseeded(_))), "{name}: {held:?}");
            let fill = self.cache.begin_fill(&key).await;
            assert!(matches!(fill, Err(Error::Unseeded(_))), "{name}: {fill:?}");
            let write = self.cache.begin_write(std::slice::from_ref(&key)).await;
            assert!(matches!(write, Err(Error::Unseeded(_))), "{write:?}");
            let append = appended(self.journal.append(&[put(name, "too early")]).await);
            assert!(matches!(append, Err(Error::Unseeded(_))), "{append:?}");
            let shard = self.journal.shard_of(&key);
            let waiting = self.waiting(shard).await;
            let acknowledged = self
                .journal
                .acknowledge(shard, Version::MAX, &[(key, Version::MAX)])
                .await;
            assert!(
                matches!(acknowledged, Err(Error::Unseeded(_))),
                "{acknowledged:?}"
            );
            assert_eq!(self.waiting(shard).await, waiting, "nothing is trimmed");
        }
    }
}

/// `count` names whose records are in one shard.
pub(crate) fn names_in_one_shard(journal: &dyn Journal, count: usize) -> (Shard, Vec<String>) {
    let shard = journal.shard_of(&key("user 0"));
    let names = (0..).map(|number| format!("user {number}"));
    let of_shard = names.filter(|name| journal.shard_of(&key(name)) == shard);
    (shard, of_shard.take(count).collect())
}

/// A name in each shard.
pub(crate) fn a_name_in_each_shard(journal: &dyn Journal) -> Vec<String> {
    let of_shard = |shard: u16| {
        let mut names = (0..).map(|number| format!("user {number}"));
        names
            .find(|name| journal.shard_of(&key(name)) == Shard(shard))
            .unwrap()
    };
    (0..journal.shards()).map(of_shard).collect()
}

/// What a database has, as a test says it.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) newest: Version,
    pub(crate) of: HashMap<Key, Version>,
}

impl Stored {
    /// A database that has these.
    pub(crate) fn with(records: &[(&str, Version)]) -> Stored {
        Stored {
            newest: records
                .iter()
                .map(|(_, version)| *version)
                .max()
                .unwrap_or_default(),
            of: records
                .iter()
                .map(|(name, version)| (key(name), *version))
                .collect(),
        }
    }
}

#[async_trait]
impl StoredVersions for Stored {
    async fn newest(&self) -> Result<Version> {
        Ok(self.newest)
    }

    async fn of(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        let known = |key: &Key| Some((key.clone(), *self.of.get(key)?));
        Ok(keys.iter().filter_map(known).collect())
    }
}

pub(crate) fn just_before(record: &Record) -> Version {
    version(record.version.get() - 1)
}

/// The name of the shard's journal or of another key that outlives a run, or with a star the pattern of
/// one that does not.
pub(crate) fn name_of(identity: &str, shard: Shard, name: &str) -> String {
    let [of_shards, _] = patterns(identity);
    let start = of_shards.trim_end_matches('*');
    match name.strip_prefix('*') {
        Some(end) => format!("{start}{}}}*{end}", shard.0),
        None => format!("{start}{}}}.{name}", shard.0),
    }
}

/// One command, on a connection of its own.
pub(crate) async fn try_command<T: FromRedisValue, A: ToRedisArgs>(
    url: &str,
    words: &[A],
) -> RedisResult<T> {
    let client = Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    command.query_async(&mut connection).await
}

/// One command that must not fail.
pub(crate) async fn command<T: FromRedisValue, A: ToRedisArgs>(url: &str, words: &[A]) -> T {
    try_command(url, words).await.unwrap()
}

/// The names of the keys that match.
pub(crate) async fn keys(url: &str, pattern: &str) -> Vec<String> {
    let mut keys: Vec<String> = command(url, &["KEYS", pattern]).await;
    keys.sort();
    keys
}

/// A server of the test's own that ends and comes back, and a process that is
/// there all the time.
pub(crate) struct Crashed {
    pub(crate) process: Process,
    pub(crate) identity: String,
    pub(crate) server: OwnServer,
}

impl Crashed {
    /// With nothing in it, and the clocks seeded.
    pub(crate) async fn new() -> Crashed {
        Crashed::with_data_of(new_identity()).await
    }

    /// The same with several shards, whatever the suite has.
    pub(crate) async fn of_several_shards() -> Crashed {
        Crashed::with_data_of(new_identity_with(SEVERAL)).await
    }

    async fn with_data_of(identity: String) -> Crashed {
        let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
        let process = Process::start(server.url(), &identity).await;
        process.journal.raise(&Version::ZERO).await.unwrap();
        Crashed {
            process,
            identity,
            server,
        }
    }

    /// Another process on the same data.
    pub(crate) async fn another(&self) -> Process {
        Process::start(self.server.url(), &self.identity).await
    }

    /// The server ends by `kill -9` and comes back with what it had answered.
    pub(crate) async fn crash(&mut self) {
        self.server.crash_and_restart();
        self.process.reconnect().await;
    }

    /// The server ends by `kill -9` and comes back with what is in `data`.
    pub(crate) async fn crash_and_restore(&mut self, data: &Path) {
        self.server.kill_9();
        self.server.replace_data(data);
        self.server.restart();
        self.process.reconnect().await;
    }

    /// The names of all its keys that end as `pattern` says.
    pub(crate) async fn keys(&self, pattern: &str) -> Vec<String> {
        let [of_shards, _] = patterns(&self.identity);
        keys(self.server.url(), &format!("{of_shards}{pattern}")).await
    }

    /// The entries without an expiry, which stay until they are removed.
    pub(crate) async fn without_expiry(&self) -> Vec<String> {
        let mut left = Vec::new();
        for name in self.keys("}[^.]*:*").await {
            let expires: i64 = command(self.server.url(), &["PTTL", &name]).await;
            if expires == -1 {
                left.push(name);
            }
        }
        left
    }
}
