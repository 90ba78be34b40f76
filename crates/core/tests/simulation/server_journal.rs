//! The journal of a server that holds the cache as well.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::error::{Error, Part, Result};
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::lease::{LeaseCall, Leases};
use cache_core::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery};
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Key, Record, Write, newest_per_key};
use cache_core::model::shard::{Shard, ShardStats};
use cache_core::model::stored_versions::StoredVersions;
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;

use crate::door::{Door, Fate};
use crate::leases::SimLeases;
use crate::oracle::{all_shown, shown};
use crate::server::Entry;
use crate::store::healthy;
use crate::world::{State, World};

/// How one process sees it.
#[derive(Debug)]
pub(crate) struct ServerJournal {
    door: Door,
    leases: Arc<SimLeases>,
    depths: Mutex<Vec<u64>>,
    /// By shard: the server's run in which it was last read.
    read_in: Mutex<BTreeMap<Shard, u64>>,
}

impl ServerJournal {
    pub(crate) fn new(door: Door, leases: Arc<SimLeases>) -> ServerJournal {
        let shards = door.world.plan.shards;
        ServerJournal {
            door,
            leases,
            depths: Mutex::new(vec![0; shards.into()]),
            read_in: Mutex::default(),
        }
    }

    fn heard(&self, shard: Shard) {
        let depth = self.door.world.lock().log.of(shard).count() as u64;
        self.depths.lock().unwrap()[usize::from(shard.0)] = depth;
    }

    fn all_shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.shards()).map(Shard)
    }

    fn append_to(&self, shard: Shard, writes: &[Write]) -> Vec<Result<Decision>> {
        let (door, world) = (&self.door, &self.door.world);
        let plan = &world.plan;
        let fail = |error: Error| vec![Err(error); writes.len()];
        if world.happens(plan.journal_is_full) {
            return fail(Error::Full {
                what: "the server has no room",
                retry_after: Duration::ZERO,
            });
        }
        let is_held = self.leases.held().holds(shard);
        let by = door.life.name.clone();
        if !world.is_unavailable(Part::Journal) && world.happens(plan.journal_fails / 3) {
            let (world, writes) = (world.clone(), writes.to_vec());
            let run = world.lock().server.run;
            door.stray(move || {
                // A connection ends with its server.
                if world.lock().server.run == run {
                    drop(append(
                        &world,
                        shard,
                        &writes,
                        is_held,
                        &format!("{by}, late"),
                    ));
                }
            });
            return fail(door.fails("no answer in time"));
        }
        match door.fate(plan.journal_fails) {
            Fate::Succeeds => {
                let answers = append(world, shard, writes, is_held, &by);
                self.heard(shard);
                answers
            }
            Fate::FailsBefore => fail(door.fails("before the append")),
            Fate::FailsAfter => {
                let _ = append(world, shard, writes, is_held, &format!("{by}, unheard"));
                fail(door.fails("after the append"))
            }
        }
    }
}

/// What the server does with the writes of one shard, in one step.
fn append(
    world: &World,
    shard: Shard,
    writes: &[Write],
    is_held: bool,
    by: &str,
) -> Vec<Result<Decision>> {
    let now = world.clock_us();
    let mut records: Vec<Record> = Vec::new();
    let (answers, outcome, was_empty) = {
        let mut guard = world.lock();
        let state = &mut *guard;
        let Some(mut clock) = state.server.clock(shard) else {
            return vec![Err(Error::Unseeded(Part::Journal)); writes.len()];
        };
        let was_empty = state.log.of(shard).next().is_none();
        let mut answers = Vec::new();
        let mut outcome = Ok(());
        for write in writes {
            if let Some(refused) = judge(state, write) {
                answers.push(Ok(refused));
                continue;
            }
            clock = Version::new(now.max(clock.get() + 1)).unwrap();
            let record = write.at(clock);
            state.server.appended(shard, clock);
            state.server.put_dirty(&record);
            state.log.entries.insert((shard, clock), record.clone());
            outcome = outcome.and(state.oracle.issued(&record));
            answers.push(Ok(Decision::Written(clock)));
            records.push(record);
        }
        (answers, outcome, was_empty)
    };
    world.expect(outcome);
    if !records.is_empty() {
        world.note(|| format!("{by}: the journal has {}", all_shown(&records)));
        world.save();
        if was_empty && !is_held {
            tell_all(world, LeaseCall::Entries(shard));
        }
    }
    answers
}

fn judge(state: &State, write: &Write) -> Option<Decision> {
    if write.condition == Condition::Always {
        return None;
    }
    match state.server.cache.get(&write.key) {
        Some(Entry::Clean(held) | Entry::Dirty(held)) => {
            (!write.condition.holds(held)).then_some(Decision::ConditionFailed)
        }
        Some(Entry::Filling(_)) | None => Some(Decision::Retry),
    }
}

