//! The entries of a shard that were read and are not acknowledged, while some of them wait
//! for rows that another transaction has locked.
//!
//! The journal forgets a prefix only. So what is newer than an entry that waits stays in
//! the journal although the database has it, and the window knows that it has. The window
//! is in memory: after an error, a restart, or the loss of the lease the entries are read
//! and applied again, which changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::SystemTime;

use crate::engine::apply::AppliedBatch;
use crate::engine::write_behind::drainer::attempt::Attempt;
use crate::engine::write_behind::drainer::prefix::Prefix;
use crate::model::record::{Key, Record};
use crate::model::version::Version;

/// Most entries in a window. A drain whose window is full reads no more until the oldest
/// entry is in the database.
const WINDOW_MAX: usize = 65_536;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// Of the keys that are locked, what is not in the database yet.
    waiting: BTreeMap<Key, Vec<Record>>,
    /// The attempt to apply what waits that is under way.
    pub(super) attempt: Option<Attempt>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    version: Version,
    state: EntryState,
}

#[derive(Clone, Copy, Debug)]
enum EntryState {
    Waits,
    /// The database has it or something newer of its key, since this time.
    Committed(Version),
    /// It is a dead letter.
    Dead,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The newest version that was read, zero when the window is empty.
    pub(super) fn read_through(&self) -> Version {
        let newest = self.entries.back();
        newest.map_or(Version::ZERO, |entry| entry.version)
    }

    /// How many entries more may be read.
    pub(super) fn room(&self) -> usize {
        WINDOW_MAX.saturating_sub(self.entries.len())
    }

    /// The keys that wait.
    pub(super) fn locked(&self) -> impl Iterator<Item = &Key> {
        self.waiting.keys()
    }

    /// Whether an entry of `key` waits; a newer one must wait with it.
    pub(super) fn waits_for(&self, key: &Key) -> bool {
        self.waiting.contains_key(key)
    }

    /// All that waits.
    pub(super) fn waiting(&self) -> &BTreeMap<Key, Vec<Record>> {
        &self.waiting
    }

    /// What the last attempt to apply what waits came to, and when that began; once.
    pub(super) fn attempted(&mut self) -> Option<(AppliedBatch, SystemTime)> {
        let attempt = self.attempt.as_mut()?;
        let attempted = (attempt.outcome()?, attempt.began);
        self.attempt = None;
        Some(attempted)
    }

    /// Takes in entries that were read. They wait until [`Window::settle`].
    pub(super) fn push(&mut self, records: Vec<Record>) {
        for record in records {
            debug_assert!(
                record.version > self.read_through(),
                "versions ascend within a window"
            );
            self.entries.push_back(Entry {
                key: record.key.clone(),
                version: record.version,
                state: EntryState::Waits,
            });
            let waiting = self.waiting.entry(record.key.clone()).or_default();
            waiting.push(record);
        }
    }

    /// What was applied, or set aside, waits no longer. Returns what came of these keys
    /// while it was under way, and has to be applied next.
    pub(super) fn settle(&mut self, applied: &AppliedBatch, at: Version) -> Vec<Record> {
        let rows = applied.rows.iter();
        let rows: HashMap<&Key, Version> = rows.map(|row| (&row.key, row.version)).collect();
        let dead = applied.refused.iter();
        let dead: HashSet<Version> = dead.map(|(record, _)| record.version).collect();
        let is_committed = |key: &Key, version| rows.get(key).is_some_and(|row| version <= *row);
        for entry in &mut self.entries {
            if !matches!(entry.state, EntryState::Waits) {
                continue;
            }
            if dead.contains(&entry.version) {
                entry.state = EntryState::Dead;
            } else if is_committed(&entry.key, entry.version) {
                entry.state = EntryState::Committed(at);
            }
        }
        let locked: HashSet<&Key> = applied.locked.iter().map(|record| &record.key).collect();
        let mut next = Vec::new();
        let refused = applied.refused.iter().map(|(record, _)| &record.key);
        let attempted: BTreeSet<&Key> = rows.keys().copied().chain(refused).collect();
        for key in attempted {
            let Some(mut left) = self.waiting.remove(key) else {
                continue;
            };
            left.retain(|record| {
                !dead.contains(&record.version) && !is_committed(key, record.version)
            });
            if left.is_empty() {
                continue;
            }
            if !locked.contains(key) {
                next.extend(left.iter().cloned());
            }
            self.waiting.insert(key.clone(), left);
        }
        next
    }

