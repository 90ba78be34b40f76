//! The journal in Redis Streams, one a shard, beside the cache: one script
//! issues the version, puts the value into the cache and appends to the stream.

mod append;
mod condition;
mod dead_letters;
mod held_back;
pub(crate) mod inspect;
mod loss;
mod pending;
mod seen;
mod server;
mod stats;
mod stream;
mod watch;

pub use server::WaitFor;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::Script;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::lease::Held;
use crate::model::decision::Decision;
use crate::model::record::{Key, Record, Write};
use crate::model::shard::{Shard, ShardStats};
use crate::model::stored_versions::{AtLeast, StoredVersions};
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::redis::{
    Call, Direction, Link, Redis, RunKeys, encode_version, milliseconds, newest, page, unpack,
};

use seen::Seen;
use server::Durable as _;
use watch::Watch;

static ACKNOWLEDGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../redis/forms.lua"),
        include_str!("../redis/clock.lua"),
        include_str!("../redis/drained.lua"),
        include_str!("../redis/waiting.lua"),
        include_str!("redis_stream/held_back.lua"),
        include_str!("redis_stream/acknowledge.lua")
    ))
});

/// The journal in Redis, which any number of processes may share.
#[derive(Debug)]
pub struct RedisStreamJournal {
    redis: Arc<Redis>,
    // Connections of their own, since one that waits for replicas holds up all
    // that comes after on it; one for each worker.
    appends: Arc<Redis>,
    wait_for: WaitFor,
    // How long a value stays cached that the database has, too.
    clean: Duration,
    held: Arc<Held>,
    seen: Seen,
    watch: Arc<Watch>,
    _watching: AbortOnDropHandle<()>,
    // By shard: the run of the server in which it was last read.
    read_in: Box<[Mutex<Option<Arc<RunKeys>>>]>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RedisStreamJournal {
    /// A journal on the cache's server, which appends over a link of its own.
    /// `clean` is how long a value stays cached that the database has too. `held` is what
    /// this process drains itself; about entries in other shards it calls the others.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when the server may evict what is in the journal, or
    /// cannot wait for what is asked.
    pub async fn open(
        redis: Arc<Redis>,
        appends: Arc<Redis>,
        wait_for: WaitFor,
        clean: Duration,
        held: Arc<Held>,
    ) -> Result<RedisStreamJournal> {
        RedisStreamJournal::check(&redis, wait_for).await?;
        redis.witness().takes_part();
        let watch = Arc::new(Watch::new(redis.clone(), appends.clone(), wait_for));
        let seen = Seen::new(redis.keyspace.shards());
        let read_in = (0..redis.keyspace.shards()).map(|_| Mutex::default());
        Ok(RedisStreamJournal {
            redis,
            appends,
            wait_for,
            clean,
            held,
            seen,
            _watching: watch.start(),
            watch,
            read_in: read_in.collect(),
        })
    }

    /// Whether the server is set up for a journal, before one is opened.
    ///
    /// # Errors
    /// As [`RedisStreamJournal::open`].
    pub async fn check(redis: &Redis, wait_for: WaitFor) -> Result<()> {
        server::check(redis, wait_for).await
    }

    fn was_read_in_another_run(&self, shard: Shard, run: &str) -> bool {
        let read_in = self.read_in.get(usize::from(shard.0)).map(lock);
        read_in.is_some_and(|read_in| read_in.as_ref().is_some_and(|keys| keys.run() != run))
    }

    fn tell(&self, link: &Link, shard: Shard, version: Version) -> Result<()> {
        let witness = self.redis.witness();
        witness.tell(link.server_run(), shard, version)
    }

    fn all_shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.redis.keyspace.shards()).map(Shard)
    }
}

/// The first id after the entry of a version. This program never issues it; Redis does for an entry
/// that another program adds without an id.
fn first_id_after(version: Version) -> String {
    format!("{version}-1")
}

