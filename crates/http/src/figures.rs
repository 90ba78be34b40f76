//! What the metrics of a service say about a span of time: rates, latencies and what waits. They are
//! calculated from two readings of `/metrics`, by the service itself or by a client.

mod buckets;
mod exposition;
mod parts;
mod snapshot;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use cache_core::outage::PartState;
use serde::Serialize;
use utoipa::ToSchema;

pub use buckets::Buckets;
pub use exposition::ParseError;
pub use parts::PartFigures;
pub use snapshot::Snapshot;

const REQUESTS: &str = "write_cache_http_requests_total";
const DURATIONS: &str = "write_cache_http_request_duration_seconds";
const BATCH_LINES: &str = "write_cache_batch_lines_total";
const READS: &str = "write_cache_cache_reads_total";

/// How a request ended that took its time.
const ANSWERED: &str = "answered";
const FAILED: &str = "failed";

/// The requests that write one record, as route and method.
const WRITES: &[(&str, &str)] = &[
    ("/write-through", "POST"),
    ("/write-behind", "POST"),
    ("/users/{name}", "PUT"),
];

/// Those that read one.
const RECORD_READS: &[(&str, &str)] = &[
    ("/read-through", "POST"),
    ("/read-behind", "POST"),
    ("/users/{name}", "GET"),
];

/// Those that delete one.
const DELETES: &[(&str, &str)] = &[("/users/{name}", "DELETE")];

/// What a service did in a span of time, and how it is at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Figures {
    /// Requests answered a second.
    pub requests_per_second: RequestRates,
    /// How long writes took that did not fail.
    pub writes: Latencies,
    /// How long reads of one record took that did not fail.
    pub reads: Latencies,
    /// How long writes, reads and deletes took to fail.
    pub failures: Latencies,
    /// Requests that are not answered yet.
    pub requests_in_flight: f64,
    /// The age of the oldest of them in seconds; `null` without one.
    pub oldest_request_age_s: Option<f64>,
    /// The service's parts.
    pub parts: Vec<PartFigures>,
    /// Whether writes are refused, since a server is not as they need it.
    pub writes_refused: bool,
    /// The share of reads that the cache answered, 0 to 1; `null` without reads.
    pub cache_hit_share: Option<f64>,
    /// Entries in the journal that the database does not have yet; `null` without a journal.
    pub journal_depth_entries: Option<f64>,
    /// The age of the oldest of them in seconds; `null` also while the journal does not answer.
    pub journal_oldest_age_s: Option<f64>,
    /// How much of the journal's limit that is, of the limit that is nearest: 0 to 1, or a little more.
    pub journal_fullness: Option<f64>,
    /// Writes that the database refused and that wait for an operator; `null` without a journal.
    pub dead_letters: Option<f64>,
    /// Entries that this process drained from the journal, a second; `null` without a journal.
    pub drained_per_second: Option<f64>,
    /// Rows that the database committed for this process, a second; `null` where it does not count them.
    pub database_rows_per_second: Option<f64>,
    /// Transactions that wrote, committed by this process a second; `null` where it does not count them.
    pub database_commits_per_second: Option<f64>,
    /// Whether the cache is bypassed, since it is unavailable.
    pub bypassed: bool,
    /// Whether the process restarted within the span. What it counted before is not in the rates.
    pub restarted: bool,
    /// The service's version; `null` where it does not say.
    pub version: Option<String>,
}

/// Requests answered a second. One that failed is counted as failed alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RequestRates {
    /// Writes of one record, and lines of batches that write one.
    pub write: f64,
    /// Reads of one record, found or not.
    pub read: f64,
    /// Deletes, and lines of batches that delete.
    pub delete: f64,
    /// Those of the above that were answered with a status of 500 or more.
    pub failed: f64,
}

/// How long requests took, in milliseconds, within the resolution of the histogram's buckets; `null`
/// where there was no request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Latencies {
    /// Half of them took no longer.
    pub p50_ms: Option<f64>,
    /// 99 % took no longer.
    pub p99_ms: Option<f64>,
}

impl Figures {
    /// Returns what happened from `before` until `after`, which is `elapsed` later. If the process
    /// restarted in between, what it has counted since then.
    pub fn between(before: &Snapshot, after: &Snapshot, elapsed: Duration) -> Figures {
        let restarted = after.restarted_since(before);
        let nothing = Snapshot::default();
        let before = if restarted { &nothing } else { before };
        let span = Span {
            before,
            after,
            seconds: elapsed.as_secs_f64(),
        };
        let reads = span.counted(READS, &[]);
        let hits = span.counted(READS, &[("outcome", "hit")]);
        Figures {
            requests_per_second: span.requests_per_second(),
            writes: span.latencies(WRITES, ANSWERED),
            reads: span.latencies(RECORD_READS, ANSWERED),
            failures: span.latencies(&[WRITES, RECORD_READS, DELETES].concat(), FAILED),
            requests_in_flight: after.sum("write_cache_http_requests_in_flight", &[]),
            oldest_request_age_s: after
                .gauge("write_cache_http_oldest_request_age_seconds", &[])
                .filter(|age_s| *age_s > 0.0),
            parts: parts::of(after),
            writes_refused: after.sum("write_cache_writes_refused", &[]) > 0.0,
            cache_hit_share: (reads > 0.0).then(|| hits / reads),
            journal_depth_entries: after.gauge("write_cache_journal_depth_entries", &[]),
            journal_oldest_age_s: after.gauge("write_cache_journal_oldest_age_seconds", &[]),
            journal_fullness: fullness(after),
            dead_letters: after.gauge("write_cache_journal_dead_letters", &[]),
            drained_per_second: span.rate_if_counted("write_cache_drain_entries_total"),
            database_rows_per_second: span
                .rate_if_counted("write_cache_store_rows_committed_total"),
            database_commits_per_second: span.rate_if_counted("write_cache_store_commits_total"),
            bypassed: after.sum("write_cache_cache_bypassed", &[]) > 0.0,
            restarted,
            version: after
                .label("write_cache_build_info", "version")
                .map(str::to_owned),
        }
    }

