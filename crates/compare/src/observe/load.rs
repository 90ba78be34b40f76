//! What of a service's counters goes into a report.

use cache_http::figures::{Buckets, Snapshot};

use super::Observations;
use crate::report::{DatabaseLoad, Latency};

const STATEMENTS: &str = "write_cache_store_statements_total";
pub(super) const ROWS: &str = "write_cache_store_rows_committed_total";
const COMMITS: &str = "write_cache_store_commits_total";
pub(super) const READS: &str = "write_cache_cache_reads_total";
const COMMIT_LAG: &str = "write_cache_commit_lag_seconds";

pub(super) fn database(seen: &Observations, acknowledged: u64) -> Option<DatabaseLoad> {
    let (counted_by, statements, rows, commits) = match seen.by_server {
        Some(counts) => ("the server", counts.statements, counts.rows, counts.commits),
        None => (
            "the service",
            counted(seen, STATEMENTS, &[])?,
            counted(seen, ROWS, &[])?,
            counted(seen, COMMITS, &[])?,
        ),
    };
    Some(DatabaseLoad {
        counted_by,
        statements,
        rows,
        commits,
        rows_per_write: (acknowledged > 0).then(|| rows as f64 / acknowledged as f64),
    })
}

pub(super) fn commit_lag(seen: &Observations) -> Option<Latency> {
    let (first, last) = (seen.first.as_ref()?, seen.last.as_ref()?);
    let histogram = |snapshot: &Snapshot| snapshot.histogram(COMMIT_LAG, &[]);
    latency(&histogram(last).since(&histogram(first)))
}

/// `None` where there was nothing.
fn latency(buckets: &Buckets) -> Option<Latency> {
    let at = |share| buckets.quantile(share).map(|seconds| seconds * 1e3);
    Some(Latency {
        count: buckets.count() as u64,
        mean_ms: buckets.mean()? * 1e3,
        p50_ms: at(0.5)?,
        p90_ms: at(0.9)?,
        p99_ms: at(0.99)?,
        p999_ms: at(0.999)?,
        p9999_ms: at(0.9999)?,
        max_ms: at(1.0)?,
    })
}

/// How much a counter has grown; `None` where there is none. The counter of a restarted
/// service has grown by its present value.
fn counted(seen: &Observations, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    let (first, last) = (seen.first.as_ref()?, seen.last.as_ref()?);
    if !last.has(name) {
        return None;
    }
    let (before, after) = (first.sum(name, labels), last.sum(name, labels));
    let grown = if after < before {
        after
    } else {
        after - before
    };
    Some(grown as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(first: &str, last: &str) -> Observations {
        Observations {
            first: Some(Snapshot::parse(first).unwrap()),
            last: Some(Snapshot::parse(last).unwrap()),
            ..Observations::default()
        }
    }

    #[test]
    fn the_services_counters_are_taken_from_its_first_figures_to_its_last() {
        let seen = seen(
            "write_cache_store_statements_total{kind=\"read\"} 5\nwrite_cache_store_rows_committed_total 10\nwrite_cache_store_commits_total 2\n",
            "write_cache_store_statements_total{kind=\"read\"} 6\nwrite_cache_store_statements_total{kind=\"write\"} 3\n\
             write_cache_store_rows_committed_total 60\nwrite_cache_store_commits_total 5\n",
        );
        let load = database(&seen, 100).unwrap();
        assert_eq!(load.counted_by, "the service");
        assert_eq!((load.statements, load.rows, load.commits), (4, 50, 3));
        assert_eq!(load.rows_per_write, Some(0.5));
        assert_eq!(database(&seen, 0).unwrap().rows_per_write, None);
    }

    #[test]
    fn what_a_service_does_not_count_is_absent_and_not_nothing() {
        let seen = seen("", "write_cache_cache_reads_total{outcome=\"hit\"} 1\n");
        assert_eq!(database(&seen, 1), None);
        assert_eq!(commit_lag(&seen), None);
    }

    #[test]
    fn the_lag_is_of_what_was_committed_meanwhile() {
        let text = |counts: [u32; 3], sum: f64| {
            let [first, second, all] = counts;
            format!(
                "write_cache_commit_lag_seconds_bucket{{le=\"0.1\"}} {first}\n\
                 write_cache_commit_lag_seconds_bucket{{le=\"0.2\"}} {second}\n\
                 write_cache_commit_lag_seconds_bucket{{le=\"+Inf\"}} {all}\n\
                 write_cache_commit_lag_seconds_sum {sum}\nwrite_cache_commit_lag_seconds_count {all}\n"
            )
        };
        let seen = seen(&text([10, 10, 10], 1.0), &text([10, 110, 110], 16.0));
        let lag = commit_lag(&seen).unwrap();
        assert_eq!(lag.count, 100);
        for (found, expected) in [
            (lag.mean_ms, 150.0),
            (lag.p50_ms, 150.0),
            (lag.max_ms, 200.0),
        ] {
            assert!((found - expected).abs() < 1e-6, "{lag:?}");
        }
    }
}
