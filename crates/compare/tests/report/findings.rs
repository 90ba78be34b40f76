//! Findings are whole sentences with the right figures, the most important first.

use compare::pattern::Pattern;
use compare::report::findings::findings;
use compare::report::{
    Check, DatabaseLoad, ErrorCount, FaultSpan, JournalPeak, Latency, OperationReport, ProcessUse,
    Report, ServiceReport, Slice,
};

use crate::figures::latency;
use crate::samples::{empty, named, silent};

const CAVEAT: &str = "This is one run of each, write-through first: differences under a tenth, and \
                      single percentiles of short runs, may be chance.";

/// Findings of a write-through and a write-behind that are filled in so, without the caveat
/// in the end.
fn of(
    through: impl FnOnce(&mut ServiceReport),
    behind: impl FnOnce(&mut ServiceReport),
) -> Vec<String> {
    let mut services = Pattern::BOTH.map(silent);
    through(&mut services[0]);
    behind(&mut services[1]);
    let mut found = findings(&Report {
        services: services.into(),
        ..empty()
    });
    let last = found.pop();
    assert!(last.is_none_or(|last| last == CAVEAT), "{found:?}");
    found
}

fn operation(operation: &'static str, succeeded: u64, failed: u64, p99_ms: f64) -> OperationReport {
    OperationReport {
        operation,
        succeeded,
        failed,
        latency: latency(succeeded, p99_ms / 4.0, p99_ms),
    }
}

fn check(acknowledged: u64, names: u64) -> Check {
    Check {
        acknowledged,
        names,
        names_uncertain: 0,
        asked: "database",
        lost: 0,
        stale_reads: 0,
        examples: Vec::new(),
    }
}

/// One slice of six seconds.
fn away(answered: f64, failed: f64, max_ms: f64) -> impl Fn(&mut ServiceReport) {
    move |service| {
        service.timeline = vec![Slice {
            at_s: 6.0,
            seconds: 6.0,
            per_second: answered / 6.0,
            failed_per_second: failed / 6.0,
            max_ms: Some(max_ms),
            ..Slice::default()
        }];
        service.fault = Some(FaultSpan {
            what: "database away".to_owned(),
            from_s: 6.0,
            until_s: 12.0,
        });
    }
}

#[test]
fn of_nothing_nothing_is_said() {
    assert!(findings(&empty()).is_empty());
    assert!(of(|_| (), |_| ()).is_empty());
    assert!(findings(&named("bare")).is_empty());
}

#[test]
fn who_is_faster_is_said_with_both_figures() {
    let found = of(
        |through| {
            through.per_second = 5_352.0;
            through.latency = latency(1_000, 1.6, 4.1);
        },
        |behind| {
            behind.per_second = 12_310.4;
            behind.latency = latency(1_000, 1.5, 1.8);
        },
    );
    assert_eq!(
        found,
        [
            "write-behind answered 2.3 times as many requests a second (12,310 against 5,352).",
            "write-behind answered 2.3 times as fast at the 99th percentile (1.8 ms against 4.1 ms).",
            "Both answered about as fast at the median (1.6 ms and 1.5 ms).",
        ]
    );
}

#[test]
fn what_differs_comes_before_what_is_about_the_same() {
    let found = of(
        |through| {
            through.per_second = 2_000.0;
            through.latency = latency(1_000, 1.0, 2.0);
        },
        |behind| {
            behind.per_second = 1_999.6;
            behind.latency = latency(1_000, 1.0, 24.0);
        },
    );
    assert_eq!(
        found,
        [
            "write-through answered 12 times as fast at the 99th percentile (2.0 ms against 24 ms).",
            "Both answered 2,000 requests a second.",
            "Both answered equally fast at the median (1.0 ms).",
        ]
    );
}

#[test]
fn that_failures_made_a_service_fast_is_not_kept_back() {
    let found = of(
        |through| {
            through.latency = latency(1_800, 0.4, 1.0);
            through.operations = vec![operation("write", 1_800, 200, 1.0)];
        },
        |behind| {
            behind.latency = latency(2_000, 0.4, 4.0);
            behind.operations = vec![operation("write", 2_000, 0, 4.0)];
        },
    );
    assert_eq!(
        found[0],
        "write-through answered 4.0 times as fast at the 99th percentile (1.0 ms against 4.0 ms), but \
         failed 10 % of its requests, which are not counted here."
    );
}