/// The versions in one text, with as many digits each.
fn encode_versions(versions: impl Iterator<Item = Version>) -> String {
    let mut text = String::new();
    for version in versions {
        let _ = write!(text, "{:016}", version.get());
    }
    text
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(Part::Journal, what)
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

    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        if let Err(refused) = self.redis.admission().check() {
            return vec![Err(refused); writes.len()];
        }
        let mut link = match self.appends.near_link(Part::Journal).await {
            Ok(link) => link,
            Err(error) => return vec![Err(error); writes.len()],
        };
        if let Err(refused) = self.watch.admits(&mut link).await {
            return vec![Err(refused); writes.len()];
        }
        self.append_all(&mut link, writes).await
    }

    fn depth(&self) -> u64 {
        self.seen.depth()
    }

    fn lost(&self) -> u64 {
        self.seen.lost()
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let mut link = self.redis.link(Part::Journal).await?;
        let from = first_id_after(after);
        let from = (&*from, Direction::Up);
        let page = page(&mut link, &self.redis, shard, from, (max, after)).await?;
        if page.entries.is_empty() && !page.exists {
            // The stream was lost, or the server was restarted. A drained stream would be there, empty.
            return Err(Error::Unseeded(Part::Journal));
        }
        if let Some(read_in) = self.read_in.get(usize::from(shard.0)) {
            let mut read_in = lock(read_in);
            // IMPORTANT: an acknowledgement is about all that was read since the beginning.
            if after > Version::ZERO
                && let Some(before) = &*read_in
                && before.run() != link.keys.run()
            {
                return Err(Error::Unseeded(Part::Journal));
            }
            *read_in = Some(link.keys.clone());
        }
        let mut records = Vec::new();
        for entry in &page.entries {
            unpack(entry, after.max(page.acknowledged(entry)), &mut records)
                .ok_or_else(|| corrupt("an entry of the stream has no known form"))?;
        }
        records.truncate(max);
        let read = newest(records.iter().map(|record| record.version));
        self.tell(&link, shard, read)?;
        Ok(records)
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let keyspace = &self.redis.keyspace;
        let mut link = self.redis.link(Part::Journal).await?;
        let keys = [
            link.keys.clock(shard),
            keyspace.journal(shard),
            keyspace.dead(shard),
            keyspace.drained(shard),
            link.keys.recovered(shard),
            keyspace.committed(shard),
            keyspace.waiting(shard),
            keyspace.held_back(shard),
            keyspace.held_back_bytes(shard),
        ];
        // IMPORTANT: what was read before the server restarted says nothing about what its stream holds
        // now.
        if self.was_read_in_another_run(shard, link.keys.run()) {
            return Err(Error::Unseeded(Part::Journal));
        }
        let mut call = Call::begin(&ACKNOWLEDGE, keys.len() + flushed.len());
        for key in &keys {
            call.arg(key);
        }
        let mut name = String::new();
        for (key, _) in flushed {
            link.keys.write_entry(shard, key, &mut name);
            call.arg(&name);
        }
        let versions = flushed.iter().map(|(_, version)| *version);
        call.arg(encode_version(through))
            .arg(milliseconds(self.clean))
            .arg(encode_version(self.redis.issued().newest(shard)))
            .arg(link.keys.entry_prefix(shard).len())
            .arg(encode_version(newest(versions.clone())))
            .arg(encode_versions(versions));
        let depth: u64 = link.script(call).await?;
        self.seen.acknowledged(shard, through, depth);
        Ok(())
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        // Also above what was appended from here: a drainer may be carrying what
        // neither the server nor the database has.
        let appended = self.seen.newest_appended().into_iter().max();
        let stored = AtLeast(stored, appended.unwrap_or_default());
        self.seen.comes_back();
        dead_letters::keep_beyond_versions(&self.redis, self.all_shards()).await?;
        self.redis.raise(Part::Journal, &stored).await?;
        self.count_lost(self.all_shards()).await?;
        let link = self.redis.link(Part::Journal).await?;
        self.seen.came_back(link.keys.run());
        Ok(())
    }

    async fn raise_clocks(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.redis.raise_running(stored).await
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        self.shard_stats().await
    }

    async fn takes_appends(&self) -> Result<()> {
        self.redis.admission().check()?;
        let mut link = self.appends.link(Part::Journal).await?;
        self.try_to_append(&mut link).await
    }

    async fn health(&self) -> PartHealth {
        let (now, problem) = match self.watch.now().await {
            Ok((now, problem)) => {
                let problem = match problem {
                    None => self.redis.stalled().await,
                    problem => problem,
                };
                (Some(now), problem.map(Cow::from))
            }
            Err(error) => (None, Some(self.redis.problem(&error))),
        };
        PartHealth {
            kind: "redis",
            at: self.redis.at(),
            up: problem.is_none(),
            problem,
            survives_little: now.as_ref().is_some_and(|now| now.rank() == 0),
            durability: now.map(|now| now.durability(self.wait_for)),
            ..PartHealth::default()
        }
    }
}
