//! Dead letters beside the streams, a hash a shard.

use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::{Error, Part, Result};
use crate::journal::dead_letters::DeadLetters;
use crate::journal::redis_stream::{RedisStreamJournal, held_back};
use crate::model::dead_letter::{
    DeadLetter, HeldBackPage, LetterPage, LetterQuery, LetterScan, NOT_A_KEY, ScanPosition,
};
use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{
    Call, Direction, Link, Redis, StreamEntry, Walk, dead_letter, encode_version, is_known,
    parse_id,
};
use crate::telemetry;

static SET_ASIDE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../../redis/forms.lua"),
        include_str!("../../redis/waiting.lua"),
        include_str!("held_back.lua"),
        include_str!("set_aside.lua")
    ))
});
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("held_back.lua"),
        include_str!("forget.lua")
    ))
});

/// Why an entry that cannot be understood is a dead letter.
const UNDECODABLE: &str = "the entry of the journal has no known form";

/// How many letters one command fetches, about.
const SCAN_COUNT: usize = 200;

#[async_trait]
impl DeadLetters for RedisStreamJournal {
    async fn set_aside_within(&self, shard: Shard, letter: &DeadLetter, max: u64) -> Result<bool> {
        keep(&self.redis, shard, letter, max).await
    }

    async fn held_back(
        &self,
        shard: Shard,
        after: Option<&Key>,
        max: usize,
    ) -> Result<HeldBackPage> {
        held_back::page(&self.redis, shard, after, max).await
    }

    async fn promote(&self, letter: &DeadLetter, max: u64) -> Result<bool> {
        held_back::promote(&self.redis, letter, max).await
    }

    async fn set_aside_undecodable(&self, shard: Shard) -> Result<u64> {
        keep_undecodable(&self.redis, shard).await
    }

    async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
        page(&self.redis, query).await
    }

    async fn scan_letters(
        &self,
        query: &LetterQuery,
        from: Option<&ScanPosition>,
    ) -> Result<LetterScan> {
        scan(&self.redis, query, from).await
    }

    async fn still_there(&self, letters: &[DeadLetter]) -> Result<Vec<bool>> {
        still_there(&self.redis, letters).await
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        find(&self.redis, key).await
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        forget(&self.redis, key, version).await
    }
}

/// Keeps the letter as [`DeadLetters::set_aside_within`] says.
pub(super) async fn keep(
    redis: &Redis,
    shard: Shard,
    letter: &DeadLetter,
    max: u64,
) -> Result<bool> {
    let mut link = redis.link(Part::Journal).await?;
    link.script(set_aside(redis, shard, letter, max)).await
}

fn set_aside(redis: &Redis, shard: Shard, letter: &DeadLetter, max: u64) -> Call<'static> {
    let names = vec![
        redis.keyspace.dead(shard),
        redis.keyspace.journal(shard),
        redis.keyspace.waiting(shard),
        redis.keyspace.held_back(shard),
        redis.keyspace.held_back_bytes(shard),
    ];
    let mut call = Call::new(&SET_ASIDE, names);
    call.arg(letter.record.key.as_str())
        .arg(dead_letter::encode(letter))
        .arg(max);
    call
}

/// Makes a dead letter of an entry that cannot be understood, in place of the entry.
fn set_entry_aside(redis: &Redis, shard: Shard, id: &[u8], fields: &[Bytes]) -> Call<'static> {
    let mut call = set_aside(redis, shard, &undecodable(shard, id, fields), u64::MAX);
    call.arg(id);
    call
}

pub(super) async fn keep_undecodable(redis: &Redis, shard: Shard) -> Result<u64> {
    let mut link = redis.link(Part::Journal).await?;
    let mut walk = Walk::new(shard, "-".to_owned(), Direction::Up);
    let mut kept = 0;
    loop {
        let entries = walk.next(&mut link, redis).await?.entries;
        if entries.is_empty() {
            return Ok(kept);
        }
        for (id, fields) in entries.iter().filter(|entry| !is_known(entry)) {
            link.script::<bool>(set_entry_aside(redis, shard, id, fields))
                .await?;
            kept += 1;
        }
    }
}

/// As [`keep_undecodable`], for entries at the end of each shard whose ids are above
/// [`Version::NEWEST_MAX`]: nothing could be appended after them.
pub(super) async fn keep_beyond_versions(
    redis: &Redis,
    shards: impl Iterator<Item = Shard>,
) -> Result<()> {
    let mut link = redis.link(Part::Journal).await?;
    for shard in shards {
        let mut newest = cmd("XREVRANGE");
        newest.arg(redis.keyspace.journal(shard));
        newest.arg("+").arg("-").arg("COUNT").arg(1);
        loop {
            let entries: Vec<StreamEntry> = link.command(&newest).await?;
            let is_beyond = |id| parse_id(id).is_none_or(|(id, _)| id > Version::NEWEST_MAX);
            let Some(entry) = entries.first().filter(|entry| is_beyond(&entry.0)) else {
                break;
            };
            link.script::<bool>(set_entry_aside(redis, shard, &entry.0, &entry.1))
                .await?;
            telemetry::dead_letters(1);
            tracing::error!(
                shard = shard.0,
                "an entry of the journal is newer than all versions; it is a dead letter now"
            );
        }
    }
    Ok(())
}

fn undecodable(shard: Shard, id: &[u8], fields: &[Bytes]) -> DeadLetter {
    let id_text = String::from_utf8_lossy(id);
    DeadLetter {
        record: Record {
            key: Key::from(format!("{NOT_A_KEY}entry {id_text} of shard {}", shard.0)),
            version: parse_id(id).map_or(Version::ZERO, |(version, _)| version),
            body: Some(fields.join(&b' ').into()),
        },
        reason: UNDECODABLE.into(),
        set_aside_at: Version::now(),
        held_back: false,
    }
}

