//! Random batches of conditional writes beside a model of what each name is, in a journal that judges them
//! itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use cache_core::journal::Journal;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Key, Record, Write};
use cache_core::model::version::Version;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::suite::{ahead_of_the_clock, appended, key, value, version};

pub(crate) const NAMES: usize = 3;

/// A write of one of the names, and what it asks for. Versions count from the first that is issued, which is
/// 1, so that they may well be those of the same batch; 0 is that of a row which no service has written.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    name: usize,
    has_body: bool,
    sign: char,
    versions: Vec<u64>,
}

pub(crate) fn batches() -> impl Strategy<Value = Vec<Vec<Draft>>> {
    let sign = prop::sample::select(vec!['a', '+', '-', '=', '!', '=', '!']);
    let draft = (
        0..NAMES,
        prop::bool::weighted(0.7),
        sign,
        vec(0u64..20, 0..4),
    );
    let draft = draft.prop_map(|(name, has_body, sign, versions)| Draft {
        name,
        has_body,
        sign,
        versions,
    });
    vec(vec(draft, 1..8), 1..6)
}

impl Draft {
    fn write(&self, names: &[String], floor: Version) -> Write {
        let versions = self.versions.iter().map(|number| match number {
            0 => Version::ZERO,
            number => version(floor.get() + number),
        });
        let versions = versions.collect();
        Write {
            key: key(&names[self.name]),
            body: self.has_body.then(|| Bytes::from("{}")),
            condition: match self.sign {
                '+' => Condition::Exists,
                '-' => Condition::Absent,
                '=' => Condition::Is(versions),
                '!' => Condition::IsNot(versions),
                _ => Condition::Always,
            },
            trace: None,
        }
    }
}

/// What each name is before the first batch: not cached, absent, or there.
pub(crate) fn before(names: &[String]) -> [Record; NAMES - 1] {
    [
        Record::absent(key(&names[1])),
        value(&key(&names[2]), Version::ZERO, "x"),
    ]
}

/// Appends the batches to a journal whose cache holds what was before, and compares every answer. All names
/// are in one shard.
pub(crate) async fn run(journal: &dyn Journal, names: &[String], batches: Vec<Vec<Draft>>) {
    // So far that the clock only counts.
    let floor = ahead_of_the_clock();
    journal.raise(&floor).await.unwrap();
    let mut held: BTreeMap<Key, Record> = before(names)
        .into_iter()
        .map(|record| (record.key.clone(), record))
        .collect();
    let mut newest = floor;
    for batch in batches {
        let writes: Vec<Write> = batch
            .iter()
            .map(|draft| draft.write(names, floor))
            .collect();
        let expected: Vec<Decision> = writes
            .iter()
            .map(|write| {
                match (held.get(&write.key), &write.condition) {
                    (_, Condition::Always) => {}
                    (None, _) => return Decision::Retry,
                    (Some(current), condition) if !condition.holds(current) => {
                        return Decision::ConditionFailed;
                    }
                    _ => {}
                }
                newest = version(newest.get() + 1);
                held.insert(write.key.clone(), write.at(newest));
                Decision::Written(newest)
            })
            .collect();
        let answers = appended(journal.append(&writes).await).unwrap();
        assert_eq!(answers, expected, "{writes:?}");
    }
}
