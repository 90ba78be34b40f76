//! The journal of one process, whose cache is in its memory.

use std::sync::Mutex;

use async_trait::async_trait;
use cache_core::error::{Error, Part, Result};
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery};
use cache_core::model::decision::Decision;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::shard::{Shard, ShardStats};
use cache_core::model::stored_versions::StoredVersions;
use cache_core::model::version::{Clock, Version};
use cache_core::outage::health::PartHealth;

use crate::disk::Frame;
use crate::door::{Door, Fate};
use crate::oracle::{all_shown, shown};
use crate::store::healthy;

const SHARD: Shard = Shard(0);

/// Opened by one process.
#[derive(Debug)]
pub(crate) struct DiskJournal {
    door: Door,
    clock: Clock,
    newest: Mutex<Version>,
    is_poisoned: Mutex<bool>,
}

impl DiskJournal {
    pub(crate) fn open(door: Door) -> DiskJournal {
        let newest = door.world.open_disk();
        DiskJournal {
            door,
            clock: Clock::default(),
            newest: Mutex::new(newest),
            is_poisoned: Mutex::new(false),
        }
    }

    /// Whether it takes no more until it is opened again.
    pub(crate) fn is_poisoned(&self) -> bool {
        *self.is_poisoned.lock().unwrap()
    }

    fn append_all(&self, writes: &[Write]) -> Result<Vec<Decision>> {
        let world = &self.door.world;
        if self.is_poisoned() {
            return Err(self.door.fails("an append failed before"));
        }
        let now = Version::new(world.clock_us()).unwrap();
        let records = writes.iter().map(|write| {
            let version = self.clock.issue_at(now);
            version
                .map(|version| write.at(version))
                .ok_or(Error::Unseeded(Part::Journal))
        });
        let records = records.collect::<Result<Vec<Record>>>()?;
        let crashes = world.crashes_now();
        if !crashes && self.door.fate(world.plan.journal_fails) == Fate::Succeeds {
            self.write(&records, true);
            *self.newest.lock().unwrap() = records[records.len() - 1].version;
            let entries = records
                .iter()
                .map(|record| ((SHARD, record.version), record.clone()));
            world.lock().log.entries.extend(entries);
            let versions = records
                .iter()
                .map(|record| Decision::Written(record.version));
            return Ok(versions.collect());
        }
        match world.draw(0..3) {
            0 => {}
            1 => self.write(&records, false),
            _ => self.write(&records, true),
        }
        let names = records.iter().map(|record| record.key.clone());
        world.lock().unknown.extend(names);
        *self.is_poisoned.lock().unwrap() = true;
        if crashes {
            world.note(|| format!("{} crashes in an append", self.door.life.name));
            self.door.life.kill();
        }
        Err(self.door.fails("the disk fails"))
    }

    fn write(&self, records: &[Record], is_whole: bool) {
        let world = &self.door.world;
        world.note(|| {
            let what = if is_whole { "has" } else { "has parts of" };
            format!(
                "{}: the disk {what} {}",
                self.door.life.name,
                all_shown(records)
            )
        });
        let mut state = world.lock();
        let mut outcome = Ok(());
        if is_whole {
            for record in records {
                outcome = outcome.and(state.oracle.issued(record));
            }
        }
        state.disk.frames.push(Frame {
            records: records.to_vec(),
            is_whole,
        });
        drop(state);
        world.expect(outcome);
    }
}

#[async_trait]
impl Journal for DiskJournal {
    fn shards(&self) -> u16 {
        1
    }

    fn shard_of(&self, _: &Key) -> Shard {
        SHARD
    }