/// Those of every shard that a query asks for.
pub(super) async fn page(redis: &Redis, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
    let mut link = redis.link(Part::Journal).await?;
    let mut page = LetterPage::new(query);
    let mut at = Some((Shard(0), 0));
    while let Some((shard, cursor)) = at {
        let (letters, next) = step(&mut link, redis, shard, cursor).await?;
        letters.into_iter().for_each(|letter| page.offer(letter));
        at = next;
    }
    let mut letters = page.letters();
    held_back::note(&mut link, redis, &mut letters).await?;
    Ok(letters)
}

/// Some letters of a shard, and where to go on. Redis gives each that is there all the while, in no order and
/// in small steps.
async fn step(
    link: &mut Link,
    redis: &Redis,
    shard: Shard,
    cursor: u64,
) -> Result<(Vec<DeadLetter>, Option<(Shard, u64)>)> {
    let mut scan = cmd("HSCAN");
    scan.arg(redis.keyspace.dead(shard)).arg(cursor);
    scan.arg("COUNT").arg(SCAN_COUNT);
    let (cursor, fields): (u64, Vec<(Bytes, Bytes)>) = link.command(&scan).await?;
    let letters = fields
        .iter()
        .filter_map(|(key, value)| dead_letter::parse(key, value));
    let next = match cursor {
        0 => Some((Shard(shard.0 + 1), 0)).filter(|(next, _)| next.0 < redis.keyspace.shards()),
        _ => Some((shard, cursor)),
    };
    Ok((letters.collect(), next))
}

/// As [`crate::journal::dead_letters::DeadLetters::scan_letters`] says.
pub(super) async fn scan(
    redis: &Redis,
    query: &LetterQuery,
    from: Option<&ScanPosition>,
) -> Result<LetterScan> {
    let mut link = redis.link(Part::Journal).await?;
    let mut at = match from {
        // IMPORTANT: another run has the letters in another order, so some would be passed over.
        Some(ScanPosition::Cursor(.., run)) if **run != *link.server_run() => {
            return Err(Error::Unseeded(Part::Journal));
        }
        Some(ScanPosition::Cursor(shard, cursor, _)) => Some((*shard, *cursor)),
        _ => Some((Shard(0), 0)),
    };
    let mut letters = Vec::new();
    while letters.len() < query.max
        && let Some((shard, cursor)) = at
    {
        let (found, next) = step(&mut link, redis, shard, cursor).await?;
        letters.extend(found.into_iter().filter(|letter| query.matches(letter)));
        at = next;
    }
    held_back::note(&mut link, redis, &mut letters).await?;
    let run = link.server_run();
    let next = at.map(|(shard, cursor)| ScanPosition::Cursor(shard, cursor, run.into()));
    Ok(LetterScan { letters, next })
}

/// As [`crate::journal::dead_letters::DeadLetters::still_there`] says.
pub(super) async fn still_there(redis: &Redis, letters: &[DeadLetter]) -> Result<Vec<bool>> {
    let mut link = redis.link(Part::Journal).await?;
    let mut there = vec![false; letters.len()];
    for shard in (0..redis.keyspace.shards()).map(Shard) {
        let is_here = |letter: &DeadLetter| shards_of(redis, &letter.record.key).contains(&shard);
        let here: Vec<(&DeadLetter, &mut bool)> = letters
            .iter()
            .zip(&mut there)
            .filter(|(letter, _)| is_here(letter))
            .collect();
        if here.is_empty() {
            continue;
        }
        let mut get = cmd("HMGET");
        get.arg(redis.keyspace.dead(shard));
        for (letter, _) in &here {
            get.arg(letter.record.key.as_str());
        }
        let values: Vec<Option<Bytes>> = link.command(&get).await?;
        for ((letter, there), value) in here.into_iter().zip(values) {
            let version = encode_version(letter.record.version);
            *there |= value.is_some_and(|value| value.starts_with(version.as_bytes()));
        }
    }
    Ok(there)
}

/// The shards in which a dead letter of `key` may be: one that is no key says
/// nothing about where it was found.
fn shards_of(redis: &Redis, key: &Key) -> Vec<Shard> {
    if key.as_str().starts_with(NOT_A_KEY) {
        (0..redis.keyspace.shards()).map(Shard).collect()
    } else {
        vec![redis.keyspace.shard_of(key)]
    }
}

pub(super) async fn find(redis: &Redis, key: &Key) -> Result<Option<DeadLetter>> {
    let mut link = redis.link(Part::Journal).await?;
    for shard in shards_of(redis, key) {
        let mut get = cmd("HGET");
        get.arg(redis.keyspace.dead(shard)).arg(key.as_str());
        let held: Option<Bytes> = link.command(&get).await?;
        let letter = held.and_then(|value| dead_letter::parse(key.as_str().as_bytes(), &value));
        if let Some(mut letter) = letter {
            held_back::note(&mut link, redis, std::slice::from_mut(&mut letter)).await?;
            return Ok(Some(letter));
        }
    }
    Ok(None)
}

pub(super) async fn forget(redis: &Redis, key: &Key, version: Version) -> Result<bool> {
    let mut link = redis.link(Part::Journal).await?;
    for shard in shards_of(redis, key) {
        let mut call = Call::new(
            &FORGET,
            vec![
                redis.keyspace.dead(shard),
                redis.keyspace.held_back(shard),
                redis.keyspace.held_back_bytes(shard),
            ],
        );
        call.arg(key.as_str()).arg(encode_version(version));
        if link.script(call).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
