//! Dead letters that wait for room among the others: a set of their keys for each shard.
//!
//! An older version of this program knows nothing of the set, and takes them for dead letters. What it
//! removes from the hash leaves its key here, until [`promote`] or [`page`] meets it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::dead_letter::DeadLetter;
use crate::error::{Part, Result};
use crate::record::Key;
use crate::redis::{Call, Link, Redis, dead_letter, encode_version};
use crate::shard::Shard;
use crate::version::Version;

static PROMOTE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("promote.lua")));

/// How many keys one command fetches, about.
const SCAN_COUNT: usize = 1_000;

/// Notes which of the letters are held back.
pub(super) async fn note(link: &mut Link, redis: &Redis, letters: &mut [DeadLetter]) -> Result<()> {
    for shard in (0..redis.keyspace.shards()).map(Shard) {
        let is_here = |letter: &&mut DeadLetter| {
            // One that cannot be understood is never held back.
            !letter.is_undecodable() && redis.keyspace.shard_of(&letter.record.key) == shard
        };
        let here: Vec<&mut DeadLetter> = letters.iter_mut().filter(is_here).collect();
        if here.is_empty() {
            continue;
        }
        let mut ask = cmd("SMISMEMBER");
        ask.arg(redis.keyspace.held_back(shard));
        for letter in &here {
            ask.arg(letter.record.key.as_str());
        }
        let are_held_back: Vec<bool> = link.command(&ask).await?;
        for (letter, held_back) in here.into_iter().zip(are_held_back) {
            letter.held_back = held_back;
        }
    }
    Ok(())
}

/// What is held back in a shard after the key `after`, at most `max`.
pub(super) async fn page(
    redis: &Redis,
    shard: Shard,
    after: Option<&Key>,
    max: usize,
) -> Result<Vec<DeadLetter>> {
    let mut link = redis.link(Part::Journal).await?;
    let names = first_names(&mut link, redis, shard, after, max).await?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut get = cmd("HMGET");
    get.arg(redis.keyspace.dead(shard));
    names.iter().for_each(|name| {
        get.arg(name.as_str());
    });
    let values: Vec<Option<Bytes>> = link.command(&get).await?;
    let mut letters = Vec::with_capacity(values.len());
    for (name, value) in names.iter().zip(values) {
        let letter = value.and_then(|value| dead_letter::parse(name.as_str().as_bytes(), &value));
        match letter {
            Some(letter) => letters.push(DeadLetter {
                held_back: true,
                ..letter
            }),
            None => {
                let call = promotion(redis, name, Version::ZERO, 0);
                link.script::<bool>(call).await?;
            }
        }
    }
    Ok(letters)
}

async fn first_names(
    link: &mut Link,
    redis: &Redis,
    shard: Shard,
    after: Option<&Key>,
    max: usize,
) -> Result<BTreeSet<Key>> {
    let held_back = redis.keyspace.held_back(shard);
    let mut names = BTreeSet::new();
    let mut cursor = 0u64;
    loop {
        let mut scan = cmd("SSCAN");
        scan.arg(&held_back).arg(cursor);
        scan.arg("COUNT").arg(SCAN_COUNT);
        let (next, found): (u64, Vec<Bytes>) = link.command(&scan).await?;
        let found = found
            .iter()
            .filter_map(|name| std::str::from_utf8(name).ok());
        for name in found.map(Key::from) {
            if after.is_none_or(|after| name > *after) {
                names.insert(name);
            }
            if names.len() > max {
                names.pop_last();
            }
        }
        cursor = next;
        if cursor == 0 {
            return Ok(names);
        }
    }
}

/// Makes a dead letter of what is held back, as [`crate::journal::Journal::promote`] says.
pub(super) async fn promote(redis: &Redis, key: &Key, version: Version, max: u64) -> Result<bool> {
    let mut link = redis.link(Part::Journal).await?;
    link.script(promotion(redis, key, version, max)).await
}

fn promotion(redis: &Redis, key: &Key, version: Version, max: u64) -> Call<'static> {
    let shard = redis.keyspace.shard_of(key);
    let names = vec![redis.keyspace.dead(shard), redis.keyspace.held_back(shard)];
    let mut call = Call::new(&PROMOTE, names);
    call.arg(key.as_str()).arg(encode_version(version)).arg(max);
    call
}
