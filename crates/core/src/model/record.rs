//! What flows through cache, journal and engines: a key, a version, and a body
//! or a tombstone. None of them knows what a body means.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::trace_context::TraceContext;
use crate::model::version::Version;

/// What a record is identified by; equal when equal byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        Key(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Key {
        Key(text.into())
    }
}

/// Keys are personal data and stay out of logs, so `Debug` does not show them.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({} bytes)", self.0.len())
    }
}

/// One version of one key.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose version this is.
    pub key: Key,
    /// The newer wins.
    pub version: Version,
    /// `None` is a tombstone: from this version on the key has no value.
    pub body: Option<Bytes>,
}

impl Record {
    /// The record of a key that was never written: any write is newer.
    pub fn absent(key: Key) -> Record {
        Record {
            key,
            version: Version::ZERO,
            body: None,
        }
    }

    /// Bytes of key and body.
    pub fn size_bytes(&self) -> usize {
        self.key.as_str().len() + self.body.as_ref().map_or(0, Bytes::len)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_ref().map_or("tombstone".to_owned(), |body| {
            format!("{} bytes", body.len())
        });
        write!(formatter, "Record({:?} @{} {body})", self.key, self.version)
    }
}

/// The newest record of each key, in the order of the keys (so that every
/// writer to a database takes its row locks in the same order).
pub fn newest_per_key(records: impl IntoIterator<Item = Record>) -> Vec<Record> {
    let mut newest: HashMap<Key, Record> = HashMap::new();
    for record in records {
        match newest.entry(record.key.clone()) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(record);
            }
            std::collections::hash_map::Entry::Occupied(mut held) => {
                if record.version > held.get().version {
                    held.insert(record);
                }
            }
        }
    }
    let mut newest: Vec<Record> = newest.into_values().collect();
    newest.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    newest
}

/// What must hold for a write to take place, judged in the order of versions
/// (the preconditions of RFC 9110, section 13.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The key has a value, not a tombstone or nothing.
    Exists,
    /// The key has no value: a tombstone, or it was never written.
    Absent,
    /// The key has a value, and its version is one of these.
    Is(Arc<[Version]>),
    /// The key has no value, or its version is none of these.
    IsNot(Arc<[Version]>),
}

impl Condition {
    /// Whether the condition holds when the key's current record is `current`.
    pub fn holds(&self, current: &Record) -> bool {
        let exists = current.body.is_some();
        match self {
            Condition::Always => true,
            Condition::Exists => exists,
            Condition::Absent => !exists,
            Condition::Is(versions) => exists && versions.contains(&current.version),
            Condition::IsNot(versions) => !exists || !versions.contains(&current.version),
        }
    }
}

/// A write that has no version yet.
#[derive(Clone, Debug)]
pub struct Write {
    /// What to write.
    pub key: Key,
    /// `None` deletes.
    pub body: Option<Bytes>,
    /// What must hold for it.
    pub condition: Condition,
    /// The trace of its request, if that is traced.
    pub trace: Option<TraceContext>,
}

impl Write {
    /// An unconditional write of a value.
    pub fn put(key: Key, body: Bytes) -> Write {
        Write {
            key,
            body: Some(body),
            condition: Condition::Always,
            trace: None,
        }
    }

    /// A delete of a value that exists.
    pub fn delete(key: Key) -> Write {
        Write {
            key,
            body: None,
            condition: Condition::Exists,
            trace: None,
        }
    }

    /// The same, as part of that trace.
    #[must_use]
    pub fn traced(self, trace: Option<TraceContext>) -> Write {
        Write { trace, ..self }
    }

    /// Bytes of key and body.
    pub fn size_bytes(&self) -> usize {
        self.key.as_str().len() + self.body.as_ref().map_or(0, Bytes::len)
    }

    /// The record that this write becomes at `version`.
    pub fn at(&self, version: Version) -> Record {
        Record {
            key: self.key.clone(),
            version,
            body: self.body.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let record =
            ("[a-c]", 0u64..50, prop::option::of("[x-z]{1,3}")).prop_map(|(key, version, body)| {
                Record {
                    key: Key::from(key.as_str()),
                    version: Version::new(version).unwrap(),
                    body: body.map(Bytes::from),
                }
            });
        // One version is issued once, so no two records share key and version.
        prop::collection::vec(record, 0..60).prop_map(|mut records| {
            let mut seen = std::collections::HashSet::new();
            records.retain(|record| seen.insert((record.key.clone(), record.version)));
            records
        })
    }

    proptest! {
        /// The rule that makes recovery simple: neither order nor repetition
        /// changes what is newest.
        #[test]
        fn order_and_repetition_do_not_change_the_newest(
            (once, again) in records().prop_flat_map(|records| {
                let twice = [records.clone(), records.clone()].concat();
                (Just(records), Just(twice).prop_shuffle())
            })
        ) {
            prop_assert_eq!(newest_per_key(once), newest_per_key(again));
        }

        #[test]
        fn nothing_is_newer_than_the_newest(records in records()) {
            let newest = newest_per_key(records.clone());
            for record in &records {
                let held = newest.iter().find(|held| held.key == record.key).unwrap();
                prop_assert!(held.version >= record.version);
            }
            prop_assert!(newest.iter().all(|held| records.contains(held)));
        }
    }

    #[test]
    fn a_condition_holds_for_what_it_names() {
        let key = || Key::from("a");
        let seven = Version::new(7).unwrap();
        let there = Write::put(key(), Bytes::from("x")).at(seven);
        let gone = Write::delete(key()).at(seven);
        let never = Record::absent(key());
        let unversioned = Write::put(key(), Bytes::from("x")).at(Version::ZERO);
        let versions = |numbers: &[u64]| numbers.iter().copied().filter_map(Version::new).collect();
        let is = |numbers: &[u64]| Condition::Is(versions(numbers));
        let is_not = |numbers: &[u64]| Condition::IsNot(versions(numbers));
        for (condition, expected) in [
            (Condition::Always, [true, true, true, true]),
            (Condition::Exists, [true, false, false, true]),
            (Condition::Absent, [false, true, true, false]),
            (is(&[]), [false, false, false, false]),
            (is(&[7]), [true, false, false, false]),
            (is(&[8, 7, 6]), [true, false, false, false]),
            (is(&[0]), [false, false, false, true]),
            (is_not(&[]), [true, true, true, true]),
            (is_not(&[7]), [false, true, true, true]),
            (is_not(&[8, 7, 6]), [false, true, true, true]),
            (is_not(&[0]), [true, true, true, false]),
        ] {
            for (record, expected) in [&there, &gone, &never, &unversioned].iter().zip(expected) {
                assert_eq!(
                    condition.holds(record),
                    expected,
                    "{condition:?} {record:?}"
                );
            }
        }
    }

    #[test]
    fn debug_shows_neither_key_nor_body() {
        let record = Write::put(Key::from("Jane"), Bytes::from("secret")).at(Version::ZERO);
        let shown = format!("{record:?} {:?}", record.key);
        assert!(
            !shown.contains("Jane") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
