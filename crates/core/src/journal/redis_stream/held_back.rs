//! Dead letters that wait for room among the others: a sorted set of their keys for each shard.
//!
//! An older version of this program knows nothing of it, and takes them for dead letters. What it
//! removes from the hash leaves its key here, until [`promote`] or [`page`] meets it.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::{Part, Result};
use crate::model::dead_letter::{DeadLetter, HeldBackPage};
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::redis::{Call, Link, Redis, dead_letter};

static PROMOTE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("held_back.lua"),
        include_str!("promote.lua")
    ))
});

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
        let mut ask = cmd("ZMSCORE");
        ask.arg(redis.keyspace.held_back(shard));
        for letter in &here {
            ask.arg(letter.record.key.as_str());
        }
        let scores: Vec<Option<f64>> = link.command(&ask).await?;
        for (letter, score) in here.into_iter().zip(scores) {
            letter.held_back = score.is_some();
        }
    }
    Ok(())
}

/// As [`crate::journal::dead_letters::DeadLetters::held_back`] says.
pub(super) async fn page(
    redis: &Redis,
    shard: Shard,
    after: Option<&Key>,
    max: usize,
) -> Result<HeldBackPage> {
    let mut link = redis.link(Part::Journal).await?;
    let (names, next) = names(&mut link, redis, shard, after, max).await?;
    if names.is_empty() {
        return Ok(HeldBackPage::default());
    }
    let mut get = cmd("HMGET");
    get.arg(redis.keyspace.dead(shard));
    names.iter().for_each(|name| {
        get.arg(name.as_str());
    });
    let values: Vec<Option<Bytes>> = link.command(&get).await?;
    let mut letters = Vec::with_capacity(values.len());
    for (name, value) in names.iter().zip(values) {
        let Some(value) = value else {
            let call = promotion(redis, name, Vec::new(), 0);
            link.script::<bool>(call).await?;
            continue;
        };
        let letter = dead_letter::parse(name.as_str().as_bytes(), &value);
        letters.extend(letter.map(|letter| DeadLetter {
            held_back: true,
            ..letter
        }));
    }
    Ok(HeldBackPage { letters, next })
}

/// Where a range of names begins that come after this one.
fn start_after(name: &[u8]) -> Vec<u8> {
    [b"(".as_slice(), name].concat()
}

/// The next names, at most `max`, and the one after which to go on if there may be more.
async fn names(
    link: &mut Link,
    redis: &Redis,
    shard: Shard,
    after: Option<&Key>,
    max: usize,
) -> Result<(Vec<Key>, Option<Key>)> {
    let mut from = after.map_or(b"-".to_vec(), |after| {
        start_after(after.as_str().as_bytes())
    });
    loop {
        let mut range = cmd("ZRANGE");
        range.arg(redis.keyspace.held_back(shard));
        range.arg(&from).arg("+").arg("BYLEX");
        range.arg("LIMIT").arg(0).arg(max);
        let found: Vec<Bytes> = link.command(&range).await?;
        let names = found
            .iter()
            .filter_map(|name| std::str::from_utf8(name).ok());
        let names: Vec<Key> = names.map(Key::from).collect();
        let last = found.last().filter(|_| found.len() == max);
        match last {
            // None of them is one of ours.
            Some(last) if names.is_empty() => from = start_after(last),
            last => {
                let next = last.and(names.last()).cloned();
                return Ok((names, next));
            }
        }
    }
}

/// As [`crate::journal::dead_letters::DeadLetters::promote`] says.
pub(super) async fn promote(redis: &Redis, letter: &DeadLetter, max: u64) -> Result<bool> {
    let mut link = redis.link(Part::Journal).await?;
    let value = dead_letter::encode(letter);
    link.script(promotion(redis, &letter.record.key, value, max))
        .await
}

fn promotion(redis: &Redis, key: &Key, letter: Vec<u8>, max: u64) -> Call<'static> {
    let shard = redis.keyspace.shard_of(key);
    let names = vec![
        redis.keyspace.dead(shard),
        redis.keyspace.held_back(shard),
        redis.keyspace.held_back_bytes(shard),
    ];
    let mut call = Call::new(&PROMOTE, names);
    call.arg(key.as_str()).arg(letter).arg(max);
    call
}
