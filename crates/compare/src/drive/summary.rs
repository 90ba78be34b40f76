//! What a load came to, and how a report has it.

use std::time::Duration;

use hdrhistogram::{Counter, Histogram};

use super::totals::{LATENCY_DIGITS, OperationTotals, SliceTotals, Totals, histogram};
use crate::error::Result;
use crate::report::{CacheReads, ErrorCount, Latency, OperationReport, Percentile, Slice};
use crate::request::Operation;
use crate::workload::Schedule;

/// The picture of a distribution ends where one request in ten thousand is beyond, or
/// closer to 100 % where it has enough requests for that.
const PERCENTILE_STEPS_PER_HALVING: u32 = 4;
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
    /// Of each operation that occurred.
    pub operations: Vec<DrivenOperation>,
    /// Of all operations together, in microseconds.
    pub latency_us: Histogram<u64>,
    /// How long the failed ones took until they failed, in microseconds.
    pub failed_latency_us: Histogram<u64>,
    /// How often requests failed in which way, the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// Where reads were answered from.
    pub cache: CacheReads,
    /// What ended when: slices of equal length from the first request on, to the last answer.
    pub slices: Vec<DrivenSlice>,
}

/// What became of one operation's requests.
#[derive(Clone, Debug)]
pub struct DrivenOperation {
    /// Which.
    pub operation: Operation,
    /// Answered as they should be.
    pub succeeded: u64,
    /// All others that were sent.
    pub failed: u64,
    /// In microseconds. Of the successful ones; of the unsent ones how long they had waited, which
    /// they would have taken at least.
    pub latency_us: Histogram<u64>,
}

/// What ended in one slice of the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrivenSlice {
    /// Its begin, in seconds from the first request.
    pub at_s: f64,
    /// Its length, in seconds.
    pub seconds: f64,
    /// Answered as they should be.
    pub succeeded: u64,
    /// All others.
    pub failed: u64,
    /// Requests that should have been sent in it; `None` without a rate, and after the end.
    pub due: Option<u64>,
    /// Half of the successful ones took no longer; `None` where there were none.
    pub p50_ms: Option<f64>,
    /// 99 %.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

impl Driven {
    pub(super) fn new(
        totals: &Totals,
        sent_for: Duration,
        due: u64,
        unsent: u64,
    ) -> Result<Driven> {
        let mut latency_us = histogram(LATENCY_DIGITS)?;
        for operation in &totals.operations {
            // They have the same bounds, so that this cannot fail.
            let _ = latency_us.add(&operation.latency_us);
        }
        let mut errors: Vec<ErrorCount> = totals
            .failures
            .iter()
            .map(|(failure, count)| ErrorCount {
                kind: failure.to_string(),
                count: *count,
            })
            .collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        let slice_s = totals.slice_length.as_secs_f64();
        Ok(Driven {
            seconds: sent_for.as_secs_f64(),
            due,
            unsent,
            operations: totals
                .operations
                .iter()
                .filter(|totals| !totals.latency_us.is_empty() || totals.failed > 0)
                .map(DrivenOperation::of)
                .collect(),
            latency_us,
            failed_latency_us: totals.failed_latency_us.clone(),
            errors,
            cache: totals.cache,
            slices: (0_u32..)
                .zip(&totals.slices)
                .map(|(index, totals)| DrivenSlice::of(f64::from(index) * slice_s, slice_s, totals))
                .collect(),
        })
    }

    /// The same with what was due in each slice, and with those slices up to the end of sending
    /// in which nothing ended.
    pub(super) fn with_due(mut self, schedule: &Schedule, slice: Duration) -> Driven {
        let sent_for = Duration::from_secs_f64(self.seconds);
        let slice_s = slice.as_secs_f64();
        let count = (self.seconds / slice_s).ceil() as usize;
        for index in self.slices.len()..count {
            self.slices.push(DrivenSlice {
                at_s: index as f64 * slice_s,
                seconds: slice_s,
                succeeded: 0,
                failed: 0,
                due: None,
                p50_ms: None,
                p99_ms: None,
                max_ms: None,
            });
        }
        for slice in self.slices.iter_mut().take(count) {
            let before = |s: f64| schedule.due_before(Duration::from_secs_f64(s).min(sent_for));
            slice.due = Some(before(slice.at_s + slice.seconds) - before(slice.at_s));
        }
        self
    }

    /// Requests that were answered as they should be.
    pub fn succeeded(&self) -> u64 {
        self.operations.iter().map(|one| one.succeeded).sum()
    }

