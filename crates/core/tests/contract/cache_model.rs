//! A random history of a cache between readers, two kinds of writers and a
//! database, and what every read of it must be.

use std::collections::HashMap;

use bytes::Bytes;
use cache_core::cache::{Cache, FillStart, FillTicket, Lookup};
use cache_core::model::record::{Key, Record};
use cache_core::model::version::Version;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::suite::{issued, version};
use crate::{Implementation, LONG_LIFETIMES};

const KEYS: usize = 3;

/// One step. An index picks among what earlier steps left behind; a step that
/// has nothing to pick is skipped.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A journal took a write, whose version is so much newer than all others.
    PutDirty {
        key: usize,
        newer_by: u64,
        tombstone: bool,
    },
    /// The same record once more.
    PutDirtyAgain(Index),
    /// The database took a record from the journal.
    Flush(Index),
    BeginWrite(Vec<usize>),
    /// The database committed a write.
    Commit(Index),
    /// The cache is told so.
    Settle(Index),
    /// A reader takes a ticket and reads the database.
    BeginFill(usize),
    /// That reader, perhaps much later.
    Fill(Index),
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..KEYS, 1u64..50, prop::bool::weighted(0.3))
            .prop_map(|(key, newer_by, tombstone)| Step::PutDirty { key, newer_by, tombstone }),
        2 => any::<Index>().prop_map(Step::PutDirtyAgain),
        2 => any::<Index>().prop_map(Step::Flush),
        3 => vec(0..KEYS, 1..4).prop_map(Step::BeginWrite),
        3 => any::<Index>().prop_map(Step::Commit),
        4 => any::<Index>().prop_map(Step::Settle),
        4 => (0..KEYS).prop_map(Step::BeginFill),
        3 => any::<Index>().prop_map(Step::Fill),
    ];
    vec(step, 1..50)
}

#[derive(Debug, Default)]
struct Model {
    /// What the database holds.
    stored: HashMap<Key, Record>,
    put: Vec<Record>,
    begun: Vec<Record>,
    readers: Vec<Reader>,
    /// What the cache was given of each key.
    given: Vec<Record>,
    /// The newest version of each key that a writer was told of or a reader saw.
    seen: HashMap<Key, Version>,
    newest: Version,
}

#[derive(Clone, Debug)]
struct Reader {
    ticket: FillTicket,
    read: Record,
    valid: bool,
}

/// Takes the steps, and reads every key after each.
pub(crate) async fn run(implementation: Implementation, steps: Vec<Step>) {
    let cache = implementation.cache(LONG_LIFETIMES).await;
    let mut model = Model::default();
    for step in steps {
        model.take(&*cache, step).await;
        for key in keys() {
            model.read(&*cache, key).await;
        }
    }
}

fn keys() -> [Key; KEYS] {
    ["Ann", "Bob", "Zoë"].map(Key::from)
}

impl Model {
    async fn take(&mut self, cache: &dyn Cache, step: Step) {
        match step {
            Step::PutDirty {
                key,
                newer_by,
                tombstone,
            } => {
                let version = version(self.newest.get() + newer_by);
                let record = record(&keys()[key], version, tombstone);
                // Journal and cache share their clock.
                cache.raise(&version).await.unwrap();
                self.newest = version;
                self.put.push(record.clone());
                self.put_dirty(cache, record).await;
            }
            Step::PutDirtyAgain(which) => {
                if let Some(record) = pick(&self.put, which) {
                    self.put_dirty(cache, record).await;
                }
            }
            Step::Flush(which) => {
                if let Some(record) = pick(&self.put, which) {
                    self.store(&record);
                    cache
                        .mark_clean(&[(record.key, record.version)])
                        .await
                        .unwrap();
                }
            }
            Step::BeginWrite(picked) => {
                let keys: Vec<Key> = picked.iter().map(|key| keys()[*key].clone()).collect();
                let issued = issued(cache.begin_write(&keys).await).unwrap();
                for (key, version) in keys.iter().zip(issued) {
                    let newest_of_key = self.newest_of(key);
                    assert!(newest_of_key < version, "{version} after {newest_of_key}");
                    self.newest = self.newest.max(version);
                    self.begun
                        .push(record(key, version, version.get() % 3 == 0));
                    self.void_tickets(key);
                }
            }
            Step::Commit(which) => {
                if let Some(record) = pick(&self.begun, which) {
                    self.store(&record);
                }
            }
            Step::Settle(which) => {
                if let Some(record) = pick(&self.begun, which) {
                    self.store(&record);
                    self.give(&record);
                    self.void_tickets(&record.key);
                    cache.settle(std::slice::from_ref(&record)).await.unwrap();
                    self.saw(&record);
                }
            }
            Step::BeginFill(key) => self.begin_fill(cache, &keys()[key]).await,
            Step::Fill(which) => self.fill(cache, which).await,
        }
    }

