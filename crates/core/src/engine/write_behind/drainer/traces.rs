//! The traces of writes that wait in the journal, until this process has them in the database.
//!
//! The journal has no place for them. So the trace of a write that another process drains, or this one
//! after a restart, ends at the journal.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::engine::apply::AppliedBatch;
use crate::error::Result;
use crate::model::decision::Decision;
use crate::model::record::{Key, Write};
use crate::model::trace_context::TraceContext;
use crate::model::version::Version;
use crate::telemetry::trace::{Batch, Ended, Step, Traced};

/// Most writes whose traces wait. The oldest gives way.
const WAITING_MAX: usize = 16_384;
/// Most names that are remembered as drained while a traced batch is being appended.
const DRAINED_MAX: usize = 16_384;

/// See the module.
#[derive(Debug, Default)]
pub struct Traces {
    /// How many wait, and how many batches are being appended: nothing has to be done at 0.
    busy: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
    of_key: HashMap<Key, Vec<u64>>,
    next: u64,
    /// Batches that are being appended.
    appending: usize,
    /// What was drained last of each name since the first of those began: it may be of one of them.
    drained: HashMap<Key, DrainedWrites>,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    version: Version,
    context: TraceContext,
}

/// What came of an entry.
#[derive(Clone, Debug)]
struct DrainedWrites {
    key: Key,
    version: Version,
    batch: Batch,
    /// `None` where the database has it.
    refused: Option<&'static str>,
}

impl DrainedWrites {
    /// How the step ended for the entry of the same key at `version`; `None` where this does not tell.
    fn ended(&self, version: Version) -> Option<Ended> {
        match self.refused {
            Some(kind) => (version == self.version).then_some(Ended::Failed(kind)),
            None if version == self.version => Some(Ended::Done),
            None => (version < self.version).then_some(Ended::Superseded),
        }
    }
}

impl Traces {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch with such writes is about to be appended.
    pub(crate) fn appending(self: &Arc<Self>, traced: &Traced) -> Option<Appending> {
        if traced.is_empty() {
            return None;
        }
        // IMPORTANT: before the journal has it, since it may be drained before that has answered.
        let mut state = self.lock();
        state.appending += 1;
        self.count(&state);
        Some(Appending(self.clone()))
    }

    /// The drain came to this, since `began`.
    pub(super) fn drained(&self, began: SystemTime, applied: &AppliedBatch) {
        if self.busy.load(Ordering::SeqCst) == 0 {
            return;
        }
        let batch = Batch {
            began,
            ended: SystemTime::now(),
            writes: applied.rows.len(),
        };
        let rows = applied.rows.iter().map(|row| (row, None));
        let refused = applied.refused.iter();
        let refused = refused.map(|(record, _)| (record, Some("refused")));
        let mut state = self.lock();
        for (record, refused) in rows.chain(refused) {
            state.take(&DrainedWrites {
                key: record.key.clone(),
                version: record.version,
                batch,
                refused,
            });
        }
        self.count(&state);
    }

    fn count(&self, state: &State) {
        let busy = state.waiting.len() + state.appending;
        self.busy.store(busy, Ordering::SeqCst);
    }
}

impl State {
    /// Ends the traces of the entries that this is about.
    fn take(&mut self, drained: &DrainedWrites) {
        if self.appending > 0 {
            if self.drained.len() >= DRAINED_MAX {
                // At worst a trace ends at the journal.
                self.drained.clear();
            }
            self.drained.insert(drained.key.clone(), drained.clone());
        }
        let Some(numbers) = self.of_key.get_mut(&drained.key) else {
            return;
        };
        numbers.retain(|number| {
            let ended = self.waiting.get(number);
            let ended = ended.and_then(|waiting| drained.ended(waiting.version));
            let Some(ended) = ended else {
                return true;
            };
            if let Some(waiting) = self.waiting.remove(number) {
                waiting.context.add(Step::Apply, drained.batch, ended);
            }
            false
        });
        if numbers.is_empty() {
            self.of_key.remove(&drained.key);
        }
    }

    fn add(&mut self, waiting: Waiting) {
        if let Some(drained) = self.drained.get(&waiting.key)
            && let Some(ended) = drained.ended(waiting.version)
        {
            waiting.context.add(Step::Apply, drained.batch, ended);
            return;
        }
        if self.waiting.len() >= WAITING_MAX
            && let Some((number, oldest)) = self.waiting.pop_first()
        {
            self.forget(&oldest.key, number);
        }
        let numbers = self.of_key.entry(waiting.key.clone()).or_default();
        numbers.push(self.next);
        self.waiting.insert(self.next, waiting);
        self.next += 1;
    }

    fn forget(&mut self, key: &Key, number: u64) {
        if let Some(numbers) = self.of_key.get_mut(key) {
            numbers.retain(|of_key| *of_key != number);
            if numbers.is_empty() {
                self.of_key.remove(key);
            }
        }
    }
}

/// A batch that is being appended, until this is dropped.
#[derive(Debug)]
pub(crate) struct Appending(Arc<Traces>);

impl Appending {
    /// The journal has taken those of `writes` that have a version. `contexts` has where the spans of
    /// their commits belong, by the places of the writes.
    pub(crate) fn appended(
        self,
        writes: &[Write],
        answers: &[Result<Decision>],
        contexts: Vec<(usize, TraceContext)>,
    ) {
        let mut state = self.0.lock();
        for (place, context) in contexts {
            if let (Some(write), Some(Ok(Decision::Written(version)))) =
                (writes.get(place), answers.get(place))
            {
                state.add(Waiting {
                    key: write.key.clone(),
                    version: *version,
                    context,
                });
            }
        }
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.appending -= 1;
        if state.appending == 0 {
            state.drained.clear();
        }
        self.0.count(&state);
    }
}

#[cfg(test)]
mod tests;
