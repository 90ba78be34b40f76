//! Steps of draining on parts that fail when told to.

mod after_outages;
mod held_back;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Drain, Drained, Wake};
use crate::cache::memory::MemoryCache;
use crate::cache::{Cache, Lifetimes};
use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::journal::dead_letters::DeadLetters;
use crate::lease::Sole;
use crate::model::dataset::Dataset;
use crate::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery};
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record, Write};
use crate::model::shard::{Shard, ShardStats};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::store::{Locks, Origin, Page, Proposal, Purge, Purged, Store};

const SHARD: Shard = Shard(0);
const MINUTE: Duration = Duration::from_secs(60);
const ROWS: usize = 2;
/// Entries of one step, of distinct names.
const STEP: usize = 2 * ROWS;

fn unavailable(part: Part) -> Error {
    Error::unavailable(part, "told to fail")
}

fn version(number: usize) -> Version {
    Version::new(number as u64).unwrap()
}

fn name(number: usize) -> Key {
    Key::from(format!("name {number}"))
}

/// A journal in one server with its cache. Names are numbered, and spread by number.
#[derive(Debug, Default)]
struct FakeJournal {
    /// Besides the first one.
    more_shards: u16,
    is_unavailable: AtomicBool,
    waiting: Mutex<Vec<Record>>,
    /// The first version that cannot be read.
    broken_from: AtomicUsize,
    acknowledges: AtomicBool,
    acknowledgements: AtomicUsize,
    /// In the order of their keys.
    held_back: Mutex<Vec<DeadLetter>>,
    /// Once, when it is asked how much waits.
    panics: AtomicBool,
}

impl FakeJournal {
    /// With so many entries that wait, each of its own name.
    fn waiting_with(more_shards: u16, entries: usize) -> FakeJournal {
        let journal = FakeJournal {
            more_shards,
            ..FakeJournal::default()
        };
        journal.acknowledges.store(true, Ordering::SeqCst);
        let records = (1..=entries).map(|number| Record {
            key: name(number),
            version: version(number),
            body: None,
        });
        journal.waiting().extend(records);
        journal
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Record>> {
        self.waiting.lock().unwrap()
    }

    fn versions(&self) -> Vec<u64> {
        let waiting = self.waiting();
        waiting.iter().map(|record| record.version.get()).collect()
    }

    fn is_of(&self, shard: Shard, record: &Record) -> bool {
        self.shard_of(&record.key) == shard
    }

    fn answers(&self) -> Result<()> {
        match self.is_unavailable.load(Ordering::SeqCst) {
            true => Err(unavailable(Part::Journal)),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Journal for FakeJournal {
    fn shards(&self) -> u16 {
        1 + self.more_shards
    }

    fn shard_of(&self, key: &Key) -> Shard {
        let number = key.as_str().rsplit(' ').next().unwrap();
        Shard(number.parse::<u16>().unwrap() % self.shards())
    }

    fn holds_cache(&self) -> bool {
        true
    }

    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        vec![Err(unavailable(Part::Journal)); writes.len()]
    }

    fn depth(&self) -> u64 {
        self.waiting().len() as u64
    }

    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        self.answers()?;
        let waiting = self.waiting();
        let waiting = waiting.iter().filter(|record| self.is_of(shard, record));
        let newer = waiting.filter(|record| record.version > after);
        let read: Vec<Record> = newer.take(max).cloned().collect();
        let broken_from = self.broken_from.load(Ordering::SeqCst) as u64;
        match read.iter().any(|read| read.version.get() >= broken_from) && broken_from > 0 {
            true => Err(unavailable(Part::Journal)),
            false => Ok(read),
        }
    }

    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        _: &[(Key, Version)],
    ) -> Result<()> {
        self.acknowledgements.fetch_add(1, Ordering::SeqCst);
        if !self.acknowledges.load(Ordering::SeqCst) {
            return Err(Error::Unseeded(Part::Journal));
        }
        self.waiting()
            .retain(|record| record.version > through || !self.is_of(shard, record));
        Ok(())
    }

    async fn raise(&self, _: &dyn StoredVersions) -> Result<()> {
        Ok(())
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        Ok(self.stats_of_letters())
    }

    async fn takes_appends(&self) -> Result<()> {
        self.answers()
    }

    async fn health(&self) -> PartHealth {
        health()
    }
}

#[async_trait]
impl DeadLetters for FakeJournal {
    async fn set_aside_within(&self, _: Shard, _: &DeadLetter, _: u64) -> Result<bool> {
        Err(unavailable(Part::Journal))
    }

    async fn held_back(&self, shard: Shard, _: Option<&Key>, _: usize) -> Result<HeldBackPage> {
        Ok(self.page_of(shard))
    }

    async fn promote(&self, _: &DeadLetter, _: u64) -> Result<bool> {
        Ok(false)
    }