/// Sends a notification to every process; some do not get it.
pub(crate) fn tell_all(world: &World, call: LeaseCall) {
    let lives = world.lock().lives.clone();
    for life in lives {
        if !life.is_dead() && !world.happens(100) {
            life.call(call);
        }
    }
}

/// A server that has lost nothing, in place of an unavailable database.
struct Intact<'a>(&'a Door);

#[async_trait]
impl StoredVersions for Intact<'_> {
    async fn newest(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn of(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        let state = self.0.world.lock();
        let of = keys.iter().map(|key| {
            let dirty = state.server.dirty(key);
            let dirty = dirty.ok_or_else(|| self.0.fails("only the database knows"))?;
            Ok((key.clone(), dirty.just_before()))
        });
        of.collect()
    }
}

/// Caches what the journal holds, in a new run of the server, and raises the
/// clocks.
pub(crate) async fn raise(door: &Door, stored: &dyn StoredVersions) -> Result<()> {
    let run = door.world.lock().server.run;
    // IMPORTANT: afterwards, as `Redis::raise` does.
    let newest = stored.newest().await;
    let intact = Intact(door);
    let by_database = newest.is_ok();
    let (floor, stored): (Version, &dyn StoredVersions) = match newest {
        Ok(newest) => (newest, stored),
        Err(error) if door.world.lock().server.has_lost => return Err(error),
        Err(_) => {
            let name = &door.life.name;
            door.world
                .note(|| format!("{name} needs no database: nothing is lost"));
            (Version::ZERO, &intact)
        }
    };
    for shard in (0..door.world.plan.shards).map(Shard) {
        if door.world.lock().server.clock(shard).is_none() {
            let waiting = newest_per_key({
                let state = door.world.lock();
                let of_shard = |record: &&Record| state.server.shard_of(&record.key) == shard;
                let dead = state.log.dead.values().map(|letter| &letter.record);
                let records = dead.filter(of_shard).chain(state.log.of(shard));
                records.cloned().collect::<Vec<_>>()
            });
            let keys: Vec<Key> = waiting.iter().map(|record| record.key.clone()).collect();
            let stored = stored.of(&keys).await?;
            let recover = || {
                let server = &mut door.world.lock().server;
                if server.run == run && server.clock(shard).is_none() {
                    for record in &waiting {
                        if stored.get(&record.key) < Some(&record.version) {
                            server.put_dirty(record);
                        }
                    }
                }
                Ok(())
            };
            door.pass(
                &format!("recover {}", shard.0),
                door.world.plan.journal_fails,
                recover,
            )
            .await?;
        }
        let set = || {
            let server = &mut door.world.lock().server;
            if server.run != run {
                return Err(door.fails("it restarted meanwhile"));
            }
            server.raise(shard, floor);
            Ok(())
        };
        door.pass(
            &format!("raise {}", shard.0),
            door.world.plan.journal_fails,
            set,
        )
        .await?;
    }
    let server = &mut door.world.lock().server;
    if by_database && server.run == run {
        server.has_lost = false;
    }
    Ok(())
}

#[async_trait]
impl Journal for ServerJournal {
    fn shards(&self) -> u16 {
        self.door.world.plan.shards
    }

    fn shard_of(&self, key: &Key) -> Shard {
        self.door.world.lock().server.shard_of(key)
    }

