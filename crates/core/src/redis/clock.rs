//! The version clocks in Redis, one a shard.

use std::sync::LazyLock;
use std::time::Duration;

use deadpool_redis::redis::{Script, cmd};

use crate::error::{Error, Part, Result};
use crate::redis::{Call, Redis, RunKeys, encode_version, milliseconds};
use crate::seed::StoredVersions;
use crate::shard::Shard;
use crate::version::Version;

/// How long it is remembered that a run was left: longer than anything that was
/// cached in it stays.
const LEFT_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3_600);

static RAISE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("unseeded.lua"),
        include_str!("raise.lua")
    ))
});

static RAISE_RUNNING: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("unseeded.lua"),
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
        let calls = (0..self.keyspace.shards()).map(|shard| {
            let mut call = Call::new(&RAISE_RUNNING, vec![keys.clock(Shard(shard))]);
            call.arg(&floor);
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
        // IMPORTANT: asked after it is known in which epoch the clocks are raised:
        // all that was written past the cache before that is there.
        let newest = stored.newest().await;
        let intact;
        let (floor, stored): (Version, &dyn StoredVersions) = match newest {
            Ok(newest) => (newest, stored),
            Err(away) if part == Part::Journal && is_away(&away) => {
                intact = self.intact(&mut link, away).await?;
                (intact.newest().await?, &intact)
            }
            Err(error) => return Err(error),
        };
        let mut calls = Vec::new();
        for shard in (0..self.keyspace.shards()).map(Shard) {
            let clock = keys.clock(shard);
            let has_clock: bool = link.command(cmd("EXISTS").arg(&clock)).await?;
            let runs: Option<String> = link
                .command(cmd("GET").arg(self.keyspace.run(shard)))
                .await?;
            // The run that the shard was used in before, then those that ended
            // before it could be.
            let old: Vec<RunKeys> = runs
                .iter()
                .flat_map(|runs| runs.split_whitespace())
                .filter(|run| *run != keys.run())
                .map(|run| self.keyspace.in_run(run))
                .collect();
            if !has_clock {
                self.forget_if_left(&mut link, shard).await?;
                self.recover(&mut link, shard, &old, stored).await?;
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
                    before.left(shard),
                    keys.left(shard),
                    keys.recovered(shard),
                    before.recovered(shard),
                ],
            );
            call.arg(encode_version(floor))
                .arg(keys.run())
                .arg(milliseconds(LEFT_LIFETIME))
                .arg(u8::from(!has_journal));
            for dirty in &rescued {
                dirty.write(&mut call);
            }
            calls.push(call);
        }
        link.scripts::<()>(calls).await?;
        self.place.witness.stall(None);
        Ok(())
    }
}

fn is_away(error: &Error) -> bool {
    let database = Part::Database;
    matches!(error, Error::Unavailable { part, .. } if *part == database)
}
