//! The journal in Redis Streams, one a shard, beside the cache: one script
//! issues the version, puts the value into the cache and appends to the stream.

mod condition;
mod dead_letters;
mod seen;
mod server;

pub use server::WaitFor;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{Script, Value, cmd, from_redis_value};

use crate::dead_letter::DeadLetter;
use crate::error::{Error, Part, Result};
use crate::health::PartHealth;
use crate::journal::{Appended, Journal, ShardStats};
use crate::lease::Held;
use crate::record::{Key, Record, Write};
use crate::redis::{
    Call, Link, Over, Redis, RunKeys, Walk, encode_version, milliseconds, parse_entry, parse_id,
    parse_version, range,
};
use crate::seed::{AtLeast, StoredVersions};
use crate::shard::Shard;
use crate::telemetry;
use crate::version::Version;

use seen::{Found, Seen};

static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../redis/next_version.lua"),
        include_str!("../redis/unseeded.lua"),
        include_str!("redis_stream/append.lua")
    ))
});
static ACKNOWLEDGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../redis/unseeded.lua"),
        include_str!("../redis/mark_clean.lua"),
        include_str!("../redis/discard.lua"),
        include_str!("redis_stream/acknowledge.lua")
    ))
});
static STATS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("redis_stream/stats.lua")));

/// How long the cached entries stay that the journal's scripts leave behind.
#[derive(Clone, Copy, Debug)]
pub struct EntryLifetimes {
    /// A record that the database has too.
    pub clean: Duration,
    /// A mark of doubt.
    pub in_doubt: Duration,
}

/// The journal in Redis, which any number of processes may share.
#[derive(Debug)]
pub struct RedisStreamJournal {
    redis: Arc<Redis>,
    // A connection of their own, since one that waits for replicas holds up all
    // that comes after on it.
    appends: Arc<Redis>,
    wait_for: WaitFor,
    lifetimes: EntryLifetimes,
    held: Arc<Held>,
    seen: Seen,
    // By shard: the run of the server in which it was last read.
    read_in: Box<[Mutex<Option<Arc<RunKeys>>>]>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RedisStreamJournal {
    /// A journal on the cache's server, which appends over a link of its own.
    /// `held` is what this process drains itself; about entries in other shards
    /// it calls the others.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when the server may evict what is in the journal, or
    /// cannot wait for what is asked.
    pub async fn open(
        redis: Arc<Redis>,
        appends: Arc<Redis>,
        wait_for: WaitFor,
        lifetimes: EntryLifetimes,
        held: Arc<Held>,
    ) -> Result<RedisStreamJournal> {
        server::check(&redis, wait_for).await?;
        let seen = Seen::new(redis.keyspace.shards());
        let read_in = (0..redis.keyspace.shards()).map(|_| Mutex::default());
        Ok(RedisStreamJournal {
            redis,
            appends,
            wait_for,
            lifetimes,
            held,
            seen,
            read_in: read_in.collect(),
        })
    }

    fn was_read_in_another_run(&self, shard: Shard, run: &str) -> bool {
        let read_in = self.read_in.get(usize::from(shard.0)).map(lock);
        read_in.is_some_and(|read_in| read_in.as_ref().is_some_and(|keys| keys.run() != run))
    }

    fn all_shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.redis.keyspace.shards()).map(Shard)
    }
}

