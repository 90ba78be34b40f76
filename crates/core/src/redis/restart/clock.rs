//! The version clocks in Redis, one a shard.

use std::sync::LazyLock;

use bytes::Bytes;
use deadpool_redis::redis::{Script, cmd};

use crate::error::{Error, Part, Result};
use crate::model::shard::Shard;
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::redis::{Call, Link, Redis, RunKeys, encode_version};

/// What `raise.lua` takes in place of what was recovered where there is a clock.
const HAS_CLOCK: &[u8] = b"clock";

static CONDEMN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../forms.lua"),
        include_str!("../clock.lua"),
        include_str!("condemn.lua")
    ))
});

static RAISE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../forms.lua"),
        include_str!("../clock.lua"),
        include_str!("set_back.lua"),
        include_str!("raise.lua")
    ))
});

static RAISE_RUNNING: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../forms.lua"),
        include_str!("../clock.lua"),
        include_str!("raise_running.lua")
    ))
});

impl Redis {
    /// Raises the clock of every shard above all that `stored` has, where all are seeded.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] where one is not.
    pub(crate) async fn raise_running(&self, stored: &dyn StoredVersions) -> Result<()> {
        let mut link = self.link(Part::Journal).await?;
        let keys = link.keys.clone();
        // IMPORTANT: after it is known which clocks are raised. A clock that is seeded later
        // starts above all of it.
        let floor = encode_version(stored.newest().await?);
        let calls = (0..self.keyspace.shards()).map(Shard).map(|shard| {
            let mut call = Call::new(&RAISE_RUNNING, vec![keys.clock(shard)]);
            call.arg(&floor)
                .arg(encode_version(self.issued().newest(shard)));
            call
        });
        link.scripts::<()>(calls.collect()).await.map(drop)
    }

    /// Seeds the clock of every shard, above all that `stored` has and above the
    /// shard's journal. Where there is no clock yet in this run of the server,
    /// what the journal holds is brought into the cache first; for the journal's part,
    /// where a stream is lost, what the cache holds of it yet is brought back. While the
    /// database is unavailable, only a server that has all its data is used (`intact.rs`).
    pub(crate) async fn raise(&self, part: Part, stored: &dyn StoredVersions) -> Result<()> {
        let mut link = self.link(part).await?;
        let keys = link.keys.clone();
        if !self.has_all_clocks(&mut link).await? {
            self.no_lease_elsewhere(part, link.server_run())?;
        }
        // IMPORTANT: asked after the epoch of the clocks is known, so that the answer includes
        // everything that was written before it while the cache was bypassed.
        let newest = stored.newest().await;
        let intact;
        let (floor, stored): (Version, &dyn StoredVersions) = match newest {
            Ok(newest) => (newest, stored),
            Err(error) if part == Part::Journal && is_unavailable(&error) => {
                intact = self.intact(&mut link, error).await?;
                (intact.newest().await?, &intact)
            }
            Err(error) => return Err(error),
        };
        let mut calls = Vec::new();
        for shard in (0..self.keyspace.shards()).map(Shard) {
            let clock = keys.clock(shard);
            let known = self.issued().newest(shard);
            let has_clock = self.has_clock(&mut link, shard).await?;
            let runs = self.runs(&mut link, shard).await?;
            // The run that the shard was used in before, then those that ended
            // before it could be.
            let old: Vec<RunKeys> = runs
                .split_whitespace()
                .filter(|run| *run != keys.run())
                .map(|run| self.keyspace.in_run(run))
                .collect();
            // IMPORTANT: read before anything is recovered: a clock may be set and removed meanwhile.
            let recovered = match has_clock {
                true => Bytes::from_static(HAS_CLOCK),
                false => self.text(&mut link, keys.recovered(shard)).await?,
            };
            if !has_clock {
                self.forget_if_used(&mut link, shard, &recovered).await?;
                self.recover(&mut link, shard, &old, &recovered, stored)
                    .await?;
            }
            let has_journal: bool = match part {
                Part::Journal => {
                    link.command(cmd("EXISTS").arg(self.keyspace.journal(shard)))
                        .await?
                }
                // A process that uses only the cache needs none.
                _ => true,
            };
            let rescued = match has_journal {
                true => Vec::new(),
                false => self.dirty(&mut link, shard).await?,
            };
            let before = old.first().unwrap_or(&keys);
            let mut call = Call::new(
                &RAISE,
                vec![
                    clock,
                    self.keyspace.journal(shard),
                    self.keyspace.run(shard),
                    before.clock(shard),
                    keys.recovered(shard),
                    before.recovered(shard),
                    self.keyspace.waiting(shard),
                ],
            );
            // Also above what this process alone knows to be issued.
            call.arg(encode_version(floor.max(known)))
                .arg(keys.run())
                .arg(u8::from(!has_journal))
                .arg(&recovered[..]);
            for dirty in &rescued {
                dirty.write(&mut call);
            }
            calls.push(call);
        }
        link.scripts::<()>(calls).await?;
        self.place.witness.stall(None);
        Ok(())
    }

    async fn has_all_clocks(&self, link: &mut Link) -> Result<bool> {
        for shard in (0..self.keyspace.shards()).map(Shard) {
            if !self.has_clock(link, shard).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a shard has a clock that knows the newest version. Removes any other.
    pub(in crate::redis) async fn has_clock(&self, link: &mut Link, shard: Shard) -> Result<bool> {
        let mut condemn = Call::new(&CONDEMN, vec![link.keys.clock(shard)]);
        condemn.arg(encode_version(self.issued().newest(shard)));
        link.script(condemn).await
    }

    /// The run that the shard was used in before, then those that ended before it could
    /// be, parted by spaces.
    pub(in crate::redis) async fn runs(&self, link: &mut Link, shard: Shard) -> Result<String> {
        let runs = self.text(link, self.keyspace.run(shard)).await?;
        Ok(String::from_utf8_lossy(&runs).into_owned())
    }

    /// What a key holds. Nothing if it is missing, or if another program has put a value of another
    /// type there, for which `GET` fails.
    pub(in crate::redis) async fn text(&self, link: &mut Link, key: String) -> Result<Bytes> {
        let (text,): (Option<Bytes>,) = link.command(cmd("MGET").arg(key)).await?;
        Ok(text.unwrap_or_default())
    }
}

fn is_unavailable(error: &Error) -> bool {
    let database = Part::Database;
    matches!(error, Error::Unavailable { part, .. } if *part == database)
}