#[test]
fn writes_and_reads_are_also_told_apart() {
    let mixed = |write_ms, read_ms| {
        move |service: &mut ServiceReport| {
            service.operations = vec![
                operation("write", 1_000, 0, write_ms),
                operation("read", 1_000, 0, read_ms),
            ];
        }
    };
    assert_eq!(
        of(mixed(8.0, 1.0), mixed(2.0, 1.04)),
        [
            "Writes alone: write-behind answered 4.0 times as fast at the 99th percentile (2.0 ms \
             against 8.0 ms).",
            "Reads alone: both answered equally fast at the 99th percentile (1.0 ms).",
            "Neither failed a request.",
        ]
    );
}

#[test]
fn a_fault_comes_first_and_says_what_became_of_the_requests_meanwhile() {
    let found = of(
        |through| {
            away(6_389.0, 5_611.0, 2_400.0)(through);
            through.per_second = 100.0;
        },
        |behind| {
            away(12_000.0, 0.0, 7.7)(behind);
            behind.per_second = 200.0;
        },
    );
    assert_eq!(
        found,
        [
            "Between 6.0 s and 12.0 s the database was away: write-behind answered all 12,000 requests \
             that ended meanwhile; write-through failed 5,611 of 12,000 that ended.",
            "Of the answers that came then or in the 5 s after, the longest took 7.7 ms with \
             write-behind, 2.4 s with write-through.",
            "write-behind answered 2.0 times as many requests a second (200 against 100).",
        ]
    );
}

#[test]
fn figures_of_a_fault_within_slices_are_called_about() {
    let found = of(
        |through| {
            away(6_389.0, 5_611.0, 9.0)(through);
            through.timeline[0].at_s = 5.0;
        },
        |_| (),
    );
    assert_eq!(
        found,
        [
            "Between 6.0 s and 12.0 s the database was away: write-through failed about 4,700 of about \
          10,000 that ended."
        ]
    );
}

#[test]
fn failures_are_counted_with_their_most_frequent_kind() {
    let found = of(
        |through| {
            through.operations = vec![operation("write", 39_589, 411, 1.0)];
            through.errors = ["503 Service Unavailable", "connection closed"]
                .map(|kind| ErrorCount {
                    kind: kind.to_owned(),
                    count: 400,
                })
                .into();
            through.errors[1].count = 11;
        },
        |behind| {
            behind.operations = vec![operation("write", 40_000, 0, 1.0)];
            behind.unsent = 1_234;
            behind.due = 41_234;
        },
    );
    assert_eq!(
        found,
        [
            "write-through failed 411 of 40,000 requests in all (1 %), most often: 503 Service \
             Unavailable (400).",
            "write-behind fell behind: 1,234 of 41,234 requests were never sent, since no connection \
             was free in time.",
        ]
    );
}

#[test]
fn what_a_server_calls_its_error_cannot_command_the_terminal() {
    let found = of(
        |through| {
            through.operations = vec![operation("write", 0, 9, 1.0)];
            through.errors = vec![ErrorCount {
                kind: "500 \u{1b}[31mOops\r\n".to_owned(),
                count: 9,
            }];
        },
        |_| (),
    );
    assert_eq!(
        found,
        ["write-through failed 9 of 9 requests in all (100 %): 500  [31mOops  ."]
    );
}

#[test]
fn the_databases_work_and_its_price_are_told() {
    let load = |rows, commits, rows_per_write| {
        move |service: &mut ServiceReport| {
            service.acknowledged = 1_000;
            // With the first write of each name.
            service.check = Some(check(1_090, 90));
            service.database = Some(DatabaseLoad {
                counted_by: "the service",
                statements: 0,
                rows,
                commits,
                rows_per_write: Some(rows_per_write),
            });
        }
    };
    let found = of(load(1_000, 1_000, 1.0), |behind| {
        load(310, 21, 0.31)(behind);
        behind.commit_lag = Some(Latency {
            max_ms: 6_200.0,
            ..latency(1_000, 24.0, 100.0)
        });
        behind.journal = Some(JournalPeak {
            depth: 12_345,
            age_s: 6.0,
        });
        behind.settled_after_s = Some(1.34);
    });
    assert_eq!(
        found,
        [
            "write-behind brought 31 rows into the database for each 100 acknowledged writes, \
             write-through 100.",
            "write-behind committed 2.1 transactions for each 100 acknowledged writes, write-through \
             100.",
            "The price of write-behind: a write was in the database 24 ms after its answer (median; at \
             most 6.2 s), and up to 12,345 writes waited in the journal.",
            "After the last request write-behind needed another 1.3 s until the database had \
             everything.",
            "Nothing acknowledged was lost: with each, of 90 names, written and deleted 1,090 times, \
             each had its newest acknowledged write, or what may have replaced it, in the database.",
        ]
    );
}

