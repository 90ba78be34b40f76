//! Using a restarted server without the database, if it has all its data: see
//! `docs/design/redis-restarts.md`.
//!
//! A server restarts with a prefix of what it executed. So if it has its last answer to each
//! process, it has everything, and its own data show what is newest.

use std::collections::HashMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::{Error, Part, Result};
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::redis::restart::witness::Told;
use crate::redis::{Call, Link, Redis, RunKeys, dirty_value, milliseconds, parse_version};
use crate::timing;

static INTACT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("intact.lua")));

/// A server that has all its data, in place of the database.
pub(in crate::redis) struct Intact<'a> {
    redis: &'a Redis,
    run: String,
    /// The runs under whose names an entry may be, by shard.
    names: Vec<Vec<RunKeys>>,
}

/// Why a server may not be used without the database.
type Doubt = String;

/// The last run that a shard was used in, with its names, and those after it.
struct Used {
    runs: Vec<RunKeys>,
    clock: Version,
}

impl Used {
    fn epoch(&self) -> &str {
        self.runs.first().map_or("", |last| epoch_of(last.run()))
    }
}

/// The epoch in the name of a run.
fn epoch_of(run: &str) -> &str {
    run.rsplit_once('.').map_or("", |(_, epoch)| epoch)
}

impl Redis {
    /// The server in place of the database, if it still has all its answers to all processes.
    ///
    /// # Errors
    /// `unavailable`, the reason why the database did not answer, if that is not known.
    pub(in crate::redis) async fn intact(
        &self,
        link: &mut Link,
        unavailable: Error,
    ) -> Result<Intact<'_>> {
        let found = self.find_intact(link).await?;
        let doubt = match found {
            Ok(names) => {
                tracing::warn!(
                    "Redis has restarted with all its data; it is used again without the database"
                );
                let run = link.keys.run().to_owned();
                let redis = self;
                return Ok(Intact { redis, run, names });
            }
            Err(doubt) => doubt,
        };
        tracing::debug!(%doubt, "Redis has restarted, and the database does not answer");
        let problem = "Redis has restarted, and the database is needed before it can be used";
        self.place
            .witness
            .stall(Some(format!("{problem}: {doubt}")));
        Err(unavailable)
    }

    async fn find_intact(
        &self,
        link: &mut Link,
    ) -> Result<std::result::Result<Vec<Vec<RunKeys>>, Doubt>> {
        let Some(ownership) = self.place.ownership.get() else {
            return Ok(Err("no process is registered there".to_owned()));
        };
        if let Err(error) = ownership.register().await {
            return Ok(Err(error.to_string()));
        }
        let mut names = Vec::new();
        for shard in (0..self.keyspace.shards()).map(Shard) {
            match self.used(link, shard).await? {
                Some(used)
                    if used.clock >= self.place.witness.newest(shard)
                        && used.epoch() == epoch_of(link.keys.run()) =>
                {
                    names.push(used.runs);
                }
                _ => return Ok(Err("it has not all its data".to_owned())),
            }
        }
        let keys = vec![self.keyspace.served(), self.keyspace.witnesses()];
        let mut call = Call::new(&INTACT, keys);
        call.arg(link.server_run())
            .arg(milliseconds(timing::REGISTRATION_TIMEOUT));
        let doubt: String = link.script(call).await?;
        Ok(match doubt.is_empty() {
            true => Ok(names),
            false => Err(doubt),
        })
    }

    /// Whether the server still has all its answers to this process.
    pub(in crate::redis) async fn has_all(&self, link: &mut Link, told: &Told) -> Result<bool> {
        if !told.takes_part {
            return Ok(false);
        }
        for (shard, newest) in (0..).map(Shard).zip(&told.newest) {
            let used = self.used(link, shard).await?;
            if used.is_none_or(|used| used.clock < *newest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The last run of a shard. `None` if it was never used, or if its clock or stream is lost.
    async fn used(&self, link: &mut Link, shard: Shard) -> Result<Option<Used>> {
        let words = self.runs(link, shard).await?;
        let runs = words
            .split_whitespace()
            .map(|run| self.keyspace.in_run(run));
        let mut runs: Vec<RunKeys> = runs.collect();
        let Some(last) = runs.first() else {
            return Ok(None);
        };
        let clock = self.text(link, last.clock(shard)).await?;
        let stream = self.keyspace.journal(shard);
        let has_stream: bool = link.command(cmd("EXISTS").arg(stream)).await?;
        let clock = parse_version(&clock);
        runs.push(self.keyspace.in_run(link.keys.run()));
        let used = clock.map(|clock| Used { runs, clock });
        Ok(used.filter(|_| has_stream))
    }

    /// The reason why the server cannot be used before the database answers, if it cannot.
    pub(crate) async fn stalled(&self) -> Option<String> {
        let why = self.place.witness.stalled()?;
        let mut link = self.link(Part::Journal).await.ok()?;
        let mut clocks = cmd("EXISTS");
        for shard in (0..self.keyspace.shards()).map(Shard) {
            clocks.arg(link.keys.clock(shard));
        }
        let there: u16 = link.command(&clocks).await.ok()?;
        (there < self.keyspace.shards()).then_some(why)
    }
}

#[async_trait]
impl StoredVersions for Intact<'_> {
    /// Zero: the clocks are above the database's newest version already.
    async fn newest(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    /// The version just before the dirty one, since the database has nothing newer.
    ///
    /// # Errors
    /// If a key is not dirty: only the database knows why it still waits.
    async fn of(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        let mut link = self.redis.link(Part::Journal).await?;
        if link.keys.run() != self.run {
            return Err(Error::unavailable(Part::Journal, "redis: it was restarted"));
        }
        let mut of = HashMap::new();
        for key in keys {
            let shard = usize::from(self.redis.keyspace.shard_of(key).0);
            let names = self.names.get(shard).into_iter().flatten();
            let mut get = cmd("MGET");
            for names in names {
                get.arg(names.entry(key));
            }
            let held: Vec<Option<Bytes>> = link.command(&get).await?;
            of.insert(key.clone(), dirty(&held)?.just_before());
        }
        Ok(of)
    }
}

/// The newest dirty version under any of an entry's names, if none of them is in doubt.
fn dirty(held: &[Option<Bytes>]) -> Result<Version> {
    let held = held.iter().flatten();
    let dirty = held.filter_map(|held| Some((held.get(16)? == &b'D', dirty_value(held)?.0)));
    let dirty: Vec<(bool, Version)> = dirty.collect();
    match dirty.iter().max_by_key(|(_, version)| *version) {
        Some((_, version)) if dirty.iter().all(|(is_sure, _)| *is_sure) => Ok(*version),
        _ => Err(Error::unavailable(
            Part::Database,
            "only the database knows what is newest of some names",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_is_dirty_and_not_in_doubt_is_newest() {
        let held = |values: &[&str]| {
            let values = values.iter();
            let values = values.map(|value| Some(Bytes::copy_from_slice(value.as_bytes())));
            values.chain([None]).collect::<Vec<_>>()
        };
        let newest = dirty(&held(&["0000000000000007D{}", "0000000000000009D"]));
        assert_eq!(newest.unwrap(), Version::new(9).unwrap());
        for other in [
            &[][..],
            &["0000000000000007C{}"],
            &["0000000000000007?"],
            &["0000000000000007E0000000000000009{}"],
            &["0000000000000009D", "0000000000000007E0000000000000008{}"],
        ] {
            assert!(dirty(&held(other)).is_err(), "{other:?}");
        }
    }
}
