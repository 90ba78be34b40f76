//! Reads of one worker, gathered: what arrives while an answer is under way is asked together in the
//! next question. A read that comes alone is asked at once.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::Cmd;

use crate::concurrency::group_commit::{Commit, GroupCommit, GroupCommitBounds, Runs};
use crate::concurrency::worker;
use crate::error::{Error, Part, Result};
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Link, Over, Redis, dirty_value};

/// Most reads of one question, and most that wait for one. Others are asked by themselves.
const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 512,
    waiting_max: 65_536,
};

/// Reads the values of keys.
#[derive(Debug)]
pub(super) struct Reads {
    gathered: GroupCommit<Question>,
    alone: Arc<Question>,
}

impl Reads {
    /// Asks over the connections of `redis`.
    pub(super) fn new(redis: Arc<Redis>) -> Reads {
        let alone = Arc::new(Question { redis });
        let (gathered, _) = GroupCommit::start("reads", BOUNDS, Runs::OnWorkers, alone.clone());
        Reads { gathered, alone }
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// [`Error::Unseeded`] when it may be an old one.
    pub(super) async fn value(&self, key: &Key) -> Result<Option<Bytes>> {
        if worker::is_here() {
            match self.gathered.submit(key.clone()).await {
                Err(Error::Overloaded) => {}
                answer => return answer,
            }
        }
        // Boxed, so that the futures of most readers are small.
        let answers = Box::pin(self.alone.ask(std::slice::from_ref(key))).await?;
        answers.into_iter().next().unwrap_or(Ok(None))
    }
}

/// Asks for many values at once.
#[derive(Debug)]
struct Question {
    redis: Arc<Redis>,
}

#[async_trait]
impl Commit for Question {
    type Request = Key;
    type Answer = Option<Bytes>;

    async fn commit(&self, keys: Vec<Key>) -> Vec<Result<Option<Bytes>>> {
        let answers = self.ask(&keys).await;
        answers.unwrap_or_else(|error| vec![Err(error); keys.len()])
    }
}

/// A shard of some of the keys, and the newest version that is known to be issued in it.
type Known = (Shard, Version);

impl Question {
    /// Reads clocks and entries together. An entry without a clock that has the newest version may
    /// be an old one.
    async fn ask(&self, keys: &[Key]) -> Result<Vec<Result<Option<Bytes>>>> {
        let mut shards: Vec<Known> = Vec::new();
        let places: Vec<usize> = keys
            .iter()
            .map(|key| self.place(key, &mut shards))
            .collect();
        let known = &shards;
        let get = |mut link: Link| async move {
            let command = mget(&self.redis, &link, keys, known);
            link.command(&command).await
        };
        let mut values: Vec<Option<Bytes>> = self.redis.ask(Over::Local, Part::Cache, get).await?;
        if values.len() != shards.len() + keys.len() {
            return Err(Error::unavailable(
                Part::Cache,
                "the server answered too little",
            ));
        }
        let entries = values.split_off(shards.len());
        let has_clock: Vec<bool> = shards
            .iter()
            .zip(&values)
            .map(|((shard, known), clock)| {
                let issued = self.redis.issued();
                issued.is_known_to(clock.as_deref(), *known, *shard)
            })
            .collect();
        let judged = places.into_iter().zip(entries).map(|(place, value)| {
            let shard = shards.get(place).map_or(Shard(0), |(shard, _)| *shard);
            let evictions = self.redis.evictions();
            if evictions.is_suspect(shard) && value.as_ref().and_then(dirty_value).is_none() {
                return Err(evictions.refusal());
            }
            match has_clock.get(place) {
                Some(true) => Ok(value),
                _ => Err(Error::Unseeded(Part::Cache)),
            }
        });
        Ok(judged.collect())
    }

    /// The place of the key's shard among the shards that are asked.
    fn place(&self, key: &Key, shards: &mut Vec<Known>) -> usize {
        let shard = self.redis.keyspace.shard_of(key);
        let place = shards.iter().position(|(asked, _)| *asked == shard);
        place.unwrap_or_else(|| {
            // IMPORTANT: read before the server is asked.
            shards.push((shard, self.redis.issued().newest(shard)));
            shards.len() - 1
        })
    }
}

/// The clocks of the shards, then the entries of the keys.
fn mget(redis: &Redis, link: &Link, keys: &[Key], shards: &[Known]) -> Cmd {
    /// About as many has a name.
    const NAME_BYTES: usize = 64;
    let names_bytes = keys.len() * NAME_BYTES;
    let mut command = Cmd::with_capacity(1 + shards.len() + keys.len(), names_bytes);
    command.arg("MGET");
    for (shard, _) in shards {
        command.arg(link.keys.clock(*shard));
    }
    let mut name = String::new();
    for key in keys {
        link.keys
            .write_entry(redis.keyspace.shard_of(key), key, &mut name);
        command.arg(&name);
    }
    command
}
