//! What all connections together have seen.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use super::failure::Failure;
use super::outcome::Source;
use crate::error::{Error, Result};
use crate::report::CacheReads;
use crate::request::Operation;

/// What takes longer counts as this.
const LATENCY_MAX: Duration = Duration::from_secs(600);
pub(super) const LATENCY_DIGITS: u8 = 3;
/// There are many slices, and a picture of them shows no more.
const SLICE_DIGITS: u8 = 2;
const SLICE_MIN: Duration = Duration::from_millis(250);
const SLICES: u32 = 120;

/// One request that has come to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) operation: Operation,
    pub(super) failure: Option<Failure>,
    pub(super) source: Option<Source>,
    pub(super) latency: Duration,
    /// When it ended, from the first request on.
    pub(super) ended: Duration,
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

/// Those of what ended in one slice of the time.
#[derive(Clone, Debug)]
pub(super) struct SliceTotals {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Of what succeeded, in microseconds.
    pub(super) latency_us: Histogram<u32>,
}

impl Totals {
    /// For a load of this duration, of which the last answer comes at most `grace` later.
    pub(super) fn new(duration: Duration, grace: Duration) -> Result<Totals> {
        let slice_length = SLICE_MIN.max(duration / SLICES);
        let operation = |operation| {
            Ok(OperationTotals {
                operation,
                succeeded: 0,
                failed: 0,
                latency_us: histogram(LATENCY_DIGITS)?,
            })
        };
        let [write, read, delete] = Operation::ALL;
        Ok(Totals {
            operations: [operation(write)?, operation(read)?, operation(delete)?],
            failures: BTreeMap::new(),
            failed_latency_us: histogram(LATENCY_DIGITS)?,
            cache: CacheReads::default(),
            slice_length,
            slices_max: (duration + grace).div_duration_f64(slice_length).ceil() as usize + 1,
            slices: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, samples: &[Sample]) -> Result<()> {
        for sample in samples {
            let latency_us = microseconds(sample.latency);
            if let Some(totals) = self.of(sample.operation) {
                *totals.counter(sample.failure) += 1;
                // A service that fails fast must not look fast, nor one that fails slowly hide
                // how fast it is otherwise.
                if sample.failure.is_none() {
                    totals.latency_us.saturating_record(latency_us);
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
            if let Some(slice) = self.slice(sample.ended)? {
                *slice.counter(sample.failure) += 1;
                if sample.failure.is_none() {
                    slice.latency_us.saturating_record(latency_us);
                }
            }
        }
        Ok(())
    }

    /// So many requests of this operation were never sent, and had waited for so long.
    pub(super) fn add_unsent(&mut self, operation: Operation, waited: Duration, count: u64) {
        if let Some(totals) = self.of(operation) {
            totals
                .latency_us
                .saturating_record_n(microseconds(waited), count);
        }
    }

    fn of(&mut self, operation: Operation) -> Option<&mut OperationTotals> {
        self.operations
            .iter_mut()
            .find(|totals| totals.operation == operation)
    }

    /// The slice that has this time; those before are made, too.
    fn slice(&mut self, time: Duration) -> Result<Option<&mut SliceTotals>> {
        let index = time.div_duration_f64(self.slice_length) as usize;
        let index = index.min(self.slices_max);
        while self.slices.len() <= index {
            self.slices.push(SliceTotals {
                succeeded: 0,
                failed: 0,
                latency_us: histogram(SLICE_DIGITS)?,
            });
        }
        Ok(self.slices.get_mut(index))
    }
}

impl OperationTotals {
    fn counter(&mut self, failure: Option<Failure>) -> &mut u64 {
        match failure {
            None => &mut self.succeeded,
            Some(_) => &mut self.failed,
        }
    }
}

impl SliceTotals {
    fn counter(&mut self, failure: Option<Failure>) -> &mut u64 {
        match failure {
            None => &mut self.succeeded,
            Some(_) => &mut self.failed,
        }
    }
}

/// Of times in microseconds.
pub(super) fn histogram<T: Counter>(digits: u8) -> Result<Histogram<T>> {
    Histogram::new_with_max(microseconds(LATENCY_MAX), digits)
        .map_err(|error| Error::failed("making a histogram", error))
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(ended: Duration) -> Sample {
        Sample {
            operation: Operation::Write,
            failure: None,
            source: None,
            latency: Duration::from_millis(3),
            ended,
        }
    }

    #[test]
    fn a_slice_is_a_quarter_of_a_second_and_longer_in_long_loads() {
        for (duration_s, slice_ms) in [(1, 250), (30, 250), (60, 500), (86_400, 720_000)] {
            let totals = Totals::new(Duration::from_secs(duration_s), Duration::ZERO).unwrap();
            assert_eq!(totals.slice_length, Duration::from_millis(slice_ms));
        }
    }

    #[test]
    fn a_sample_is_in_the_slice_in_which_it_ended() {
        let mut totals = Totals::new(Duration::from_secs(10), Duration::from_secs(1)).unwrap();
        let ended = [0, 249, 250, 1_100].map(Duration::from_millis);
        totals.add(&ended.map(sample)).unwrap();
        let counts: Vec<u64> = totals.slices.iter().map(|slice| slice.succeeded).collect();
        assert_eq!(counts, [2, 1, 0, 0, 1]);
    }

    #[test]
    fn a_sample_after_the_last_slice_is_in_the_last_and_makes_no_more() {
        let mut totals = Totals::new(Duration::from_secs(1), Duration::from_secs(1)).unwrap();
        for ended_s in [3, 3_600, 86_400] {
            totals.add(&[sample(Duration::from_secs(ended_s))]).unwrap();
        }
        assert_eq!(totals.slices.len(), 10);
        assert_eq!(totals.slices[9].succeeded, 3);
    }

    #[test]
    fn what_takes_longer_than_can_be_measured_counts_as_the_longest() {
        let mut totals = Totals::new(Duration::from_secs(1), Duration::ZERO).unwrap();
        totals.add_unsent(Operation::Read, Duration::from_secs(86_400), 2);
        let reads = &totals.operations[1];
        assert_eq!(
            (reads.operation, reads.latency_us.len()),
            (Operation::Read, 2)
        );
        assert!(reads.latency_us.max() >= 599_000_000);
    }
}