    async fn put_dirty(&mut self, cache: &dyn Cache, record: Record) {
        self.give(&record);
        self.void_tickets(&record.key);
        cache
            .put_dirty(std::slice::from_ref(&record))
            .await
            .unwrap();
        self.saw(&record);
    }

    async fn begin_fill(&mut self, cache: &dyn Cache, key: &Key) {
        let held = cache.get(key).await.unwrap();
        let waiting = self
            .readers
            .iter()
            .any(|reader| reader.valid && reader.read.key == *key);
        match cache.begin_fill(key).await.unwrap() {
            FillStart::Granted(ticket) => {
                assert_eq!((held, waiting), (Lookup::Miss, false));
                let read = self.stored_or_absent(key);
                self.readers.push(Reader {
                    ticket,
                    read,
                    valid: true,
                });
            }
            FillStart::Busy => assert_eq!((held, waiting), (Lookup::Miss, true)),
            FillStart::Found(found) => assert_eq!(found, held),
        }
    }

    async fn fill(&mut self, cache: &dyn Cache, which: Index) {
        let Some(reader) = pick(&self.readers, which) else {
            return;
        };
        let filled = cache.fill(reader.ticket, &reader.read).await.unwrap();
        assert_eq!(filled, reader.valid, "a fill by {reader:?}");
        if filled {
            self.give(&reader.read);
            self.newest = self.newest.max(reader.read.version);
        }
        for other in self
            .readers
            .iter_mut()
            .filter(|other| other.ticket == reader.ticket)
        {
            other.valid = false;
        }
    }

    /// Reads as the engines do.
    async fn read(&mut self, cache: &dyn Cache, key: Key) {
        let stored = self.stored_or_absent(&key);
        let lookup = cache.get(&key).await.unwrap();
        let read = match &lookup {
            Lookup::Hit(record) | Lookup::InDoubt(Some(record)) => {
                assert!(self.given.contains(record), "{lookup:?} was never given");
                let in_doubt = matches!(lookup, Lookup::InDoubt(_));
                if in_doubt && stored.version > record.version {
                    stored
                } else {
                    record.clone()
                }
            }
            Lookup::InDoubt(None) | Lookup::Miss => stored,
        };
        let seen = self.seen.get(&key).copied().unwrap_or_default();
        assert!(
            read.version >= seen,
            "{read:?} from {lookup:?} though {seen} was seen"
        );
        self.saw(&read);
    }

    /// The database's guard: the newer wins.
    fn store(&mut self, record: &Record) {
        if record.version > self.stored_or_absent(&record.key).version {
            self.stored.insert(record.key.clone(), record.clone());
        }
    }

    fn stored_or_absent(&self, key: &Key) -> Record {
        self.stored
            .get(key)
            .cloned()
            .unwrap_or_else(|| Record::absent(key.clone()))
    }

    fn give(&mut self, record: &Record) {
        self.given.push(record.clone());
    }

    fn saw(&mut self, record: &Record) {
        let seen = self.seen.entry(record.key.clone()).or_default();
        *seen = record.version.max(*seen);
    }

    fn newest_of(&self, key: &Key) -> Version {
        let of_key = self
            .put
            .iter()
            .chain(&self.begun)
            .filter(|record| record.key == *key);
        of_key
            .map(|record| record.version)
            .max()
            .unwrap_or_default()
    }

    fn void_tickets(&mut self, key: &Key) {
        for reader in self
            .readers
            .iter_mut()
            .filter(|reader| reader.read.key == *key)
        {
            reader.valid = false;
        }
    }
}

/// The body tells versions apart.
fn record(key: &Key, version: Version, tombstone: bool) -> Record {
    let body = (!tombstone).then(|| Bytes::from(format!("{version} of {}", key.as_str())));
    Record {
        key: key.clone(),
        version,
        body,
    }
}

fn pick<T: Clone>(from: &[T], which: Index) -> Option<T> {
    (!from.is_empty()).then(|| which.get(from).clone())
}
