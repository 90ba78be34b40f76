//! What all connections together have seen.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::failure::Failure;
use super::outcome::Source;
use crate::error::{Error, Result};
use crate::report::CacheReads;
use crate::request::Operation;

/// What takes longer counts as this.
const LATENCY_MAX: Duration = Duration::from_secs(600);
const LATENCY_DIGITS: u8 = 3;
const SLICE_MIN: Duration = Duration::from_millis(250);
const SLICES: u32 = 120;

/// An answer that takes longer than this comes too late to be counted as one in time.
pub const IN_TIME: Duration = Duration::from_secs(1);

/// One request that has come to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) operation: Operation,
    pub(super) failure: Option<Failure>,
    pub(super) source: Option<Source>,
    /// When it was due, from the first request on.
    pub(super) due: Duration,
    pub(super) latency: Duration,
}

/// Everything that is counted. Connections bring their samples in batches, so that they
/// rarely meet at its lock, and there is one histogram of a kind rather than one for each.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) operations: [OperationTotals; 3],
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Of what failed, in microseconds.
    pub(super) failed_latency_us: Histogram<u64>,
    pub(super) cache: CacheReads,
    pub(super) slice_length: Duration,
    slices_max: usize,
    pub(super) slices: Vec<SliceTotals>,
}

/// Those of one operation.
#[derive(Clone, Debug)]
pub(super) struct OperationTotals {
    pub(super) operation: Operation,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Of what succeeded, in microseconds; also of what was never sent.
    pub(super) latency_us: Histogram<u64>,
}

/// Those of what was due in one slice of the time, whenever it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SliceTotals {
    pub(super) due: u64,
    pub(super) in_time: u64,
    pub(super) failed: u64,
}

impl Totals {
    /// For a load of this duration.
    pub(super) fn new(duration: Duration) -> Result<Totals> {
        let slice_length = SLICE_MIN.max(duration / SLICES);
        let operation = |operation| {
            Ok(OperationTotals {
                operation,
                succeeded: 0,
                failed: 0,
                latency_us: histogram()?,
            })
        };
        let [write, read, delete] = Operation::ALL;
        Ok(Totals {
            operations: [operation(write)?, operation(read)?, operation(delete)?],
            failures: BTreeMap::new(),
            failed_latency_us: histogram()?,
            cache: CacheReads::default(),
            slice_length,
            slices_max: duration.div_duration_f64(slice_length).ceil() as usize,
            slices: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, samples: &[Sample]) {
        for sample in samples {
            let latency_us = microseconds(sample.latency);
            let failed = sample.failure.is_some();
            if let Some(totals) = self.of(sample.operation) {
                match failed {
                    true => totals.failed += 1,
                    // A service that fails fast must not look fast, nor one that fails slowly
                    // hide how fast it is otherwise.
                    false => {
                        totals.succeeded += 1;
                        totals.latency_us.saturating_record(latency_us);
                    }
                }
            }
            if let Some(failure) = sample.failure {
                *self.failures.entry(failure).or_default() += 1;
                self.failed_latency_us.saturating_record(latency_us);
            }
            match sample.source {
                Some(Source::Hit) => self.cache.hits += 1,
                Some(Source::Miss) => self.cache.misses += 1,
                Some(Source::Bypass) => self.cache.bypasses += 1,
                None => {}
            }
            if let Some(slice) = self.slice(sample.due) {
                slice.due += 1;
                slice.failed += u64::from(failed);
                slice.in_time += u64::from(!failed && sample.latency <= IN_TIME);
            }
        }
    }

    /// So many requests of this operation, due at that time, were never sent, and had waited for
    /// so long.
    pub(super) fn add_unsent(
        &mut self,
        operation: Operation,
        due: Duration,
        waited: Duration,
        count: u64,
    ) {
        if let Some(totals) = self.of(operation) {
            let waited_us = microseconds(waited);
            totals.latency_us.saturating_record_n(waited_us, count);
        }
        if let Some(slice) = self.slice(due) {
            slice.due += count;
        }
    }

    fn of(&mut self, operation: Operation) -> Option<&mut OperationTotals> {
        let mut operations = self.operations.iter_mut();
        operations.find(|totals| totals.operation == operation)
    }

    /// The slice that has this time; those before are made, too.
    fn slice(&mut self, time: Duration) -> Option<&mut SliceTotals> {
        let index = time.div_duration_f64(self.slice_length) as usize;
        let index = index.min(self.slices_max.saturating_sub(1));
        if self.slices.len() <= index {
            self.slices.resize(index + 1, SliceTotals::default());
        }
        self.slices.get_mut(index)
    }
}

/// Of times in microseconds.
pub(super) fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_max(microseconds(LATENCY_MAX), LATENCY_DIGITS)
        .map_err(|error| Error::failed("making a histogram", error))
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(due_ms: u64, latency_ms: u64, failure: Option<Failure>) -> Sample {
        Sample {
            operation: Operation::Write,
            failure,
            source: None,
            due: Duration::from_millis(due_ms),
            latency: Duration::from_millis(latency_ms),
        }
    }

    #[test]
    fn a_request_counts_where_it_was_due_and_late_answers_are_not_in_time() {
        let mut totals = Totals::new(Duration::from_secs(1)).unwrap();
        totals.add(&[
            sample(0, 3, None),
            sample(249, 1_000, None),
            sample(250, 1_001, None),
            sample(250, 3, Some(Failure::Closed)),
            // Due at the very end: no slice is made for it alone.
            sample(1_000, 3, None),
        ]);
        let due = Duration::from_millis(600);
        totals.add_unsent(Operation::Write, due, Duration::from_secs(9), 2);
        let slices = totals.slices.iter();
        let counts: Vec<(u64, u64, u64)> = slices
            .map(|slice| (slice.due, slice.in_time, slice.failed))
            .collect();
        assert_eq!(counts, [(2, 2, 0), (2, 0, 1), (2, 0, 0), (1, 1, 0)]);
    }

    #[test]
    fn what_takes_longer_than_can_be_measured_counts_as_the_longest() {
        let mut totals = Totals::new(Duration::from_secs(1)).unwrap();
        let day = Duration::from_secs(86_400);
        totals.add_unsent(Operation::Read, Duration::ZERO, day, 2);
        let reads = &totals.operations[1];
        assert_eq!(reads.latency_us.len(), 2);
        assert!(reads.latency_us.max() >= 599_000_000);
    }
}