    /// Requests that were sent and failed.
    pub fn failed(&self) -> u64 {
        self.operations.iter().map(|one| one.failed).sum()
    }

    /// Successful answers a second while requests were sent. Answers that came later are not
    /// among them, or a single late one would make the whole load longer. (One that came in the
    /// slice in which sending ended counts as in time.)
    pub fn per_second(&self) -> f64 {
        let in_time = self.slices.iter().filter(|slice| slice.at_s < self.seconds);
        let succeeded = in_time.map(|slice| slice.succeeded).sum();
        per_second(succeeded, self.seconds)
    }

    /// How long the failed ones took until they failed; `None` if there were none.
    pub fn failed_latency(&self) -> Option<Latency> {
        (!self.failed_latency_us.is_empty()).then(|| latency(&self.failed_latency_us))
    }

    /// By operation, as a report has it.
    pub fn operation_reports(&self) -> Vec<OperationReport> {
        let report = |one: &DrivenOperation| OperationReport {
            operation: one.operation.name(),
            succeeded: one.succeeded,
            failed: one.failed,
            latency: latency(&one.latency_us),
        };
        self.operations.iter().map(report).collect()
    }

    /// Of all operations together, as a report has it.
    pub fn latency(&self) -> Latency {
        latency(&self.latency_us)
    }

    /// The latency of all operations at percentiles that come ever closer to 100.
    pub fn percentiles(&self) -> Vec<Percentile> {
        percentiles(&self.latency_us)
    }

    /// What happened when, as a report has it; of what the driver does not see, nothing.
    pub fn timeline(&self) -> Vec<Slice> {
        let slice = |slice: &DrivenSlice| Slice {
            at_s: slice.at_s,
            seconds: slice.seconds,
            per_second: per_second(slice.succeeded, slice.seconds),
            failed_per_second: per_second(slice.failed, slice.seconds),
            due_per_second: slice.due.map(|due| per_second(due, slice.seconds)),
            p50_ms: slice.p50_ms,
            p99_ms: slice.p99_ms,
            max_ms: slice.max_ms,
            ..Slice::default()
        };
        self.slices.iter().map(slice).collect()
    }
}

impl DrivenOperation {
    fn of(totals: &OperationTotals) -> DrivenOperation {
        DrivenOperation {
            operation: totals.operation,
            succeeded: totals.succeeded,
            failed: totals.failed,
            latency_us: totals.latency_us.clone(),
        }
    }
}

impl DrivenSlice {
    fn of(at_s: f64, seconds: f64, totals: &SliceTotals) -> DrivenSlice {
        let SliceTotals {
            succeeded,
            failed,
            latency_us,
        } = totals;
        let at = |quantile| {
            (!latency_us.is_empty()).then(|| milliseconds(latency_us.value_at_quantile(quantile)))
        };
        DrivenSlice {
            at_s,
            seconds,
            succeeded: *succeeded,
            failed: *failed,
            due: None,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

/// A distribution of microseconds, as a report has it.
pub fn latency<T: Counter>(microseconds: &Histogram<T>) -> Latency {
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
        p9999_ms: at(0.9999),
        max_ms: milliseconds(microseconds.max()),
    }
}

/// The distribution of microseconds at percentiles that come ever closer to 100, and at 100.
pub fn percentiles<T: Counter>(microseconds: &Histogram<T>) -> Vec<Percentile> {
    let mut points: Vec<Percentile> = microseconds
        .iter_quantiles(PERCENTILE_STEPS_PER_HALVING)
        .take_while(|step| step.quantile_iterated_to() <= QUANTILE_MAX)
        .map(|step| Percentile {
            percentile: step.quantile_iterated_to() * 100.0,
            latency_ms: milliseconds(step.value_iterated_to()),
        })
        .collect();
    if !microseconds.is_empty() {
        points.push(Percentile {
            percentile: 100.0,
            latency_ms: milliseconds(microseconds.max()),
        });
    }
    points
}

fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::failure::Failure;
    use crate::drive::totals::Sample;
    use crate::workload::{Rate, Workload};

    /// Of 100,000 requests one in ten took longer than 10 ms, one in a hundred longer than 100 ms,
    /// and so on.
    fn long_tailed() -> Histogram<u64> {
        let mut microseconds = histogram(LATENCY_DIGITS).unwrap();
        for left in 1..=100_000 {
            microseconds.record(100_000_000 / left).unwrap();
        }
        microseconds
    }

    #[track_caller]
    fn assert_about(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= expected / 100.0,
            "{found}, not {expected}"
        );
    }

