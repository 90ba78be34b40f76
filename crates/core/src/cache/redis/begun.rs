//! Writes that begin: how `begin_write.lua` is asked, and what it answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

use bytes::Bytes;
use deadpool_redis::redis::Value;

use crate::cache::redis::{BEGIN_WRITE, ENTRIES_MAX, RedisCache};
use crate::cache::{Begun, Withdrawn};
use crate::error::{Error, Part, Result};
use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::{Call, Entry, Link, RunKeys, milliseconds, parse_version};

pub(super) fn no_version() -> Error {
    Error::unavailable(Part::Cache, "the server issued no version")
}

impl RedisCache {
    /// Begins the writes of `keys` in all shards, with their places. Where it fails in some, those
    /// of the others are withdrawn.
    pub(super) async fn begin(
        &self,
        mut link: Link,
        beginning: &[Beginning<'_>],
        keys: &[Key],
    ) -> Result<Vec<(usize, Begun)>> {
        let lifetime_ms = milliseconds(self.lifetimes.in_doubt);
        let call = |one: &Beginning| one.call(&link.keys, lifetime_ms, &self.known(one.shard));
        let calls = beginning.iter().map(call).collect();
        let (answers, _) = link.each_script::<Vec<Value>>(calls, None).await;
        let (mut begun, mut failed) = (Vec::with_capacity(keys.len()), None);
        for (one, answer) in beginning.iter().zip(answers) {
            match answer.and_then(|answer| one.parse(answer).ok_or_else(no_version)) {
                Ok(issued) => {
                    if let Some((_, newest)) = issued.last() {
                        self.redis.issued().saw(one.shard, newest.version);
                    }
                    begun.extend(issued);
                }
                // That can be mended, whatever the others say.
                Err(error @ Error::Unseeded(_)) => failed = Some(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let Some(failed) = failed else {
            return Ok(begun);
        };
        // IMPORTANT: the newest first, so that each finds its own mark.
        let begun = begun.into_iter().rev();
        let withdrawn = begun.filter_map(|(place, write)| {
            keys.get(place).map(|key| Withdrawn {
                key: key.clone(),
                version: write.version,
                doubt: write.doubt,
            })
        });
        let withdrawn: Vec<Withdrawn> = withdrawn.collect();
        // Marks that stay end by themselves.
        let _ = self.withdraw_over(&mut link, &withdrawn).await;
        Err(failed)
    }
}

/// The writes of one call, which are of one shard. The script is told each key once.
#[derive(Debug)]
pub(super) struct Beginning<'a> {
    pub(super) shard: Shard,
    /// The keys, and the place from 1 of the last write of each among the writes.
    keys: Vec<(&'a Key, usize)>,
    /// The place of each write among all, and that of its key among the keys.
    writes: Vec<(usize, usize)>,
}

impl<'a> Beginning<'a> {
    /// The calls for writes of one shard, each with its place among all.
    pub(super) fn of(shard: Shard, writes: &[(usize, &'a Key)]) -> Vec<Beginning<'a>> {
        let calls = writes.chunks(ENTRIES_MAX);
        calls.map(|writes| Beginning::one(shard, writes)).collect()
    }

    fn one(shard: Shard, writes: &[(usize, &'a Key)]) -> Beginning<'a> {
        let mut keys: Vec<(&Key, usize)> = Vec::with_capacity(writes.len());
        let mut places: HashMap<&Key, usize> = HashMap::with_capacity(writes.len());
        let of_key = |(number, (place, key)): (usize, &(usize, &'a Key))| {
            let of_key = match places.entry(key) {
                Occupied(known) => *known.get(),
                Vacant(new) => {
                    keys.push((key, 0));
                    *new.insert(keys.len() - 1)
                }
            };
            if let Some((_, last)) = keys.get_mut(of_key) {
                *last = number + 1;
            }
            (*place, of_key)
        };
        let writes = writes.iter().enumerate().map(of_key).collect();
        Beginning {
            shard,
            keys,
            writes,
        }
    }

    /// The call, with the lifetime of a mark of doubt and the newest version that is known to
    /// be issued.
    pub(super) fn call(&self, names: &RunKeys, lifetime_ms: u64, known: &str) -> Call<'static> {
        let mut call = Call::begin(&BEGIN_WRITE, 1 + self.keys.len());
        call.arg(names.clock(self.shard));
        let mut name = String::new();
        for (key, _) in &self.keys {
            names.write_entry(self.shard, key, &mut name);
            call.arg(&name);
        }
        call.arg(lifetime_ms).arg(known).arg(self.writes.len());
        if self.writes.len() > self.keys.len() {
            for (_, last) in &self.keys {
                call.arg(*last);
            }
        }
        call
    }

    /// What has begun, with the places among all; `None` when the answer has another form.
    pub(super) fn parse(&self, answer: Vec<Value>) -> Option<Vec<(usize, Begun)>> {
        let mut answer = answer.into_iter();
        let first = parse_version(&bytes(answer.next()?)?)?;
        // Of each key: the newest write in flight, and the dirty record.
        let mut held: Vec<(Option<Version>, Option<Record>)> = vec![(None, None); self.keys.len()];
        while let Some(place) = answer.next() {
            let Value::Int(place) = place else {
                return None;
            };
            let place = usize::try_from(place).ok()?.checked_sub(1)?;
            let (doubt, dirty) = (bytes(answer.next()?)?, bytes(answer.next()?)?);
            let (key, _) = self.keys.get(place)?;
            *held.get_mut(place)? = (newest(&doubt)?, record(key, &dirty)?);
        }
        let mut begun = Vec::with_capacity(self.writes.len());
        for (number, (place, of_key)) in (0..).zip(&self.writes) {
            let version = Version::new(first.get() + number)?;
            let (doubt, dirty) = held.get_mut(*of_key)?;
            let write = Begun {
                version,
                dirty: dirty.clone(),
                // The next write of the key finds this one.
                doubt: doubt.replace(version),
            };
            begun.push((*place, write));
        }
        Some(begun)
    }
}

fn newest(doubt: &[u8]) -> Option<Option<Version>> {
    match doubt.is_empty() {
        true => Some(None),
        false => parse_version(doubt).map(Some),
    }
}

fn record(key: &Key, dirty: &Bytes) -> Option<Option<Record>> {
    if dirty.is_empty() {
        return Some(None);
    }
    let Entry::Held(version, body) = Entry::parse(dirty)? else {
        return None;
    };
    let key = key.clone();
    Some(Some(Record { key, version, body }))
}

fn bytes(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}
