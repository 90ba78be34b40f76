//! Everything there is in a run: what survives the processes, the clock, the
//! chance, and what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cache_core::error::Part;
use cache_core::model::dead_letter::{DeadLetter, HeldBackPage, LetterPage, LetterQuery};
use cache_core::model::record::{Key, Record};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use cache_core::store::{Purge, Purged};
use fastrand::Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::disk::Disk;
use crate::life::Life;
use crate::oracle::{Fact, Oracle};
use crate::plan::{PerMille, Plan, Shape};
use crate::server::Server;
use crate::turns::Turns;

/// When every run begins.
pub(crate) const EPOCH_US: u64 = 1_700_000_000_000_000;
/// More calls than any run needs: something turns round and round.
const CALLS_MAX: u64 = 300_000;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) began: Instant,
    state: Mutex<State>,
    pub(crate) failed: Notify,
    pub(crate) turns: Turns,
}

impl std::fmt::Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("World")
    }
}

/// What waits in the journal, whichever it is, and what it has set aside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) entries: BTreeMap<(Shard, Version), Record>,
    pub(crate) dead: BTreeMap<Key, DeadLetter>,
    /// An operator has made room for all.
    pub(crate) has_room: bool,
}

impl Log {
    pub(crate) fn of(&self, shard: Shard) -> impl DoubleEndedIterator<Item = &Record> {
        let range = (shard, Version::ZERO)..=(shard, Version::MAX);
        self.entries.range(range).map(|(_, record)| record)
    }

    /// Returns whether the letter of the key is held back, where `is_here` says which keys share the room.
    pub(crate) fn set_aside(
        &mut self,
        letter: &DeadLetter,
        max: u64,
        is_here: impl Fn(&Key) -> bool,
    ) -> bool {
        let key = &letter.record.key;
        let held = self.dead.get(key);
        if let Some(newer) = held.filter(|held| held.record.version > letter.record.version) {
            return newer.held_back;
        }
        let is_dead = held.is_some_and(|held| !held.held_back);
        let held_back = !is_dead && !self.has_room(max, is_here);
        let letter = DeadLetter {
            held_back,
            ..letter.clone()
        };
        self.dead.insert(key.clone(), letter);
        held_back
    }

    fn has_room(&self, max: u64, is_here: impl Fn(&Key) -> bool) -> bool {
        let dead = self.dead.values().filter(|letter| !letter.held_back);
        let here = dead.filter(|letter| is_here(&letter.record.key));
        self.has_room || (here.count() as u64) < max
    }

    pub(crate) fn promote(
        &mut self,
        letter: &DeadLetter,
        max: u64,
        is_here: impl Fn(&Key) -> bool,
    ) -> bool {
        let key = &letter.record.key;
        let has_room = self.has_room(max, is_here);
        let held = self.dead.get_mut(key);
        let held = held.filter(|held| held.record.version == letter.record.version);
        held.is_some_and(|held| has_room && std::mem::take(&mut held.held_back))
    }

    pub(crate) fn held_back(
        &self,
        after: Option<&Key>,
        max: usize,
        is_here: impl Fn(&Key) -> bool,
    ) -> HeldBackPage {
        let letters = self.all_held_back(is_here);
        let letters = letters.filter(|letter| after.is_none_or(|after| letter.record.key > *after));
        HeldBackPage::of(letters.take(max).cloned().collect(), max)
    }

    /// Those that wait for room, where `is_here` holds for their keys.
    pub(crate) fn all_held_back(
        &self,
        is_here: impl Fn(&Key) -> bool,
    ) -> impl Iterator<Item = &DeadLetter> {
        let letters = self.dead.values().filter(|letter| letter.held_back);
        letters.filter(move |letter| is_here(&letter.record.key))
    }

    /// The dead letters that a query asks for.
    pub(crate) fn page(&self, query: &LetterQuery) -> Vec<DeadLetter> {
        let mut page = LetterPage::new(query);
        let letters = self.dead.values().cloned();
        letters.for_each(|letter| page.offer(letter));
        page.letters()
    }

