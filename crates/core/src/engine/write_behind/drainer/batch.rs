//! Entries of a shard that were read together, and the newest of each key of them.

use std::collections::HashMap;

use crate::model::record::{Key, Record};
use crate::model::version::Version;

/// How much one step takes, in multiples of the rows of a statement. Entries of the same keys
/// coalesce, so there may be more entries than keys.
const KEYS_PER_ROW: usize = 2;
pub(super) const ENTRIES_PER_ROW: usize = 8;
/// Most bytes of keys and bodies in one step, up to what one read goes over it.
const BYTES_MAX: usize = 4 << 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Batch {
    records: Vec<Record>,
    /// The places of the newest.
    newest: HashMap<Key, usize>,
    bytes: usize,
    /// More may wait in the journal behind it.
    pub(super) has_more: bool,
}

/// How much a batch may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Most entries of one read, and rows of one statement.
    pub(super) rows: usize,
    entries: usize,
    keys: usize,
}

impl Room {
    /// For statements of at most `rows` rows.
    pub(super) fn new(rows: usize) -> Room {
        let rows = rows.max(1);
        Room {
            rows,
            entries: rows.saturating_mul(ENTRIES_PER_ROW),
            keys: rows.saturating_mul(KEYS_PER_ROW),
        }
    }

    /// The same, but at most so many entries.
    pub(super) fn of_entries(self, entries: usize) -> Room {
        Room {
            entries: self.entries.min(entries),
            ..self
        }
    }

    /// How many entries may be read next.
    pub(super) fn left(self, batch: &Batch) -> usize {
        let is_full = batch.newest.len() >= self.keys || batch.bytes >= BYTES_MAX;
        if is_full {
            return 0;
        }
        self.entries.saturating_sub(batch.len()).min(self.rows)
    }
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// In the order of their versions.
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// The version of the newest entry; zero when there is none.
    pub(super) fn through(&self) -> Version {
        let last = self.records.last();
        last.map_or(Version::ZERO, |last| last.version)
    }

    /// Takes in entries that come after all that it has.
    pub(super) fn extend(&mut self, records: Vec<Record>) {
        self.records.reserve(records.len());
        self.newest.reserve(records.len());
        for record in records {
            debug_assert!(
                record.version > self.through(),
                "versions above 0 ascend within a batch"
            );
            self.bytes += record.size_bytes();
            self.newest.insert(record.key.clone(), self.records.len());
            self.records.push(record);
        }
    }

    /// The newest of each key, in the order of the keys.
    pub(super) fn newest(&self) -> Vec<Record> {
        let places = self.newest.values();
        let newest = places.filter_map(|place| self.records.get(*place)).cloned();
        let mut newest: Vec<Record> = newest.collect();
        newest.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        newest
    }
}