    fn holds_cache(&self) -> bool {
        true
    }

    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        self.door.enter("append").await;
        let mut places: BTreeMap<Shard, Vec<usize>> = BTreeMap::new();
        for (place, write) in writes.iter().enumerate() {
            places
                .entry(self.shard_of(&write.key))
                .or_default()
                .push(place);
        }
        let mut answers = vec![Err(Error::Panicked); writes.len()];
        for (shard, places) in places {
            let of_shard: Vec<Write> = places.iter().map(|place| writes[*place].clone()).collect();
            for (place, answer) in places.iter().zip(self.append_to(shard, &of_shard)) {
                answers[*place] = answer;
            }
        }
        self.door.leave().await;
        answers
    }

    fn depth(&self) -> u64 {
        self.depths.lock().unwrap().iter().sum()
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let world = &self.door.world;
        let read = || {
            let state = world.lock();
            let run = state.server.run;
            let before = self.read_in.lock().unwrap().get(&shard).copied();
            if after > Version::ZERO && before.is_some_and(|before| before != run) {
                return Err(Error::Unseeded(Part::Journal));
            }
            let newer = state.log.of(shard).filter(|record| record.version > after);
            let newer: Vec<Record> = newer.take(max).cloned().collect();
            if newer.is_empty() && state.server.clock(shard).is_none() {
                return Err(Error::Unseeded(Part::Journal));
            }
            self.read_in.lock().unwrap().insert(shard, run);
            Ok(newer)
        };
        self.door
            .pass(&format!("read {}", shard.0), world.plan.journal_fails, read)
            .await
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let world = &self.door.world;
        let acknowledge = || {
            let run = world.lock().server.run;
            let was_read_in = self.read_in.lock().unwrap().get(&shard).copied();
            if world.lock().server.clock(shard).is_none() || was_read_in != Some(run) {
                return Err(Error::Unseeded(Part::Journal));
            }
            let allowed = world.lock().may_forget(shard, through, flushed);
            world.expect(allowed);
            world.note(|| {
                let through = crate::oracle::short(through);
                format!(
                    "{}: shard {} is drained through {through}",
                    self.door.life.name, shard.0
                )
            });
            {
                let state = &mut *world.lock();
                let before = state.log.entries.len();
                let keep = |(of, version): &(Shard, Version)| *of != shard || *version > through;
                state.log.entries.retain(|entry, _| keep(entry));
                let forgotten = before - state.log.entries.len();
                state.server.drained[usize::from(shard.0)] += forgotten as u64;
                state.server.mark_clean(flushed);
                for (key, version) in flushed {
                    state.log.forget(key, |held| held <= *version);
                }
            }
            world.save();
            self.heard(shard);
            Ok(())
        };
        self.door
            .pass(
                &format!("acknowledge {}", shard.0),
                world.plan.journal_fails,
                acknowledge,
            )
            .await
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        raise(&self.door, stored).await
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        let world = &self.door.world;
        let now = world.clock_us();
        let stats = || {
            let state = world.lock();
            let of_shard = |shard: Shard| {
                let depth = state.log.of(shard).count() as u64;
                let oldest = state.log.of(shard).next().map(|record| record.version);
                let is_here = |key: &Key| state.server.shard_of(key) == shard;
                let letters = state.log.dead.keys().filter(|key| is_here(key)).count();
                let held_back = state.log.all_held_back(is_here).count();
                self.depths.lock().unwrap()[usize::from(shard.0)] = depth;
                ShardStats {
                    shard,
                    depth,
                    bytes: 100 * depth,
                    oldest,
                    oldest_held: oldest,
                    newest: state.server.clock(shard),
                    oldest_age_us: oldest.map_or(0, |oldest| now.saturating_sub(oldest.get())),
                    drained: state.server.drained[usize::from(shard.0)],
                    dead: (letters - held_back) as u64,
                    held_back: held_back as u64,
                    held_back_bytes: 100 * held_back as u64,
                }
            };
            Ok(self.all_shards().map(of_shard).collect())
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
impl DeadLetters for ServerJournal {
    async fn set_aside_within(&self, shard: Shard, letter: &DeadLetter, max: u64) -> Result<bool> {
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
            let held_back = world.lock().set_aside(shard, letter, max);
            world.save();
            Ok(held_back)
        };
        self.door
            .pass(
                &format!("set aside {}", shard.0),
                world.plan.journal_fails,
                set_aside,
            )
            .await
    }

    async fn held_back(
        &self,
        shard: Shard,
        after: Option<&Key>,
        max: usize,
    ) -> Result<HeldBackPage> {
        let world = &self.door.world;
        let list = || Ok(world.lock().held_back(shard, after, max));
        self.door
            .pass("held back", world.plan.journal_fails, list)
            .await
    }

    async fn promote(&self, letter: &DeadLetter, max: u64) -> Result<bool> {
        let world = &self.door.world;
        let promote = || {
            let promoted = world.lock().promote(letter, max);
            world.save();
            Ok(promoted)
        };
        self.door
            .pass("promote", world.plan.journal_fails, promote)
            .await
    }

    async fn set_aside_undecodable(&self, _: Shard) -> Result<u64> {
        Ok(0)
    }

    async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
        let world = &self.door.world;
        let list = || Ok(world.lock().log.page(query));
        self.door
            .pass("dead letters", world.plan.journal_fails, list)
            .await
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        let world = &self.door.world;
        let find = || Ok(world.lock().log.dead.get(key).cloned());
        self.door
            .pass(key.as_str(), world.plan.journal_fails, find)
            .await
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        let world = &self.door.world;
        let forget = || Ok(world.lock().log.forget(key, |held| held == version));
        self.door
            .pass("forget", world.plan.journal_fails, forget)
            .await
    }
}