    /// Ends the dead letter of `key` if `ended` holds for its version.
    pub(crate) fn forget(&mut self, key: &Key, ended: impl Fn(Version) -> bool) -> bool {
        let held = self.dead.get(key).map(|held| held.record.version);
        held.is_some_and(ended) && self.dead.remove(key).is_some()
    }
}

pub(crate) struct State {
    pub(crate) dice: Rng,
    pub(crate) database: BTreeMap<Key, Record>,
    /// Its floor.
    pub(crate) purged_through: Version,
    pub(crate) database_unavailable_until: Option<Instant>,
    /// Names whose rows another transaction has locked, and until when.
    pub(crate) locked_until: BTreeMap<Key, Instant>,
    pub(crate) log: Log,
    pub(crate) server: Server,
    pub(crate) disk: Disk,
    pub(crate) oracle: Oracle,
    pub(crate) lives: Vec<Arc<Life>>,
    /// Nothing goes wrong any more.
    pub(crate) is_calm: bool,
    /// Requests on their way whose client has given up.
    pub(crate) stray: u32,
    /// Names with a write through a disk whose outcome is unknown.
    pub(crate) unknown: BTreeSet<Key>,
    /// Names that another service has written, which had a dead letter.
    pub(crate) superseded_by_others: BTreeSet<Key>,
    values: u64,
    calls: u64,
    crashes: u32,
    clock_offset_us: i64,
    clock_stands_at: Option<u64>,
    trace: Option<Vec<String>>,
    failure: Option<String>,
}

impl World {
    pub(crate) fn new(seed: u64, shows: bool) -> Arc<World> {
        let mut dice = Rng::with_seed(seed);
        let plan = Plan::new(&mut dice);
        let world = World {
            state: Mutex::new(State {
                database: BTreeMap::new(),
                purged_through: Version::ZERO,
                database_unavailable_until: None,
                locked_until: BTreeMap::new(),
                log: Log::default(),
                server: Server::new(plan.shards),
                disk: Disk::default(),
                oracle: Oracle::default(),
                lives: Vec::new(),
                is_calm: false,
                stray: 0,
                unknown: BTreeSet::new(),
                superseded_by_others: BTreeSet::new(),
                values: 0,
                calls: 0,
                crashes: 0,
                clock_offset_us: 0,
                clock_stands_at: None,
                trace: shows.then(Vec::new),
                failure: None,
                dice,
            }),
            plan,
            began: Instant::now(),
            failed: Notify::new(),
            turns: Turns::default(),
        };
        world.note(|| format!("seed {seed}: {:?}", world.plan));
        Arc::new(world)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Draws a number.
    pub(crate) fn draw(&self, range: std::ops::Range<u64>) -> u64 {
        self.lock().dice.u64(range)
    }

    pub(crate) fn draw_ms(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.draw(range))
    }