/// The first id that comes after the entry of a version. It is none of ours:
/// Redis gives it to an entry that somebody adds without an id.
fn first_id_after(version: Version) -> String {
    format!("{version}-1")
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

    async fn append(&self, writes: &[Write]) -> Vec<Result<Appended>> {
        if let Err(refused) = self.redis.admission().check() {
            return vec![Err(refused); writes.len()];
        }
        let mut link = match self.appends.link(Part::Journal).await {
            Ok(link) => link,
            Err(error) => return vec![Err(error); writes.len()],
        };
        let keyspace = &self.redis.keyspace;
        let channel = keyspace.wake_channel();
        let mut shards: BTreeMap<Shard, Vec<usize>> = BTreeMap::new();
        for (place, write) in writes.iter().enumerate() {
            shards
                .entry(keyspace.shard_of(&write.key))
                .or_default()
                .push(place);
        }
        let mut name = String::new();
        let calls = shards.iter().map(|(shard, places)| {
            let writes = || places.iter().filter_map(|place| writes.get(*place));
            let mut call = Call::begin(&APPEND, 2 + places.len());
            call.arg(link.keys.clock(*shard))
                .arg(keyspace.journal(*shard));
            for write in writes() {
                link.keys.write_entry(*shard, &write.key, &mut name);
                call.arg(&name);
            }
            // Who drains it in this process is woken without the server.
            call.arg(if self.held.holds(*shard) {
                ""
            } else {
                &channel
            })
            .arg(shard.0);
            for write in writes() {
                call.arg(&*condition::encode(&write.condition))
                    .arg(write.key.as_str())
                    .arg(write.body.as_deref().unwrap_or_default());
            }
            call
        });
        let calls: Vec<Call> = calls.collect();
        let wait = self.wait_for.command();
        let (answers, waited) = link.each_script::<(Bytes, Bytes, u64)>(calls, wait).await;
        let too_few = waited.and_then(|waited| self.wait_for.is_met(waited).err());
        let mut appended =
            vec![Err(corrupt("the append script answered too little")); writes.len()];
        for ((shard, places), answer) in shards.iter().zip(answers) {
            let answers = match answer {
                Err(error) => vec![Err(error); places.len()],
                Ok((first, verdicts, depth)) => {
                    let answers = parse_answer(&first, &verdicts);
                    self.seen.appended(*shard, &answers, depth);
                    answers
                }
            };
            for (place, answer) in places.iter().zip(answers) {
                if let Some(appended) = appended.get_mut(*place) {
                    *appended = match (&too_few, answer) {
                        (Some(error), Ok(Appended::At(_))) => Err(error.clone()),
                        (_, answer) => answer,
                    };
                }
            }
        }
        appended
    }

    fn depth(&self) -> u64 {
        self.seen.depth()
    }

    fn lost(&self) -> u64 {
        self.seen.lost()
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let stream = self.redis.keyspace.journal(shard);
        let mut link = self.redis.link(Part::Journal).await?;
        let entries = range(&mut link, &stream, &first_id_after(after), max).await?;
        if let Some(read_in) = self.read_in.get(usize::from(shard.0)) {
            *lock(read_in) = Some(link.keys.clone());
        }
        let records: Option<Vec<Record>> = entries.iter().map(parse_entry).collect();
        records.ok_or_else(|| corrupt("an entry of the stream has no known form"))
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let keyspace = &self.redis.keyspace;
        let mut link = self.redis.link(Part::Journal).await?;
        let mut keys = vec![
            link.keys.clock(shard),
            keyspace.journal(shard),
            keyspace.dead(shard),
            keyspace.drained(shard),
            link.keys.recovered(shard),
        ];
        // IMPORTANT: what was read before the server came back says nothing about
        // what its stream holds now.
        if self.was_read_in_another_run(shard, link.keys.run()) {
            return Err(Error::Unseeded(Part::Journal));
        }
        keys.extend(flushed.iter().map(|(key, _)| link.keys.entry(key)));
        let mut call = Call::new(&ACKNOWLEDGE, keys);
        call.arg(first_id_after(through))
            .arg(milliseconds(self.lifetimes.clean))
            .arg(milliseconds(self.lifetimes.in_doubt))
            .arg(link.keys.entry_prefix(shard).len());
        for (_, version) in flushed {
            call.arg(encode_version(*version));
        }
        let depth: u64 = link.script(call).await?;
        self.seen.acknowledged(shard, through, depth);
        Ok(())
    }

    async fn set_aside(&self, shard: Shard, letter: &DeadLetter) -> Result<()> {
        dead_letters::keep(&self.redis, shard, letter).await
    }

    async fn set_aside_undecodable(&self, shard: Shard) -> Result<u64> {
        dead_letters::keep_undecodable(&self.redis, shard).await
    }

    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        dead_letters::list(&self.redis, max).await
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        dead_letters::find(&self.redis, key).await
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        dead_letters::forget(&self.redis, key, version).await
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        // It may be another run of the server, set up in another way.
        server::check(&self.redis, self.wait_for).await?;
        // Also above what was appended from here: a drainer may be carrying what
        // neither the server nor the database has.
        let appended = self.seen.newest_appended().into_iter().max();
        let stored = AtLeast(stored, appended.unwrap_or_default());
        self.seen.comes_back();
        self.redis.raise(Part::Journal, &stored).await?;
        let lost = self.count_lost().await?;
        if lost > 0 {
            telemetry::lost(lost);
            tracing::error!(
                entries_at_most = lost,
                "the journal came back without its newest entries: these acknowledged writes are lost"
            );
        }
        Ok(())
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        let appended = self.seen.newest_appended();
        let ask = |mut link: Link| async move {
            let keys = link.keys.clone();
            let answers = link.scripts(self.ask_stats(&keys)).await?;
            Ok((keys, answers))
        };
        let (keys, answers): (_, Vec<(u64, u64, Bytes, Bytes, u64, u64, u64)>) =
            self.redis.ask(Over::Shared, Part::Journal, ask).await?;
        let stats =
            self.all_shards()
                .zip(answers)
                .zip(appended)
                .map(|((shard, answer), appended)| {
                    let (depth, bytes, oldest, newest, oldest_age_us, drained, dead) = answer;
                    // Without a clock the server has just come back, or was emptied:
                    // that nothing waits says nothing then.
                    if !newest.is_empty() {
                        self.seen
                            .waits(keys.run(), shard, appended, parse_version(&oldest), depth);
                    }
                    ShardStats {
                        shard,
                        depth,
                        bytes,
                        oldest: parse_version(&oldest),
                        newest: parse_version(&newest),
                        oldest_age_us,
                        drained,
                        dead,
                    }
                });
        Ok(stats.collect())
    }

    async fn health(&self) -> PartHealth {
        let durability = server::durability(&self.redis, self.wait_for).await;
        let problem = match durability {
            Ok(_) => self.redis.admission().problem().map(Cow::from),
            Err(_) => Some("it does not answer".into()),
        };
        PartHealth {
            kind: "redis",
            at: self.redis.at(),
            up: problem.is_none(),
            problem,
            durability: durability.ok(),
        }
    }
}

