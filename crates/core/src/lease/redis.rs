//! Leases in Redis, for the processes that share its journal.
//!
//! Each process is in a list of live processes. Each shard falls to the process whose hash
//! with the shard is the largest. (This is rendezvous hashing: Thaler and Ravishankar, "A
//! name-based mapping scheme for rendezvous", 1996.) So all processes agree without talking,
//! and a process that comes or goes moves only its own share.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::aio::PubSub;
use deadpool_redis::redis::{self, Script, cmd};
use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::lease::{Held, LeaseCall, Leases};
use crate::model::shard::Shard;
use crate::process::startup;
use crate::redis::{Call, Redis, milliseconds};
use crate::timing;

static JOIN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/join.lua")));
static LEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/lease.lua")));

/// The message on the channel that is about leases. Any other message is a shard.
const LEASES: &str = "leases";

/// The leases of one process.
pub struct RedisLeases {
    redis: Arc<Redis>,
    process: String,
    lifetime: Duration,
    held: Arc<Held>,
    listener: Mutex<Option<PubSub>>,
}

impl std::fmt::Debug for RedisLeases {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RedisLeases({})", self.process)
    }
}

impl RedisLeases {
    /// The leases of `process`, a name that no other process has.
    pub fn new(redis: Arc<Redis>, process: String, lifetime: Duration) -> RedisLeases {
        let shards = redis.keyspace.shards();
        RedisLeases {
            redis,
            process,
            lifetime,
            held: Arc::new(Held::none(shards)),
            listener: Mutex::default(),
        }
    }

    /// The shards that are held. The journal notifies other processes about all other shards.
    pub fn share_held(&self) -> Arc<Held> {
        self.held.clone()
    }

    /// Takes or renews each shard that is `wanted`, and gives back the others. Returns whether
    /// any shard was given back.
    async fn lease(&self, wanted: impl Fn(Shard) -> bool) -> Result<bool> {
        let mut link = self.redis.link(Part::Journal).await?;
        // The lifetime counts from before the request. So this process stops relying on a
        // lease before another one can take it.
        let until = Instant::now() + self.lifetime;
        let shards = || (0..self.redis.keyspace.shards()).map(Shard);
        let calls: Vec<Call> = shards()
            .map(|shard| {
                let mut call = Call::new(&LEASE, vec![self.redis.keyspace.lease(shard)]);
                call.arg(&self.process)
                    .arg(milliseconds(self.lifetime))
                    .arg(u8::from(wanted(shard)));
                call
            })
            .collect();
        let holders: Vec<Option<String>> = link.scripts(calls).await?;
        let mut gave_back = false;
        for (shard, holder) in shards().zip(holders) {
            let is_held = holder.as_ref() == Some(&self.process);
            gave_back |= holder.is_none() && self.held.holds(shard);
            self.held.set(shard, is_held.then_some(until));
        }
        Ok(gave_back)
    }

    /// Renews this process's place in the list of live processes, and leases the shards that fall
    /// to the process. A process that cannot drain leaves the list, unless it is alone there.
    async fn take_part(&self, can_drain: bool) -> Result<()> {
        let mut join = Call::new(&JOIN, vec![self.redis.keyspace.processes()]);
        join.arg(&self.process)
            .arg(milliseconds(self.lifetime))
            .arg(u8::from(can_drain));
        let mut link = self.redis.link(Part::Journal).await?;
        let (joined, processes): (bool, Vec<String>) = link.script(join).await?;
        if joined && processes.len() > 1 {
            self.say(LEASES).await?;
        }
        let is_mine = |shard| falls_to(shard, &processes) == Some(&self.process);
        if self.lease(is_mine).await? {
            // Without this message no process would take the shards until the next renewal.
            self.say(LEASES).await?;
        }
        Ok(())
    }

    async fn say(&self, what: &str) -> Result<()> {
        let mut link = self.redis.link(Part::Journal).await?;
        let channel = self.redis.keyspace.wake_channel();
        link.command(cmd("PUBLISH").arg(channel).arg(what)).await
    }

    async fn listen(&self) -> Result<PubSub> {
        let client = self.redis.client(Part::Journal).await?;
        let listening = async {
            let mut listener = client.get_async_pubsub().await?;
            let channel = self.redis.keyspace.wake_channel();
            listener.subscribe(channel).await?;
            Ok(listener)
        };
        listening.await.map_err(|error: redis::RedisError| {
            Error::unavailable(Part::Journal, format!("{:?}", error.kind()))
        })
    }
}