    /// Adds a line to the trace, where one is kept.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        let mut state = self.lock();
        if let Some(trace) = &mut state.trace {
            let at = self.began.elapsed().as_millis();
            trace.push(format!("{at:>6} ms  {}", line()));
        }
    }

    /// Something must not be. The run ends with the first such thing.
    pub(crate) fn fail(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(|| format!("FAILED: {what}"));
        self.lock().failure.get_or_insert(what);
        self.failed.notify_one();
    }

    pub(crate) fn expect(&self, outcome: Result<(), String>) {
        if let Err(what) = outcome {
            self.fail(what);
        }
    }

    pub(crate) fn take_outcome(&self) -> (Option<String>, Vec<String>) {
        let mut state = self.lock();
        let trace = state.trace.take().unwrap_or_default();
        (state.failure.take(), trace)
    }

    /// Whether something goes wrong that does so this often.
    pub(crate) fn happens(&self, often: PerMille) -> bool {
        let mut state = self.lock();
        !state.is_calm && state.dice.u32(0..1_000) < often
    }

    /// Counts a call; ends the run if there are too many.
    pub(crate) fn counts_call(&self) -> bool {
        let calls = {
            let mut state = self.lock();
            state.calls += 1;
            state.calls
        };
        if calls == CALLS_MAX {
            self.fail("the processes turn round and round");
        }
        calls < CALLS_MAX
    }

    /// Whether a process crashes now.
    pub(crate) fn crashes_now(&self) -> bool {
        let crashes = self.happens(self.plan.crashes);
        let mut state = self.lock();
        let crashes = crashes && state.crashes < self.plan.crashes_max;
        state.crashes += u32::from(crashes);
        crashes
    }

    /// Whether the part is unavailable.
    pub(crate) fn is_unavailable(&self, part: Part) -> bool {
        let state = self.lock();
        let until = match (part, self.plan.shape) {
            (Part::Database, _) => state.database_unavailable_until,
            (_, Shape::Server) => state.server.unavailable_until,
            (_, Shape::Disk) => None,
        };
        !state.is_calm && until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether another transaction has locked the row of `key`.
    pub(crate) fn is_locked(&self, key: &Key) -> bool {
        let state = self.lock();
        let until = state.locked_until.get(key);
        !state.is_calm && until.is_some_and(|until| Instant::now() < *until)
    }

    /// The time by the clock from which versions are issued.
    pub(crate) fn clock_us(&self) -> u64 {
        let state = self.lock();
        state.clock_us(self.began)
    }

    /// Lets the clock jump.
    pub(crate) fn clock_jumps(&self, by_us: i64) {
        self.lock().clock_offset_us += by_us;
    }

    /// Stops the clock, or lets it go on.
    pub(crate) fn clock_stands(&self, stands: bool) {
        let now = self.clock_us();
        self.lock().clock_stands_at = stands.then_some(now);
    }

    /// The clock is above all that was issued: what a server has lost is not
    /// issued again.
    pub(crate) fn clock_is_ahead(&self) {
        let now = self.clock_us();
        let mut state = self.lock();
        state.clock_stands_at = None;
        let newest = state.oracle.newest_issued().get();
        state.clock_offset_us += newest.saturating_sub(now) as i64 + 1;
    }

    /// A value that no other write has.
    pub(crate) fn new_value(&self, toxic: bool) -> bytes::Bytes {
        let mut state = self.lock();
        state.values += 1;
        let kind = if toxic { crate::oracle::TOXIC } else { "" };
        format!("value {} {kind}", state.values)
            .trim_end()
            .to_owned()
            .into()
    }

    /// Another service writes the database, past the journal.
    pub(crate) fn others_write(&self, key: &Key) {
        let version = {
            let now = self.clock_us();
            let state = self.lock();
            // The clocks of several services are taken to agree.
            let newest = state.oracle.newest_issued();
            Version::new(now.max(newest.get() + 1)).unwrap()
        };
        let record = Record {
            key: key.clone(),
            version,
            body: Some(self.new_value(false)),
        };
        self.note(|| format!("another service writes {}", crate::oracle::shown(&record)));
        let outcome = {
            let mut state = self.lock();
            state.store(&record);
            if state.log.dead.contains_key(key) {
                state.superseded_by_others.insert(key.clone());
            }
            let oracle = &mut state.oracle;
            oracle
                .issued(&record)
                .and_then(|()| oracle.acknowledged(&record))
        };
        self.expect(outcome);
    }
}

impl State {
    fn clock_us(&self, began: Instant) -> u64 {
        let elapsed = EPOCH_US + began.elapsed().as_micros() as u64;
        self.clock_stands_at
            .unwrap_or_else(|| elapsed.saturating_add_signed(self.clock_offset_us))
    }

