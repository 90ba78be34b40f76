//! A server that holds journal and cache, as processes share it.

use std::collections::{BTreeMap, VecDeque};

use cache_core::model::record::{Key, Record};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use tokio::time::Instant;

use crate::oracle::Fact;
use crate::world::{Log, State, World};

/// How many of its states a server may fall back to.
const SAVED_MAX: usize = 6;

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Clean(Record),
    Dirty(Record),
    Filling(u64),
}

#[derive(Debug)]
pub(crate) struct Server {
    /// Counts its starts. A cache is of one run, a clock as well.
    pub(crate) run: u64,
    pub(crate) clocks: Vec<Option<Version>>,
    pub(crate) cache: BTreeMap<Key, Entry>,
    /// Whether it has lost something since its clocks were raised by the database.
    pub(crate) has_lost: bool,
    pub(crate) next_ticket: u64,
    pub(crate) unavailable_until: Option<Instant>,
    pub(crate) drained: Vec<u64>,
    /// By shard: entries up to this version were appended before this run.
    recovered: Vec<Version>,
    lasting: Lasting,
    saved: VecDeque<(Log, Lasting)>,
}

/// What survives a restart beside the journal: the clocks of the runs before, what they
/// had cached, and the newest version that each stream has had.
#[derive(Clone, Debug)]
struct Lasting {
    clocks: Vec<Version>,
    last: Vec<Version>,
    /// What was cached in these runs.
    cached: BTreeMap<Key, Entry>,
}

impl Server {
    pub(crate) fn new(shards: u16) -> Server {
        let shards = usize::from(shards);
        Server {
            run: 0,
            clocks: vec![None; shards],
            cache: BTreeMap::new(),
            has_lost: true,
            next_ticket: 0,
            unavailable_until: None,
            drained: vec![0; shards],
            recovered: vec![Version::ZERO; shards],
            lasting: Lasting {
                clocks: vec![Version::ZERO; shards],
                last: vec![Version::ZERO; shards],
                cached: BTreeMap::new(),
            },
            saved: VecDeque::new(),
        }
    }

    pub(crate) fn shards(&self) -> u16 {
        self.clocks.len() as u16
    }

    pub(crate) fn shard_of(&self, key: &Key) -> Shard {
        let sum: u16 = key.as_str().bytes().map(u16::from).sum();
        Shard(sum % self.shards())
    }

    pub(crate) fn clock(&self, shard: Shard) -> Option<Version> {
        self.clocks[usize::from(shard.0)]
    }

    pub(crate) fn appended(&mut self, shard: Shard, version: Version) {
        self.clocks[usize::from(shard.0)] = Some(version);
        self.lasting.last[usize::from(shard.0)] = version;
        self.lasting.clocks[usize::from(shard.0)] = version;
    }

    /// A shard's clock, and what it is above when it is raised.
    pub(crate) fn raise(&mut self, shard: Shard, floor: Version) {
        let place = usize::from(shard.0);
        let lasting = self.lasting.clocks[place].max(self.lasting.last[place]);
        let raised = floor
            .max(lasting)
            .max(self.clocks[place].unwrap_or_default());
        if self.clocks[place].is_none() {
            self.recovered[place] = raised;
        }
        self.clocks[place] = Some(raised);
        self.lasting.clocks[place] = raised;
    }

    /// The version that is dirty in this run or an earlier one.
    pub(crate) fn dirty(&self, key: &Key) -> Option<Version> {
        let held = [self.cache.get(key), self.lasting.cached.get(key)];
        let dirty = held.into_iter().flatten().filter_map(|entry| match entry {
            Entry::Dirty(record) => Some(record.version),
            _ => None,
        });
        dirty.max()
    }

    /// What a restart leaves.
    fn lasting(&self) -> Lasting {
        let mut lasting = self.lasting.clone();
        if self.clocks.iter().all(Option::is_some) {
            lasting.cached.clear();
        }
        lasting.cached.extend(self.cache.clone());
        lasting
    }

    /// Ends the run, and its cache with it.
    fn end_run(&mut self) {
        self.run += 1;
        self.lasting = self.lasting();
        self.clocks.fill(None);
        self.cache.clear();
    }

    /// Holds a record that only the journal has, unless it holds a newer one.
    pub(crate) fn put_dirty(&mut self, record: &Record) {
        let held = match self.cache.get(&record.key) {
            Some(Entry::Clean(held) | Entry::Dirty(held)) => held.version,
            Some(Entry::Filling(_)) | None => Version::ZERO,
        };
        if held < record.version {
            let entry = Entry::Dirty(record.clone());
            self.cache.insert(record.key.clone(), entry);
        }
    }

    pub(crate) fn mark_clean(&mut self, flushed: &[(Key, Version)]) {
        for (key, version) in flushed {
            if let Some(Entry::Dirty(held)) = self.cache.get(key)
                && held.version == *version
            {
                let held = held.clone();
                let shard = self.shard_of(key);
                if *version <= self.recovered[usize::from(shard.0)] {
                    self.cache.remove(key);
                } else {
                    self.cache.insert(key.clone(), Entry::Clean(held));
                }
            }
        }
    }
}

impl World {
    /// Remembers the server's state, to which it may fall back.
    pub(crate) fn save(&self) {
        if !self.plan.is_lossy || !self.happens(400) {
            return;
        }
        let mut state = self.lock();
        let saved = (state.log.clone(), state.server.lasting());
        state.server.saved.push_back(saved);
        if state.server.saved.len() > SAVED_MAX {
            state.server.saved.pop_front();
        }
    }

    /// The server ends and comes back: without its cache, which is of the run
    /// before, and perhaps without its newest data.
    pub(crate) fn restart_server(&self) {
        let falls_back = self.plan.is_lossy && self.happens(700);
        let lost = {
            let mut guard = self.lock();
            let state = &mut *guard;
            let server = &mut state.server;
            server.end_run();
            let saved = state.dice.usize(0..=server.saved.len());
            let saved = server.saved.drain(..).nth(saved);
            match saved {
                Some((log, lasting)) if falls_back => {
                    state.log = log;
                    server.lasting = lasting;
                    server.has_lost = true;
                    state.forget_what_is_nowhere()
                }
                _ => 0,
            }
        };
        self.note(|| format!("the server restarts; {lost} writes are lost"));
        if falls_back {
            self.clock_is_ahead();
        }
    }
}

impl State {
    /// Writes that are in neither journal nor database are lost from now on.
    pub(crate) fn forget_what_is_nowhere(&mut self) -> usize {
        let mut oracle = std::mem::take(&mut self.oracle);
        let lost = oracle.lose(|key: &Key, version: Version, fact: &Fact| {
            self.is_settled(key, version, fact.is_toxic()) || self.waits(key, version)
        });
        self.oracle = oracle;
        lost
    }
}