    /// The oldest entries up to the first one that waits, at most `max`.
    pub(super) fn prefix(&self, max: usize) -> Option<Prefix> {
        let mut prefix = Prefix {
            entries: 0,
            through: Version::ZERO,
            flushed: Vec::new(),
            committed: Vec::new(),
        };
        let mut flushed: HashMap<&Key, Version> = HashMap::new();
        for entry in self.entries.iter().take(max) {
            match entry.state {
                EntryState::Waits => break,
                EntryState::Committed(at) => {
                    flushed.insert(&entry.key, entry.version);
                    prefix.committed.push((entry.version, at));
                }
                EntryState::Dead => {}
            }
            prefix.entries += 1;
            prefix.through = entry.version;
        }
        let flushed = flushed.into_iter();
        prefix.flushed = flushed
            .map(|(key, version)| (key.clone(), version))
            .collect();
        prefix.flushed.sort_unstable();
        (prefix.entries > 0).then_some(prefix)
    }

    /// The journal has forgotten the oldest `entries`.
    pub(super) fn forget(&mut self, entries: usize) {
        self.entries.drain(..entries.min(self.entries.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::write_behind::drainer::samples::{record, version};

    fn applied(rows: &[(&str, u64)]) -> AppliedBatch {
        let rows = rows.iter().map(|(key, number)| record(key, *number));
        AppliedBatch {
            rows: rows.collect(),
            ..AppliedBatch::default()
        }
    }

    fn through(window: &Window) -> Option<u64> {
        window.prefix(100).map(|prefix| prefix.through.get())
    }

    #[test]
    fn only_what_is_older_than_all_that_waits_is_acknowledged() {
        let mut window = Window::default();
        window.push(vec![record("a", 1), record("x", 2), record("b", 3)]);
        assert_eq!(through(&window), None);
        assert_eq!(
            window.settle(&applied(&[("a", 1), ("b", 3)]), version(9)),
            []
        );
        assert_eq!(through(&window), Some(1));
        window.forget(1);
        assert_eq!(through(&window), None);
        assert_eq!(window.read_through(), version(3));
        window.settle(&applied(&[("x", 2)]), version(9));
        let prefix = window.prefix(1).unwrap();
        assert_eq!((prefix.entries, prefix.through), (1, version(2)));
        assert_eq!(through(&window), Some(3));
        window.forget(2);
        assert_eq!(
            (window.is_empty(), window.read_through()),
            (true, Version::ZERO)
        );
    }

    #[test]
    fn what_came_during_an_attempt_is_applied_next() {
        let mut window = Window::default();
        window.push(vec![record("x", 1), record("x", 2)]);
        window.push(vec![record("x", 3)]);
        assert_eq!(
            window.settle(&applied(&[("x", 2)]), version(9)),
            [record("x", 3)]
        );
        assert!(window.waits_for(&Key::from("x")));
        assert_eq!(through(&window), Some(2));
        assert_eq!(window.settle(&applied(&[("x", 3)]), version(9)), []);
        assert!(!window.waits_for(&Key::from("x")));
        assert_eq!(through(&window), Some(3));
    }

    #[test]
    fn an_older_write_waits_where_the_newer_one_is_refused() {
        let mut window = Window::default();
        window.push(vec![record("x", 1), record("x", 2)]);
        let refused = AppliedBatch {
            refused: vec![(record("x", 2), "no".into())],
            locked: vec![record("x", 1)],
            ..AppliedBatch::default()
        };
        assert_eq!(window.settle(&refused, version(9)), []);
        assert_eq!(window.waiting().values().flatten().count(), 1);
        window.settle(&applied(&[("x", 1)]), version(9));
        let prefix = window.prefix(100).unwrap();
        assert_eq!(prefix.through, version(2));
        assert_eq!(prefix.flushed, [(Key::from("x"), version(1))]);
        assert_eq!(prefix.committed, [(version(1), version(9))]);
    }
}