impl RedisStreamJournal {
    fn ask_stats(&self, keys: &RunKeys) -> Vec<Call<'static>> {
        let keyspace = &self.redis.keyspace;
        let call = |shard| {
            let names = vec![
                keyspace.journal(shard),
                keys.clock(shard),
                keyspace.drained(shard),
                keyspace.dead(shard),
            ];
            Call::new(&STATS, names)
        };
        self.all_shards().map(call).collect()
    }

    /// Compares what is known of each shard's stream with what it is now.
    async fn count_lost(&self) -> Result<u64> {
        let mut link = self.redis.link(Part::Journal).await?;
        let mut found = Vec::new();
        for shard in self.all_shards() {
            let stream = self.redis.keyspace.journal(shard);
            let depth: u64 = link.command(cmd("XLEN").arg(&stream)).await?;
            let newest = newest_ever(&mut link, &stream).await?;
            let still = match self.seen.misses(shard, newest) {
                Some(acknowledged) if acknowledged < newest => {
                    count_after(&mut link, &stream, acknowledged).await?
                }
                _ => 0,
            };
            found.push(Found {
                newest,
                depth,
                still,
            });
        }
        Ok(self.seen.came_back(link.keys.run(), &found))
    }
}

/// The newest version that a stream has ever had.
async fn newest_ever(link: &mut Link, stream: &str) -> Result<Version> {
    let has_stream: bool = link.command(cmd("EXISTS").arg(stream)).await?;
    if !has_stream {
        return Ok(Version::ZERO);
    }
    let information: HashMap<String, Value> =
        link.command(cmd("XINFO").arg("STREAM").arg(stream)).await?;
    let id = information.get("last-generated-id").cloned();
    let id: Option<Bytes> = id.and_then(|id| from_redis_value(id).ok());
    let newest = id.and_then(|id| parse_id(&id));
    Ok(newest.map_or(Version::ZERO, |(version, _)| version))
}

/// How many entries of a stream are newer than `after`.
async fn count_after(link: &mut Link, stream: &str, after: Version) -> Result<u64> {
    let mut count = 0;
    let mut walk = Walk::new(stream.to_owned(), first_id_after(after));
    loop {
        match walk.next(link).await?.len() as u64 {
            0 => return Ok(count),
            more => count += more,
        }
    }
}

/// What became of each write: those that took place have versions that follow
/// each other.
fn parse_answer(first: &[u8], verdicts: &[u8]) -> Vec<Result<Appended>> {
    let first = parse_version(first);
    let mut written = 0;
    let verdicts = verdicts.iter().map(|verdict| match verdict {
        b'f' => Ok(Appended::ConditionFailed),
        b'u' => Ok(Appended::Unknown),
        b'w' => {
            let version = first.and_then(|first| Version::new(first.get() + written));
            written += 1;
            version
                .map(Appended::At)
                .ok_or_else(|| corrupt("the append script's version is none"))
        }
        _ => Err(corrupt("the append script's answer has no known form")),
    });
    verdicts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_each_other_over_what_was_not_written() {
        let answers = parse_answer(b"0000000000000007", b"wfwuw");
        let answers: Result<Vec<Appended>> = answers.into_iter().collect();
        let at = |number| Appended::At(Version::new(number).unwrap());
        assert_eq!(
            answers.unwrap(),
            [
                at(7),
                Appended::ConditionFailed,
                at(8),
                Appended::Unknown,
                at(9)
            ]
        );
        assert!(parse_answer(b"x", b"w")[0].is_err());
        assert!(parse_answer(b"7", b"?")[0].is_err());
    }
}