#[async_trait]
impl Leases for RedisLeases {
    fn held(&self) -> &Held {
        &self.held
    }

    fn lifetime(&self) -> Option<Duration> {
        Some(self.lifetime)
    }

    async fn renew(&self) -> Result<()> {
        self.take_part(true).await
    }

    async fn stand_back(&self) -> Result<()> {
        self.take_part(false).await
    }

    async fn release(&self) -> Result<()> {
        self.lease(|_| false).await?;
        let mut link = self.redis.link(Part::Journal).await?;
        let mut leave = cmd("ZREM");
        leave
            .arg(self.redis.keyspace.processes())
            .arg(&self.process);
        link.command::<()>(&leave).await?;
        self.say(LEASES).await
    }

    async fn holders(&self) -> Result<Vec<Option<String>>> {
        let mut link = self.redis.link(Part::Journal).await?;
        let mut holders = Vec::new();
        for shard in (0..self.redis.keyspace.shards()).map(Shard) {
            let lease = self.redis.keyspace.lease(shard);
            holders.push(link.command(cmd("GET").arg(lease)).await?);
        }
        Ok(holders)
    }

    async fn called(&self) -> LeaseCall {
        let mut listener = self.listener.lock().await;
        let Some(listening) = listener.as_mut() else {
            let by = Instant::now() + timing::LEASE_LISTEN_TIMEOUT;
            match startup::until(by, Part::Journal, self.listen()).await {
                Ok(listening) => *listener = Some(listening),
                Err(reason) => {
                    tracing::debug!(error = %reason, "cannot subscribe to other processes");
                    tokio::time::sleep(timing::LEASE_LISTEN_BACKOFF).await;
                }
            }
            return LeaseCall::Everything;
        };
        let said = listening.on_message().next().await;
        let Some(said) = said else {
            *listener = None;
            return LeaseCall::Everything;
        };
        match said.get_payload::<String>() {
            Ok(text) if text == LEASES => LeaseCall::Leases,
            Ok(text) => text.parse().map_or(LeaseCall::Everything, |shard| {
                LeaseCall::Entries(Shard(shard))
            }),
            Err(_) => LeaseCall::Everything,
        }
    }
}

/// The process that a shard falls to.
fn falls_to(shard: Shard, processes: &[String]) -> Option<&String> {
    let weight = |process: &String| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(process.as_bytes());
        hasher.update(&shard.0.to_le_bytes());
        // CRC is linear; a multiplication mixes it, so that shares are even.
        (u64::from(hasher.finalize()).wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 16
    };
    processes
        .iter()
        .max_by_key(|process| (weight(process), *process))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dataset::Dataset;
    use crate::settings::CacheUrl;

    fn processes(count: usize) -> Vec<String> {
        (0..count)
            .map(|number| format!("host-{number}:{}:{:x}", 1000 + number, number * 77_777))
            .collect()
    }

    #[test]
    fn a_process_that_goes_moves_only_its_own_shards() {
        let all = processes(4);
        for gone in 0..all.len() {
            let mut left = all.clone();
            let gone = left.remove(gone);
            for shard in (0..64).map(Shard) {
                let before = falls_to(shard, &all).unwrap();
                let after = falls_to(shard, &left).unwrap();
                assert!(*before == gone || before == after);
            }
        }
        assert_eq!(falls_to(Shard(0), &[]), None);
    }

    #[test]
    fn every_process_has_a_share_that_is_about_even() {
        let all = processes(4);
        let count = |process: &String| {
            let mine = |shard: &Shard| falls_to(*shard, &all) == Some(process);
            (0..1_000).map(Shard).filter(mine).count()
        };
        for process in &all {
            assert!((150..350).contains(&count(process)), "{}", count(process));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_the_connection_and_is_silent_is_not_waited_for() {
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", mute.local_addr().unwrap());
        let Ok(CacheUrl::Redis(url)) = CacheUrl::parse(&url) else {
            panic!("{url}")
        };
        let dataset = Dataset::new("a database".to_owned(), 1).unwrap();
        let redis = Redis::unconnected(url, Duration::from_secs(1), &dataset).unwrap();
        let leases = RedisLeases::new(redis, "me".to_owned(), Duration::from_secs(10));
        let called = tokio::time::timeout(Duration::from_secs(60), leases.called());
        assert_eq!(called.await.unwrap(), LeaseCall::Everything);
    }
}