#[test]
fn processor_time_is_told_without_the_tools_own() {
    let cpu = |cpu_s| {
        move |service: &mut ServiceReport| {
            service.operations = vec![operation("read", 1_000_000, 0, 1.0)];
            let used = |process, cpu_s| ProcessUse {
                process,
                cpu_s,
                memory_bytes_max: 0,
            };
            service.processes = vec![used("service", cpu_s), used("compare", 1_000.0)];
        }
    };
    assert_eq!(
        of(cpu(54.0), cpu(31.0))[1],
        "write-through needed 1.7 times the processor time a request (54 µs against 31 µs, of the \
         service)."
    );
    assert_eq!(
        of(cpu(54.0), cpu(52.0))[1],
        "Both needed about the same processor time a request (54 µs and 52 µs, of the service)."
    );
}

#[test]
fn what_was_lost_or_stale_comes_before_everything_else() {
    let found = of(
        |through| {
            away(6_389.0, 5_611.0, 9.0)(through);
            through.check = Some(Check {
                stale_reads: 5,
                ..check(41_234, 9_812)
            });
        },
        |behind| {
            behind.check = Some(Check {
                lost: 3,
                asked: "service",
                ..check(41_234, 9_812)
            });
        },
    );
    assert_eq!(
        found[..2],
        [
            "write-behind LOST DATA: the newest acknowledged write of 3 names was not there \
             afterwards, of 9,812 that were asked for from the service.",
            "With write-through 5 READS WERE STALE: they were answered with something older than what \
             had been acknowledged, or read, before.",
        ]
    );
    assert!(
        !found
            .iter()
            .any(|finding| finding.contains("Nothing acknowledged was lost"))
    );
}

#[test]
fn that_nothing_was_lost_says_how_much_was_checked_and_how() {
    let checked = |acknowledged, names| {
        move |service: &mut ServiceReport| service.check = Some(check(acknowledged, names))
    };
    assert_eq!(
        of(|_| (), checked(41_234, 9_812)),
        [
            "Nothing acknowledged was lost with write-behind: of 9,812 names, written and deleted \
             41,234 times, each had its newest acknowledged write, or what may have replaced it, in \
             the database."
        ]
    );
    let found = of(checked(1, 1), |behind| {
        behind.check = Some(Check {
            asked: "service",
            names_uncertain: 12,
            ..check(80_111, 10_000)
        });
    });
    assert_eq!(
        found,
        [
            "Nothing acknowledged was lost with write-through: of 1 name, written and deleted once, \
             each had its newest acknowledged write, or what may have replaced it, in the database.",
            "Nothing acknowledged was lost with write-behind: of 10,000 names, written and deleted \
             80,111 times, each had its newest acknowledged write, or what may have replaced it, \
             when the service was asked; 12 names could not be judged fully, since the outcome of a \
             delete is unknown.",
        ]
    );
}

#[test]
fn where_nothing_was_acknowledged_there_was_nothing_to_check() {
    let checked = |acknowledged, names| {
        move |service: &mut ServiceReport| service.check = Some(check(acknowledged, names))
    };
    let nothing = "There was nothing to check: no write was acknowledged.";
    assert_eq!(of(checked(0, 0), checked(0, 0)), [nothing]);
    let found = of(checked(0, 9), checked(5, 0));
    let expected = ["write-through", "write-behind"]
        .map(|name| format!("There was nothing to check with {name}: no write was acknowledged."));
    assert_eq!(found, expected);
}

#[test]
fn one_service_alone_is_told_without_a_comparison() {
    let found = findings(&named("interrupted"));
    assert_eq!(
        found,
        [
            "write-through answered 5,352 requests a second, half of them within 11 ms and 99 % within \
          26 ms."
        ]
    );
}