    /// Adds what is wrong with the parts, which no metric says.
    pub(crate) fn explain(&mut self, states: &[PartState]) {
        for part in &mut self.parts {
            let state = states.iter().find(|state| state.part.as_str() == part.part);
            if let Some(state) = state {
                part.explain(state);
            }
        }
    }
}

/// How full the journal is, by the limit that is nearest.
fn fullness(now: &Snapshot) -> Option<f64> {
    let gauge = |name| now.gauge(name, &[]);
    // An older version has no figures of what is held back.
    let with_held_back = |waiting, held_back| Some(gauge(waiting)? + now.sum(held_back, &[]));
    let used = [
        (
            with_held_back(
                "write_cache_journal_depth_entries",
                "write_cache_journal_held_back_entries",
            ),
            "write_cache_journal_limit_entries",
        ),
        (
            with_held_back(
                "write_cache_journal_depth_bytes",
                "write_cache_journal_held_back_bytes",
            ),
            "write_cache_journal_limit_bytes",
        ),
        (
            gauge("write_cache_journal_oldest_age_seconds"),
            "write_cache_journal_limit_age_seconds",
        ),
    ];
    let shares = used
        .into_iter()
        .filter_map(|(used, limit)| Some(used? / gauge(limit).filter(|limit| *limit > 0.0)?));
    shares.reduce(f64::max)
}

/// Two readings, and the seconds between them.
struct Span<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    seconds: f64,
}

impl Span<'_> {
    fn counted(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        (self.after.sum(name, labels) - self.before.sum(name, labels)).max(0.0)
    }

    /// So many a second; 0 in no time at all.
    fn per_second(&self, count: f64) -> f64 {
        if self.seconds > 0.0 {
            count / self.seconds
        } else {
            0.0
        }
    }

    fn rate_if_counted(&self, name: &str) -> Option<f64> {
        let counted = self.after.has(name);
        counted.then(|| self.per_second(self.counted(name, &[])))
    }

    fn requests_per_second(&self) -> RequestRates {
        let (write, writes_failed) = self.answered(WRITES);
        let (read, reads_failed) = self.answered(RECORD_READS);
        let (delete, deletes_failed) = self.answered(DELETES);
        let (put_lines, put_lines_failed) = self.outcomes(BATCH_LINES, &[("kind", "put")]);
        let (delete_lines, delete_lines_failed) = self.outcomes(BATCH_LINES, &[("kind", "delete")]);
        let failed = writes_failed + reads_failed + deletes_failed;
        RequestRates {
            write: self.per_second(write + put_lines),
            read: self.per_second(read),
            delete: self.per_second(delete + delete_lines),
            failed: self.per_second(failed + put_lines_failed + delete_lines_failed),
        }
    }

    /// How many of these requests were answered well, and how many failed.
    fn answered(&self, requests: &[(&str, &str)]) -> (f64, f64) {
        let (mut well, mut failed) = (0.0, 0.0);
        for (route, method) in requests {
            let labels = [("route", *route), ("method", *method)];
            let (well_here, failed_here) = self.outcomes(REQUESTS, &labels);
            well += well_here;
            failed += failed_here;
        }
        (well, failed)
    }

    /// How many with these labels were answered well, and how many failed.
    fn outcomes(&self, name: &str, labels: &[(&str, &str)]) -> (f64, f64) {
        let all = self.counted(name, labels);
        let fails = |status: &str| status.starts_with('5');
        let failed_after = self.after.sum_where(name, labels, "status", fails);
        let failed_before = self.before.sum_where(name, labels, "status", fails);
        let failed = (failed_after - failed_before).max(0.0);
        ((all - failed).max(0.0), failed)
    }

    fn latencies(&self, requests: &[(&str, &str)], outcome: &str) -> Latencies {
        let mut durations = Buckets::default();
        for (route, method) in requests {
            let labels = [("route", *route), ("method", *method), ("outcome", outcome)];
            let before = self.before.histogram(DURATIONS, &labels);
            let after = self.after.histogram(DURATIONS, &labels);
            durations = durations.and(&after.since(&before));
        }
        let quantile_ms = |share| durations.quantile(share).map(|seconds| seconds * 1e3);
        Latencies {
            p50_ms: quantile_ms(0.5),
            p99_ms: quantile_ms(0.99),
        }
    }
}

/// Makes figures of readings as they come, each of the time since the one before.
#[derive(Debug, Default)]
pub struct Sampler {
    last: Option<(Instant, Snapshot)>,
}

impl Sampler {
    /// One that has read nothing yet.
    pub fn new() -> Sampler {
        Sampler::default()
    }

    /// The figures since the last reading; `None` at the first, which there is nothing to compare with.
    pub fn read(&mut self, at: Instant, snapshot: Snapshot) -> Option<Figures> {
        let figures = self.last.as_ref().map(|(before_at, before)| {
            Figures::between(before, &snapshot, at.saturating_duration_since(*before_at))
        });
        self.last = Some((at, snapshot));
        figures
    }
}
