//! The oldest entries of a shard that can be acknowledged.

use std::collections::HashSet;

use crate::engine::apply::AppliedBatch;
use crate::engine::write_behind::drainer::batch::Batch;
use crate::model::record::Key;
use crate::model::version::Version;
use crate::telemetry;

/// The oldest entries, none of which waits.
#[derive(Debug)]
pub(super) struct Prefix {
    pub(super) entries: usize,
    pub(super) through: Version,
    /// The newest of each key that the database has.
    pub(super) flushed: Vec<(Key, Version)>,
    /// The version of each that is no dead letter, and when it was committed.
    pub(super) committed: Vec<(Version, Version)>,
}

impl Prefix {
    /// Counts what waited for the database.
    pub(super) fn count(&self) {
        for (version, at) in &self.committed {
            telemetry::committed(std::iter::once(*version), *at);
        }
    }
}

/// All of a batch, none of which waits, in prefixes of at most `max` keys: one
/// acknowledgement holds up the journal's server, and with it all appends.
///
/// A key is in the prefix of its newest entry. So an older entry of the key may be forgotten
/// while the cache holds the newer one dirty, which then waits in the journal still.
pub(super) fn whole(
    batch: &Batch,
    applied: AppliedBatch,
    committed_at: Version,
    max: usize,
) -> Vec<Prefix> {
    let dead = applied.refused.iter();
    let dead: HashSet<Version> = dead.map(|(record, _)| record.version).collect();
    let rows = applied.rows.into_iter();
    let mut flushed: Vec<(Key, Version)> = rows.map(|row| (row.key, row.version)).collect();
    flushed.sort_unstable_by_key(|(_, version)| *version);
    let mut records = batch.records().iter().peekable();
    let mut prefixes = Vec::with_capacity(flushed.len().div_ceil(max.max(1)));
    loop {
        let rest = flushed.split_off(flushed.len().min(max.max(1)));
        let newest = flushed.last().map(|(_, version)| *version);
        let through = match newest {
            Some(newest) if !rest.is_empty() => newest,
            _ => batch.through(),
        };
        let mut prefix = Prefix {
            entries: 0,
            through,
            flushed: std::mem::replace(&mut flushed, rest),
            committed: Vec::new(),
        };
        while let Some(record) = records.next_if(|record| record.version <= through) {
            prefix.entries += 1;
            if !dead.contains(&record.version) {
                prefix.committed.push((record.version, committed_at));
            }
        }
        prefixes.push(prefix);
        if flushed.is_empty() {
            debug_assert!(records.next().is_none(), "each entry is in a prefix");
            debug_assert!(
                prefixes.is_sorted_by(|one, next| one.through < next.through),
                "a prefix ends after the one before"
            );
            return prefixes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::write_behind::drainer::samples::{record, version};

    fn batch(entries: &[(&str, u64)]) -> Batch {
        let mut batch = Batch::default();
        let records = entries.iter().map(|(key, number)| record(key, *number));
        batch.extend(records.collect());
        batch
    }

    #[test]
    fn a_key_is_flushed_with_its_newest_entry() {
        let batch = batch(&[("a", 1), ("b", 2), ("a", 3), ("c", 4), ("d", 5), ("d", 6)]);
        let applied = AppliedBatch {
            rows: batch.newest(),
            ..AppliedBatch::default()
        };
        let prefixes = whole(&batch, applied, version(9), 2);
        let found: Vec<_> = prefixes
            .iter()
            .map(|prefix| {
                let keys = prefix.flushed.iter().map(|(key, _)| key.as_str());
                let keys: Vec<_> = keys.collect();
                (prefix.entries, prefix.through.get(), keys)
            })
            .collect();
        assert_eq!(found, [(3, 3, vec!["b", "a"]), (3, 6, vec!["c", "d"])]);
    }

    #[test]
    fn refused_entries_are_forgotten_and_not_committed() {
        let batch = batch(&[("a", 1), ("b", 2), ("c", 3)]);
        let applied = AppliedBatch {
            rows: vec![record("a", 1)],
            refused: vec![(record("b", 2), "no".into()), (record("c", 3), "no".into())],
            ..AppliedBatch::default()
        };
        let prefixes = whole(&batch, applied, version(9), 1);
        assert_eq!(prefixes.len(), 1);
        let prefix = &prefixes[0];
        assert_eq!((prefix.entries, prefix.through), (3, version(3)));
        assert_eq!(prefix.committed, [(version(1), version(9))]);
    }
}
