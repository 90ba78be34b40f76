//! Applying a batch to the database although it may refuse some of it, or another
//! transaction may have locked some of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::lock_search::{LockSearch, Split};
use crate::error::{Error, Part, Result};
use crate::model::decision::Decision;
use crate::model::record::{Key, Record, newest_per_key};
use crate::model::version::Version;
use crate::process::fault_point;
use crate::store::{Origin, Store};

/// What became of a batch, in groups: the drain goes on with rows, dead letters and locked rows, not
/// with an answer for each write. [`AppliedBatch::decisions`] has these.
#[derive(Debug, Default)]
pub(crate) struct AppliedBatch {
    /// The rows that the database has now, or newer ones: one a key.
    pub(crate) rows: Vec<Record>,
    /// The writes that it refuses, and why.
    pub(crate) refused: Vec<(Record, Arc<str>)>,
    /// The newest writes of the keys that another transaction has locked. They are not
    /// in the database.
    pub(crate) locked: Vec<Record>,
    /// Why some of the batch is neither among these, nor replaced by one that is.
    /// It may be in the database, unless the reason says otherwise.
    pub(crate) failed: Option<Error>,
}

impl AppliedBatch {
    fn add(&mut self, other: AppliedBatch) {
        self.rows.extend(other.rows);
        self.refused.extend(other.refused);
        self.locked.extend(other.locked);
        self.failed = other.failed;
    }

    /// What became of each of the writes, in their order. Those that are locked failed with
    /// [`Error::Locked`]. What is older than a row of the same key is written: the row replaced it.
    pub(crate) fn decisions(self, writes: &[Record]) -> Vec<Result<Decision>> {
        let rows: HashMap<Key, Version> = self
            .rows
            .into_iter()
            .map(|row| (row.key, row.version))
            .collect();
        let refused: HashMap<(Key, Version), Arc<str>> = self
            .refused
            .into_iter()
            .map(|(record, reason)| ((record.key, record.version), reason))
            .collect();
        let locked: HashSet<Key> = self.locked.into_iter().map(|record| record.key).collect();
        let decide = |write: &Record| {
            // Most batches are refused nothing.
            if !refused.is_empty()
                && let Some(reason) = refused.get(&(write.key.clone(), write.version))
            {
                return Err(Error::refused(Part::Database, reason));
            }
            match (rows.get(&write.key), &self.failed) {
                (Some(row), _) if *row >= write.version => Ok(Decision::Written(write.version)),
                _ if locked.contains(&write.key) => Err(Error::Locked),
                (_, Some(Error::Fenced)) => Ok(Decision::Retry),
                (_, Some(error)) => Err(error.clone()),
                (_, None) => Err(Error::Panicked),
            }
        };
        writes.iter().map(decide).collect()
    }
}

/// Applies the newest of each key. A batch that is refused is split until the
/// record that it is refused for stands alone; of that key, the newest older
/// write in the batch that is not refused is applied. A batch that times out on a lock is
/// applied without the keys that are locked.
pub(crate) async fn apply(store: &dyn Store, records: &[Record], origin: Origin) -> AppliedBatch {
    let newest = newest_per_key(records.iter().cloned());
    apply_newest(store, newest, records, origin).await
}

/// The same in statements of at most `rows_max` rows, one after the other, each a transaction.
/// `newest` is the newest of each key of `records`, in the order of the keys. No statement
/// begins after one has failed.
pub(crate) async fn apply_in_statements(
    store: &dyn Store,
    newest: Vec<Record>,
    records: &[Record],
    origin: Origin,
    rows_max: usize,
) -> AppliedBatch {
    let mut applied = AppliedBatch::default();
    for part in parts(newest, rows_max.max(1)) {
        applied.add(apply_newest(store, part, records, origin).await);
        if applied.failed.is_some() {
            break;
        }
    }
    applied
}

/// In parts of at most `max`, in their order.
fn parts(mut records: Vec<Record>, max: usize) -> Vec<Vec<Record>> {
    let mut parts = Vec::with_capacity(records.len().div_ceil(max));
    while records.len() > max {
        let rest = records.split_off(max);
        parts.push(std::mem::replace(&mut records, rest));
    }
    parts.extend((!records.is_empty()).then_some(records));
    parts
}

async fn apply_newest(
    store: &dyn Store,
    newest: Vec<Record>,
    records: &[Record],
    origin: Origin,
) -> AppliedBatch {
    let mut applied = AppliedBatch::default();
    if let Err(error) = apply_into(&mut applied, store, newest, records, origin).await {
        applied.failed = Some(error);
    }
    applied
}

async fn apply_into(
    applied: &mut AppliedBatch,
    store: &dyn Store,
    newest: Vec<Record>,
    records: &[Record],
    origin: Origin,
) -> Result<()> {
    let mut search = LockSearch::new(store);
    let mut batches = vec![newest];
    while let Some(mut batch) = batches.pop() {
        if search.is_over() {
            applied.locked.extend(batch);
            continue;
        }
        match store.apply(&batch, origin).await {
            Ok(()) => applied.rows.extend(batch),
            Err(Error::Locked) => {
                let keys = batch.iter().map(|record| record.key.clone());
                match search.split(keys).await? {
                    Split::Again => batches.push(batch),
                    Split::Locked(keys) => {
                        let (locked, rest) = part(batch, &keys);
                        applied.locked.extend(locked);
                        batches.extend((!rest.is_empty()).then_some(rest));
                    }
                    Split::Apart(keys) => {
                        let (apart, rest) = part(batch, &keys);
                        batches.extend([apart, rest]);
                    }
                }
            }
            Err(Error::Refused { .. }) if batch.len() > 1 => {
                let rest = batch.split_off(batch.len() / 2);
                batches.push(rest);
                batches.push(batch);
            }
            Err(Error::Refused { reason, .. }) => {
                fault_point::point("apply.refused").await;
                for refused in batch {
                    if is_superseded(store, &refused).await? {
                        applied.rows.push(refused);
                        continue;
                    }
                    batches.extend(older(records, &refused).map(|older| vec![older.clone()]));
                    applied.refused.push((refused, reason.clone()));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The records of `keys`, and the others.
fn part(batch: Vec<Record>, keys: &HashSet<Key>) -> (Vec<Record>, Vec<Record>) {
    batch
        .into_iter()
        .partition(|record| keys.contains(&record.key))
}

/// Whether the database has something newer of the key than what it refuses:
/// another process may have drained a newer entry, or another service written.
async fn is_superseded(store: &dyn Store, refused: &Record) -> Result<bool> {
    // Not `load`: a row that cannot be read must not hold up the journal.
    let stored = store.versions(std::slice::from_ref(&refused.key)).await?;
    let stored = stored.get(&refused.key);
    Ok(stored.is_some_and(|stored| *stored >= refused.version))
}

/// The write of the same key that `record` replaced.
fn older<'a>(records: &'a [Record], record: &Record) -> Option<&'a Record> {
    records
        .iter()
        .filter(|other| other.key == record.key && other.version < record.version)
        .max_by_key(|other| other.version)
}