    fn holds_cache(&self) -> bool {
        false
    }

    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        if writes.is_empty() {
            return Vec::new();
        }
        self.door.enter("append").await;
        let answer = self.append_all(writes);
        self.door.leave().await;
        match answer {
            Ok(appended) => appended.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); writes.len()],
        }
    }

    fn depth(&self) -> u64 {
        self.door.world.lock().log.entries.len() as u64
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let world = &self.door.world;
        let read = || {
            let state = world.lock();
            let newer = state.log.of(shard).filter(|record| record.version > after);
            Ok(newer.take(max).cloned().collect())
        };
        self.door.pass("read", world.plan.journal_fails, read).await
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let world = &self.door.world;
        let acknowledge = || {
            let allowed = world.lock().may_forget(shard, through, flushed);
            world.expect(allowed);
            world.note(|| {
                let through = crate::oracle::short(through);
                format!("{}: drained through {through}", self.door.life.name)
            });
            let notes_it = !world.happens(300);
            let state = &mut *world.lock();
            let before = state.log.entries.len();
            state
                .log
                .entries
                .retain(|(_, version), _| *version > through);
            state.disk.drained += (before - state.log.entries.len()) as u64;
            state.disk.acknowledged = state.disk.acknowledged.max(through);
            if notes_it {
                state.disk.noted = state.disk.acknowledged;
            }
            for (key, version) in flushed {
                state.log.forget(key, |held| held <= *version);
            }
            Ok(())
        };
        // What is passed is passed: it never says that it failed after that.
        self.door.enter("acknowledge").await;
        let answer = match self.door.fate(world.plan.journal_fails) {
            Fate::Succeeds => acknowledge(),
            _ => Err(self.door.fails("before")),
        };
        self.door.leave().await;
        answer
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        let floor = stored.newest().await?;
        self.clock.raise(floor.max(*self.newest.lock().unwrap()));
        Ok(())
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        let world = &self.door.world;
        let now = world.clock_us();
        let stats = || {
            let state = world.lock();
            let oldest = state.log.of(SHARD).next().map(|record| record.version);
            let newest = *self.newest.lock().unwrap();
            let depth = state.log.entries.len() as u64;
            let held_back = state.log.all_held_back(|_| true).count() as u64;
            Ok(vec![ShardStats {
                shard: SHARD,
                depth,
                bytes: 100 * depth,
                oldest,
                oldest_held: oldest,
                newest: (newest > Version::ZERO).then_some(newest),
                oldest_age_us: oldest.map_or(0, |oldest| now.saturating_sub(oldest.get())),
                drained: state.disk.drained,
                dead: state.log.dead.len() as u64 - held_back,
                held_back,
                held_back_bytes: 100 * held_back,
            }])
        };
        self.door
            .pass("stats", world.plan.journal_fails, stats)
            .await
    }

    async fn health(&self) -> PartHealth {
        healthy()
    }
}

#[async_trait]
impl DeadLetters for DiskJournal {
    async fn set_aside_within(&self, _: Shard, letter: &DeadLetter, max: u64) -> Result<bool> {
        let world = &self.door.world;
        let set_aside = || {
            let allowed = world.lock().may_set_aside(letter);
            world.expect(allowed);
            world.note(|| {
                format!(
                    "{}: set aside {}",
                    self.door.life.name,
                    shown(&letter.record)
                )
            });
            Ok(world.lock().log.set_aside(letter, max, |_| true))
        };
        self.door
            .pass("set aside", world.plan.journal_fails, set_aside)
            .await
    }

    async fn held_back(&self, _: Shard, after: Option<&Key>, max: usize) -> Result<HeldBackPage> {
        let state = self.door.world.lock();
        Ok(state.log.held_back(after, max, |_| true))
    }

    async fn promote(&self, letter: &DeadLetter, max: u64) -> Result<bool> {
        let world = &self.door.world;
        let promote = || Ok(world.lock().log.promote(letter, max, |_| true));
        self.door
            .pass("promote", world.plan.journal_fails, promote)
            .await
    }

    async fn set_aside_undecodable(&self, _: Shard) -> Result<u64> {
        Ok(0)
    }

    async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
        Ok(self.door.world.lock().log.page(query))
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        Ok(self.door.world.lock().log.dead.get(key).cloned())
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        let world = &self.door.world;
        let forget = || Ok(world.lock().log.forget(key, |held| held == version));
        self.door
            .pass("forget", world.plan.journal_fails, forget)
            .await
    }
}
