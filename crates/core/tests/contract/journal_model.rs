//! A random history of a journal beside a queue that forgets nothing.

use std::collections::{BTreeMap, VecDeque};

use cache_core::journal::Journal;
use cache_core::model::record::{Record, Write};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::suite::version;
use crate::{Implementation, acknowledge, append, put, remove, shards};

const NAMES: [&str; 5] = ["Ann", "Bob", "Cleo", "Zoë", "👍🏽"];

/// One step. An index picks among the shards or among what waits.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Name and length of the body of each write; 0 for a tombstone.
    Append(Vec<(usize, usize)>),
    Read {
        shard: Index,
        after: Index,
        max: usize,
    },
    Acknowledge {
        shard: Index,
        through: Index,
    },
    Raise {
        by: u64,
    },
    Reopen,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => vec((0..NAMES.len(), 0usize..120), 1..6).prop_map(Step::Append),
        4 => (any::<Index>(), any::<Index>(), 1usize..9)
            .prop_map(|(shard, after, max)| Step::Read { shard, after, max }),
        4 => (any::<Index>(), any::<Index>())
            .prop_map(|(shard, through)| Step::Acknowledge { shard, through }),
        1 => (0u64..5_000_000).prop_map(|by| Step::Raise { by }),
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..40)
}

#[derive(Debug, Default)]
struct Model {
    /// What waits in each shard, oldest first.
    waiting: BTreeMap<Shard, VecDeque<Record>>,
    newest: BTreeMap<Shard, Version>,
    floor: Version,
}

/// Takes the steps, and compares everything after each.
pub(crate) async fn run(implementation: Implementation, steps: Vec<Step>) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Reopen => {
                drop(journal);
                journal = place.open().await;
                // Only what was appended keeps a floor.
                model.floor = Version::ZERO;
            }
            step => model.take(&*journal, step).await,
        }
        model.compare(&*journal).await;
    }
}

impl Model {
    async fn take(&mut self, journal: &dyn Journal, step: Step) {
        match step {
            Step::Append(writes) => self.append(journal, &writes).await,
            Step::Read { shard, after, max } => {
                let shard = self.pick(journal, shard);
                let waiting = self.waiting.entry(shard).or_default();
                // After nothing, or after any entry that waits.
                let start = after.index(waiting.len() + 1);
                let after = match start {
                    0 => Version::ZERO,
                    _ => waiting[start - 1].version,
                };
                let read = journal.read(shard, after, max).await.unwrap();
                let expected: Vec<Record> = waiting.iter().skip(start).take(max).cloned().collect();
                assert_eq!(read, expected);
            }
            Step::Acknowledge { shard, through } => {
                let shard = self.pick(journal, shard);
                let waiting = self.waiting.entry(shard).or_default();
                if !waiting.is_empty() {
                    let count = 1 + through.index(waiting.len());
                    let acknowledged: Vec<Record> = waiting.drain(..count).collect();
                    acknowledge(journal, shard, &acknowledged).await;
                }
            }
            Step::Raise { by } => {
                self.floor = version(Version::now().get() + by);
                journal.raise(&self.floor).await.unwrap();
            }
            Step::Reopen => {}
        }
    }

    async fn append(&mut self, journal: &dyn Journal, writes: &[(usize, usize)]) {
        let writes: Vec<Write> = writes
            .iter()
            .map(|(name, length)| match length {
                0 => remove(NAMES[*name]),
                length => put(NAMES[*name], &"b".repeat(*length)),
            })
            .collect();
        for record in append(journal, &writes).await {
            let shard = journal.shard_of(&record.key);
            assert!(
                record.version > self.floor,
                "{record:?} below {}",
                self.floor
            );
            let before = self.newest.insert(shard, record.version);
            assert!(before < Some(record.version), "{record:?} after {before:?}");
            self.waiting.entry(shard).or_default().push_back(record);
        }
    }

    /// One of the shards that the names are in.
    fn pick(&self, journal: &dyn Journal, which: Index) -> Shard {
        let name = which.get(&NAMES);
        journal.shard_of(&(*name).into())
    }

    async fn compare(&self, journal: &dyn Journal) {
        for stats in journal.stats().await.unwrap() {
            let waiting = self.waiting.get(&stats.shard);
            let depth = waiting.map_or(0, VecDeque::len);
            let oldest = waiting
                .and_then(VecDeque::front)
                .map(|record| record.version);
            assert_eq!((stats.depth, stats.oldest), (depth as u64, oldest));
            assert_eq!(stats.bytes > 0, depth > 0);
            assert!(stats.newest >= self.newest.get(&stats.shard).copied());
        }
        for shard in shards(journal) {
            let Some(waiting) = self.waiting.get(&shard) else {
                continue;
            };
            let read = journal.read(shard, Version::ZERO, 1_000).await.unwrap();
            assert!(read.iter().eq(waiting), "{read:?}, not {waiting:?}");
        }
    }
}