    #[test]
    fn a_latency_has_its_figures_in_milliseconds() {
        let found = latency(&long_tailed());
        assert_eq!(found.count, 100_000);
        assert_about(found.mean_ms, 12.09);
        assert_about(found.p50_ms, 2.0);
        assert_about(found.p90_ms, 10.0);
        assert_about(found.p99_ms, 100.0);
        assert_about(found.p999_ms, 990.0);
        // The eleventh longest, ten being longer.
        assert_about(found.p9999_ms, 9_091.0);
        assert_about(found.max_ms, 100_000.0);
        let none = histogram::<u64>(LATENCY_DIGITS).unwrap();
        assert_eq!(latency(&none), Latency::default());
        assert_eq!(percentiles(&none), []);
    }

    #[test]
    fn percentiles_rise_to_100_and_go_beyond_99_99() {
        let points = percentiles(&long_tailed());
        assert!(points.is_sorted_by(|one, next| one.percentile < next.percentile));
        assert!(points.is_sorted_by_key(|point| point.latency_ms));
        let last = points.last().unwrap();
        assert_eq!(last.percentile, 100.0);
        assert_about(last.latency_ms, 100_000.0);
        let beyond = |percentile| {
            let points = points.iter();
            points.filter(|point| point.percentile > percentile).count()
        };
        assert!(beyond(99.0) - beyond(99.9) >= 5, "{points:?}");
        assert!(beyond(99.99) >= 5, "{points:?}");
        assert!(points.len() < 200, "{}", points.len());
        for point in points.iter().filter(|point| point.percentile < 99.9) {
            assert_about(point.latency_ms, 100.0 / (100.0 - point.percentile));
        }
    }

    #[test]
    fn answers_long_after_the_end_do_not_count_as_if_they_had_come_in_time() {
        let driven = |last_ended_s| {
            let mut totals = Totals::new(Duration::from_secs(10), Duration::from_secs(30)).unwrap();
            let sample = |ended_s| Sample {
                operation: Operation::Write,
                failure: None,
                source: None,
                latency: Duration::from_millis(1),
                ended: Duration::from_secs_f64(ended_s),
            };
            totals.add(&[sample(1.0), sample(last_ended_s)]).unwrap();
            Driven::new(&totals, Duration::from_secs(10), 2, 0).unwrap()
        };
        assert_eq!(driven(9.9).per_second(), 0.2);
        assert_eq!(driven(10.1).per_second(), 0.1);
        assert_eq!(driven(19.9).per_second(), 0.1);
    }

    #[test]
    fn what_was_due_in_a_slice_is_known_also_where_nothing_ended_in_it() {
        let workload = Workload {
            rate: Rate::PerSecond(100.0),
            ..Workload::default()
        };
        let schedule = Schedule::of(&workload).unwrap();
        let second = Duration::from_secs(1);
        let totals = Totals::new(second, second).unwrap();
        let driven = Driven::new(&totals, second * 9 / 10, 90, 90).unwrap();
        let due = |driven: &Driven| -> Vec<Option<u64>> {
            driven.slices.iter().map(|slice| slice.due).collect()
        };
        assert_eq!(due(&driven), []);
        let driven = driven.with_due(&schedule, totals.slice_length);
        assert_eq!(due(&driven), [Some(25), Some(25), Some(25), Some(15)]);
        assert_eq!(driven.timeline()[3].due_per_second, Some(60.0));
    }

    #[test]
    fn latencies_of_failed_requests_are_counted_apart() {
        let second = Duration::from_secs(1);
        let mut totals = Totals::new(second, second).unwrap();
        let sample = |failure, latency_ms| Sample {
            operation: Operation::Write,
            failure,
            source: None,
            latency: Duration::from_millis(latency_ms),
            ended: second / 2,
        };
        let failures = [
            sample(Some(Failure::Stopped), 1),
            sample(Some(Failure::Stopped), 900),
        ];
        totals.add(&failures).unwrap();
        totals.add(&[sample(None, 50)]).unwrap();
        let driven = Driven::new(&totals, second, 3, 0).unwrap();
        let latency = driven.latency();
        assert_eq!(latency.count, 1);
        assert!(
            (latency.p50_ms - 50.0).abs() < 1.0 && latency.max_ms < 51.0,
            "{latency:?}"
        );
        let slice = driven.slices[2];
        assert_eq!((slice.succeeded, slice.failed), (1, 2));
        assert!(slice.max_ms.unwrap() < 52.0, "{slice:?}");
        let failed = driven.failed_latency().unwrap();
        assert_eq!(failed.count, 2);
        assert!(failed.max_ms > 890.0, "{failed:?}");
    }
}