    /// The guard of every database: the newer wins, and what is as old as what was
    /// purged makes no row.
    pub(crate) fn store(&mut self, record: &Record) {
        let held = self.database.get(&record.key).map(|held| held.version);
        if record.version > held.unwrap_or(self.purged_through) {
            self.database.insert(record.key.clone(), record.clone());
        }
    }

    /// What the database has of a name, or had until it was purged.
    pub(crate) fn held(&self, key: &Key) -> Option<Record> {
        let purged = || self.oracle.purged(key);
        self.database.get(key).cloned().or_else(purged)
    }

    pub(crate) fn stored(&self, key: &Key) -> Option<Version> {
        self.held(key).map(|record| record.version)
    }

    /// Removes the oldest tombstones, as every database does.
    pub(crate) fn purge(&mut self, purge: Purge) -> Purged {
        if purge.floor != self.purged_through {
            return Purged::Elsewhere;
        }
        let is_looked_at =
            |record: &&Record| record.version > purge.floor && record.version <= purge.through;
        let mut rows: Vec<Record> = self
            .database
            .values()
            .filter(is_looked_at)
            .cloned()
            .collect();
        rows.sort_by_key(|record| record.version);
        rows.truncate(purge.rows_max);
        let is_all = rows.len() < purge.rows_max;
        let Some(floor) = rows.last().map(|last| last.version) else {
            return Purged::Through {
                floor: purge.floor,
                removed: 0,
                is_all,
            };
        };
        self.purged_through = floor;
        rows.retain(|record| record.body.is_none());
        for tombstone in &rows {
            self.database.remove(&tombstone.key);
            self.oracle.is_purged(tombstone);
        }
        Purged::Through {
            floor,
            removed: rows.len(),
            is_all,
        }
    }

    /// Whether a write is where nothing takes it away: in the database, itself
    /// or a newer one; or, if the database refuses it, among the dead letters.
    pub(crate) fn is_settled(&self, key: &Key, version: Version, is_toxic: bool) -> bool {
        let dead = self.log.dead.get(key).map(|letter| letter.record.version);
        self.stored(key) >= Some(version) || (is_toxic && dead >= Some(version))
    }

    /// Every acknowledged write is settled or in the journal.
    pub(crate) fn all_is_durable(&self) -> Result<(), String> {
        let is_durable = |key: &Key, version: Version, fact: &Fact| {
            self.is_settled(key, version, fact.is_toxic()) || self.waits(key, version)
        };
        let mut facts = self.oracle.facts();
        match facts
            .find(|(key, version, fact)| fact.acknowledged && !is_durable(key, *version, fact))
        {
            None => Ok(()),
            Some((key, version, _)) => Err(format!(
                "{}@{} was acknowledged and is in neither journal nor database",
                key.as_str(),
                crate::oracle::short(version)
            )),
        }
    }

    pub(crate) fn waits(&self, key: &Key, version: Version) -> bool {
        let entry = (self.server.shard_of(key), version);
        self.log.entries.contains_key(&entry)
    }

    /// What must hold when a journal forgets the entries up to `through`.
    pub(crate) fn may_forget(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<(), String> {
        for record in self
            .log
            .of(shard)
            .filter(|record| record.version <= through)
        {
            let is_toxic = crate::oracle::is_toxic(record.body.as_ref());
            if !self.is_settled(&record.key, record.version, is_toxic) {
                return Err(format!(
                    "the journal was told to forget {}, which the database does not have",
                    crate::oracle::shown(record)
                ));
            }
        }
        for (key, version) in flushed {
            if self.stored(key) < Some(*version) {
                return Err(format!("{} counts as flushed", key.as_str()));
            }
        }
        Ok(())
    }

    /// What must hold when a record is set aside.
    pub(crate) fn may_set_aside(&self, letter: &DeadLetter) -> Result<(), String> {
        if crate::oracle::is_toxic(letter.record.body.as_ref()) {
            return Ok(());
        }
        Err(format!(
            "{} was set aside, which the database takes",
            crate::oracle::shown(&letter.record)
        ))
    }
}
