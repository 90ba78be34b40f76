//! What a load came to, as a report has it.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::totals::{Totals, histogram};
use crate::error::Result;
use crate::report::{CacheReads, ErrorCount, Latency, OperationReport, Percentile, Slice};

const PERCENTILE_STEPS_PER_HALVING: u32 = 4;
/// The picture of a distribution goes no further.
const QUANTILE_MAX: f64 = 0.999_999;

/// What a load came to.
#[derive(Clone, Debug)]
pub struct Driven {
    /// How long requests were sent, in seconds: the workload's duration, or less if the load
    /// was stopped.
    pub seconds: f64,
    /// Requests that should have been sent until then.
    pub due: u64,
    /// Those of them that were not, since no connection was free.
    pub unsent: u64,
    /// By operation: those that occurred.
    pub operations: Vec<OperationReport>,
    /// Of all operations together.
    pub latency: Latency,
    /// How long the failed ones took until they failed; `None` if there were none.
    pub failed_latency: Option<Latency>,
    /// The latency of all operations at percentiles that come ever closer to 100.
    pub percentiles: Vec<Percentile>,
    /// How often requests failed in which way, the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// Where reads were answered from.
    pub cache: CacheReads,
    /// By when requests were due: slices of equal length up to the end of sending.
    pub timeline: Vec<Slice>,
}

impl Driven {
    pub(super) fn new(
        totals: &Totals,
        sent_for: Duration,
        due: u64,
        unsent: u64,
    ) -> Result<Driven> {
        let mut all_us = histogram()?;
        for operation in &totals.operations {
            // They have the same bounds, so that this cannot fail.
            let _ = all_us.add(&operation.latency_us);
        }
        let failures = totals.failures.iter();
        let mut errors: Vec<ErrorCount> = failures
            .map(|(failure, count)| ErrorCount {
                kind: failure.to_string(),
                count: *count,
            })
            .collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        let operations = totals.operations.iter();
        let occurred = operations.filter(|one| !one.latency_us.is_empty() || one.failed > 0);
        let failed_us = &totals.failed_latency_us;
        Ok(Driven {
            seconds: sent_for.as_secs_f64(),
            due,
            unsent,
            operations: occurred
                .map(|one| OperationReport {
                    operation: one.operation.name(),
                    succeeded: one.succeeded,
                    failed: one.failed,
                    latency: latency(&one.latency_us),
                })
                .collect(),
            latency: latency(&all_us),
            failed_latency: (!failed_us.is_empty()).then(|| latency(failed_us)),
            percentiles: percentiles(&all_us),
            errors,
            cache: totals.cache,
            timeline: timeline(totals, sent_for),
        })
    }

    /// Requests that were answered as they should be.
    pub fn succeeded(&self) -> u64 {
        self.operations.iter().map(|one| one.succeeded).sum()
    }

    /// Requests that were sent and failed.
    pub fn failed(&self) -> u64 {
        self.operations.iter().map(|one| one.failed).sum()
    }
}

/// The last slice ends with the load, so that it is no slower for being shorter.
fn timeline(totals: &Totals, sent_for: Duration) -> Vec<Slice> {
    let (length_s, end_s) = (totals.slice_length.as_secs_f64(), sent_for.as_secs_f64());
    let count = (end_s / length_s - 1e-9).ceil().max(0.0) as usize;
    let slice = |index: usize| {
        let at_s = index as f64 * length_s;
        let seconds = length_s.min(end_s - at_s);
        let counted = totals.slices.get(index).copied().unwrap_or_default();
        Slice {
            at_s,
            seconds,
            due: counted.due,
            in_time: counted.in_time,
            failed: counted.failed,
            ..Slice::default()
        }
    };
    (0..count).map(slice).collect()
}

fn latency(microseconds: &Histogram<u64>) -> Latency {
    if microseconds.is_empty() {
        return Latency::default();
    }
    let at = |quantile| milliseconds(microseconds.value_at_quantile(quantile));
    Latency {
        count: microseconds.len(),
        mean_ms: microseconds.mean() / 1e3,
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: milliseconds(microseconds.max()),
    }
}

/// The distribution at percentiles that come ever closer to 100, as far as a request is beyond.
fn percentiles(microseconds: &Histogram<u64>) -> Vec<Percentile> {
    let least_beyond = 1.0 - 1.0 / microseconds.len().max(1) as f64;
    microseconds
        .iter_quantiles(PERCENTILE_STEPS_PER_HALVING)
        .take_while(|step| step.quantile_iterated_to() <= QUANTILE_MAX.min(least_beyond))
        .map(|step| Percentile {
            percentile: step.quantile_iterated_to() * 100.0,
            latency_ms: milliseconds(step.value_iterated_to()),
        })
        .collect()
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slice_is_as_long_as_the_load_left_it() {
        let mut totals = Totals::new(Duration::from_millis(1_100)).unwrap();
        let sample = |due_ms| crate::drive::totals::Sample {
            operation: crate::request::Operation::Read,
            failure: None,
            source: None,
            due: Duration::from_millis(due_ms),
            latency: Duration::from_millis(900),
        };
        let samples: Vec<_> = (0..1_100).map(sample).collect();
        totals.add(&samples);
        let slices = timeline(&totals, Duration::from_millis(1_100));
        let rates: Vec<f64> = slices
            .iter()
            .map(|slice| (slice.in_time as f64 / slice.seconds).round())
            .collect();
        // Answers that come after the end make no slice, nor the last one lower.
        assert_eq!(rates, [1_000.0; 5]);
    }

    #[test]
    fn a_distribution_ends_where_no_request_is_beyond() {
        let mut values = histogram().unwrap();
        for value in 1..=100 {
            values.record(value * 1_000).unwrap();
        }
        let last = *percentiles(&values).last().unwrap();
        assert!(
            last.percentile <= 99.0 && last.percentile > 95.0,
            "{last:?}"
        );
        assert_eq!(latency(&values).max_ms, 100.031);
        assert_eq!(percentiles(&histogram().unwrap()), []);
    }
}