    async fn set_aside_undecodable(&self, _: Shard) -> Result<u64> {
        Ok(0)
    }

    async fn dead_letter_page(&self, _: &LetterQuery) -> Result<Vec<DeadLetter>> {
        Ok(Vec::new())
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        Ok(self.letter(key))
    }

    async fn forget_dead_letter(&self, key: &Key, _: Version) -> Result<bool> {
        Ok(self.forget(key))
    }
}

fn health() -> PartHealth {
    PartHealth {
        kind: "fake",
        at: String::new(),
        up: true,
        problem: None,
        durability: None,
        ..PartHealth::default()
    }
}

/// A database that fails statements with some names.
#[derive(Debug, Default)]
struct FakeStore {
    is_unavailable: AtomicBool,
    rows: Mutex<HashMap<Key, Version>>,
    fails: Mutex<HashSet<Key>>,
    locked: Mutex<HashSet<Key>>,
    dataset: Dataset,
    running: AtomicUsize,
    running_most: AtomicUsize,
    largest: AtomicUsize,
}

#[async_trait]
impl Store for FakeStore {
    async fn apply(&self, records: &[Record], _: Origin) -> Result<()> {
        let has = |names: &Mutex<HashSet<Key>>| {
            let names = names.lock().unwrap();
            records.iter().any(|record| names.contains(&record.key))
        };
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_most.fetch_max(running, Ordering::SeqCst);
        self.largest.fetch_max(records.len(), Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        if has(&self.fails) || self.is_unavailable.load(Ordering::SeqCst) {
            return Err(unavailable(Part::Database));
        }
        if has(&self.locked) {
            return Err(Error::Locked);
        }
        let mut rows = self.rows.lock().unwrap();
        for record in records {
            let row = rows.entry(record.key.clone()).or_default();
            *row = record.version.max(*row);
        }
        Ok(())
    }

    async fn transact(&self, _: &[Proposal], _: Option<Epoch>) -> Result<Vec<Decision>> {
        Err(unavailable(Part::Database))
    }

    async fn locks(&self, keys: &[Key]) -> Result<Locks> {
        let locked = self.locked.lock().unwrap();
        let found = keys.iter().filter(|key| locked.contains(key)).cloned();
        Ok(Locks {
            locked: found.collect(),
            absent: HashSet::new(),
        })
    }

    async fn load(&self, _: &Key) -> Result<Option<Record>> {
        Err(unavailable(Part::Database))
    }

    async fn versions(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        Ok(self.rows.lock().unwrap().clone())
    }

    async fn page(&self, _: Option<&Key>, _: u32) -> Result<Page> {
        Err(unavailable(Part::Database))
    }

    async fn newest_version(&self) -> Result<Version> {
        match self.is_unavailable.load(Ordering::SeqCst) {
            true => Err(unavailable(Part::Database)),
            false => Ok(Version::ZERO),
        }
    }

    async fn purged_through(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn purge(&self, _: Purge) -> Result<Purged> {
        Err(unavailable(Part::Database))
    }

    fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    async fn health(&self) -> PartHealth {
        health()
    }
}

fn cache() -> Arc<dyn Cache> {
    let lifetimes = Lifetimes {
        clean: MINUTE,
        absent: MINUTE,
        in_doubt: MINUTE,
        fill: MINUTE,
    };
    Arc::new(MemoryCache::new(1 << 20, lifetimes))
}

struct Place {
    journal: Arc<FakeJournal>,
    store: Arc<FakeStore>,
    drain: Drain,
}

impl Place {
    /// With so many entries that wait, each of its own name.
    fn new(entries: usize) -> Place {
        let journal = Arc::new(FakeJournal::waiting_with(0, entries));
        let store = Arc::new(FakeStore::default());
        let wake = Wake::new(Arc::new(Sole::new(1)), 1);
        let (progressed, _) = watch::channel(());
        let parts = (cache(), journal.clone() as _, store.clone() as _);
        let drain = Drain::new(parts, wake, progressed, u64::MAX);
        Place {
            journal,
            store,
            drain,
        }
    }

    async fn step(&self) -> Result<Drained> {
        self.drain.once(SHARD, ROWS).await
    }

    /// All that the journal has forgotten is in the database.
    fn assert_nothing_is_lost(&self, entries: usize) {
        let waiting: HashSet<u64> = self.journal.versions().into_iter().collect();
        let rows = self.store.rows.lock().unwrap();
        for number in (1..=entries).filter(|number| !waiting.contains(&(*number as u64))) {
            assert_eq!(rows.get(&name(number)), Some(&version(number)), "{number}");
        }
    }

    async fn drains_all(&self) {
        while self.step().await.unwrap().entries > 0 {}
        assert_eq!(self.journal.versions(), [0; 0]);
    }
}

#[tokio::test]
async fn a_batch_is_acknowledged_while_the_next_is_applied() {
    const ENTRIES: usize = 2 * STEP + 1;
    let place = Place::new(ENTRIES);
    let first = place.step().await.unwrap();
    assert_eq!((first.entries, first.acknowledged), (STEP, 0));
    assert!(first.is_behind);
    let applied = |number| place.drain.has_reached(SHARD, version(number), &[name(1)]);
    assert!(applied(STEP) && !applied(STEP + 1));
    assert!(!place.drain.has_reached(SHARD, version(1), &[]));
    let second = place.step().await.unwrap();
    assert_eq!((second.entries, second.acknowledged), (STEP, STEP));
    place.assert_nothing_is_lost(ENTRIES);
    // Nothing is behind the last one, so it is acknowledged at once.
    let last = place.step().await.unwrap();
    assert_eq!((last.entries, last.acknowledged), (1, STEP + 1));
    assert!(!last.is_behind);
    assert!(place.drain.has_reached(SHARD, version(ENTRIES), &[]));
    assert_eq!(place.journal.versions(), [0; 0]);
}

#[tokio::test]
async fn one_statement_of_bounded_size_is_under_way() {
    let place = Place::new(5 * STEP);
    place.drains_all().await;
    let store = &place.store;
    assert_eq!(store.largest.load(Ordering::SeqCst), ROWS);
    assert_eq!(store.running_most.load(Ordering::SeqCst), 1);
    place.assert_nothing_is_lost(5 * STEP);
}

#[tokio::test]
async fn a_failed_statement_acknowledges_nothing_of_its_batch() {
    let place = Place::new(3 * STEP);
    let failing = name(STEP + 3);
    place.store.fails.lock().unwrap().insert(failing);
    place.step().await.unwrap();
    place.step().await.unwrap_err();
    place.assert_nothing_is_lost(3 * STEP);
    let second: Vec<u64> = (STEP as u64 + 1..=3 * STEP as u64).collect();
    assert_eq!(place.journal.versions(), second, "the first batch is done");
    // Also where it fails again.
    place.step().await.unwrap_err();
    assert_eq!(place.journal.versions(), second);
    place.store.fails.lock().unwrap().clear();
    place.drains_all().await;
    place.assert_nothing_is_lost(3 * STEP);
}

#[tokio::test]
async fn entries_before_one_that_cannot_be_read_are_drained() {
    let place = Place::new(3 * STEP);
    let broken = STEP + 3;
    place.journal.broken_from.store(broken, Ordering::SeqCst);
    while place.step().await.is_ok() {}
    let left = place.journal.versions();
    assert_eq!(left.first(), Some(&(broken as u64)), "{left:?}");
    place.assert_nothing_is_lost(3 * STEP);
    place.journal.broken_from.store(0, Ordering::SeqCst);
    place.drains_all().await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_acknowledged_is_drained_again() {
    let place = Place::new(3 * STEP);
    place.step().await.unwrap();
    place.journal.acknowledges.store(false, Ordering::SeqCst);
    place.step().await.unwrap_err();
    // Its server has come back with other entries. What was read before is none of them.
    place.journal.acknowledges.store(true, Ordering::SeqCst);
    place.store.rows.lock().unwrap().clear();
    place.drains_all().await;
    place.assert_nothing_is_lost(3 * STEP);
}

#[tokio::test(start_paused = true)]
async fn a_locked_row_holds_back_only_what_is_newer() {
    let place = Place::new(3 * STEP);
    let locked = STEP + 3;
    place.store.locked.lock().unwrap().insert(name(locked));
    while place.step().await.unwrap().entries > 0 {}
    let left = place.journal.versions();
    assert_eq!(left.first(), Some(&(locked as u64)));
    let others = place.store.rows.lock().unwrap().len();
    assert_eq!(others, 3 * STEP - 1);
    let reached = |number| {
        let (version, key) = (version(3 * STEP), name(number));
        place
            .drain
            .has_reached(SHARD, version, std::slice::from_ref(&key))
    };
    assert!(reached(locked + 1) && !reached(locked));
    place.store.locked.lock().unwrap().clear();
    while !place.journal.versions().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        place.step().await.unwrap();
    }
    place.assert_nothing_is_lost(3 * STEP);
}

#[tokio::test]
async fn entries_of_one_name_become_one_row() {
    let place = Place::new(8 * ROWS);
    for record in place.journal.waiting().iter_mut() {
        record.key = name(1);
    }
    let step = place.step().await.unwrap();
    assert_eq!((step.entries, step.rows), (8 * ROWS, 1));
    assert_eq!(place.journal.versions(), [0; 0]);
}

#[tokio::test]
async fn an_empty_journal_is_not_acknowledged() {
    let place = Place::new(0);
    assert_eq!(place.step().await.unwrap(), Drained::default());
    let acknowledgements = &place.journal.acknowledgements;
    assert_eq!(acknowledgements.load(Ordering::SeqCst), 0);
}
