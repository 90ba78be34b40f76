//! What of a service's counters goes into a report.

use cache_http::figures::Snapshot;

use super::Observations;
use crate::report::{CommitLag, DatabaseLoad};

const STATEMENTS: &str = "write_cache_store_statements_total";
const ROWS: &str = "write_cache_store_rows_committed_total";
const COMMITS: &str = "write_cache_store_commits_total";
const COMMIT_LAG: &str = "write_cache_commit_lag_seconds";

pub(super) fn database(seen: &Observations) -> Option<DatabaseLoad> {
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
    })
}

/// A bucket's bound is no measurement: it is said to be a bound, and beyond the last one nothing is
/// said.
pub(super) fn commit_lag(seen: &Observations) -> Option<CommitLag> {
    let (first, last) = (seen.first.as_ref()?, seen.last.as_ref()?);
    let histogram = |snapshot: &Snapshot| snapshot.histogram(COMMIT_LAG, &[]);
    let lags = histogram(last).since(&histogram(first));
    let at_most = |share| lags.bound(share).map(|seconds| seconds * 1e3);
    (lags.count() > 0.0).then(|| CommitLag {
        p50_at_most_ms: at_most(0.5),
        p99_at_most_ms: at_most(0.99),
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
        let load = database(&seen).unwrap();
        assert_eq!(load.counted_by, "the service");
        assert_eq!((load.statements, load.rows, load.commits), (4, 50, 3));
    }

    #[test]
    fn what_a_service_does_not_count_is_absent_and_not_nothing() {
        let seen = seen("", "write_cache_cache_reads_total{outcome=\"hit\"} 1\n");
        assert_eq!(database(&seen), None);
        assert_eq!(commit_lag(&seen), None);
    }

    #[test]
    fn a_lag_is_a_bound_and_none_beyond_the_last_bucket() {
        let text = |counts: [u32; 3]| {
            let [first, second, all] = counts;
            format!(
                "write_cache_commit_lag_seconds_bucket{{le=\"0.1\"}} {first}\n\
                 write_cache_commit_lag_seconds_bucket{{le=\"15\"}} {second}\n\
                 write_cache_commit_lag_seconds_bucket{{le=\"+Inf\"}} {all}\n\
                 write_cache_commit_lag_seconds_sum 1\nwrite_cache_commit_lag_seconds_count {all}\n"
            )
        };
        let of = |last| commit_lag(&seen(&text([10, 10, 10]), &text(last))).unwrap();
        let lag = of([10, 110, 110]);
        assert_eq!(lag.p50_at_most_ms, Some(15_000.0));
        // Half of these took longer than the last bound, and how long is unknown.
        let lag = of([60, 60, 110]);
        assert_eq!(
            (lag.p50_at_most_ms, lag.p99_at_most_ms),
            (Some(100.0), None)
        );
    }
}
