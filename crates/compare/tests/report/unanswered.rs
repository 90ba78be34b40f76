//! What is said where requests failed, waited or were never sent.

use compare::pattern::Pattern;
use compare::report::findings::findings;
use compare::report::html::page;
use compare::report::table::text;
use compare::report::{FaultSpan, OperationReport, Report, ServiceReport, Slice};

use crate::figures::latency;
use crate::samples::{empty, named, silent};
use crate::table::cells;

fn report_of(
    through: impl FnOnce(&mut ServiceReport),
    behind: impl FnOnce(&mut ServiceReport),
) -> Report {
    let mut services = Pattern::BOTH.map(silent);
    through(&mut services[0]);
    behind(&mut services[1]);
    Report {
        services: services.into(),
        ..empty()
    }
}

/// What was due, answered and failed in each second: while the database was unavailable, from
/// 6.1 to 12 s, and in the second before and after.
fn away(due: f64, answered: f64, failed: f64) -> impl Fn(&mut ServiceReport) {
    move |service| {
        service.timeline = (5..13)
            .map(|second| {
                let is_away = (6..12).contains(&second);
                Slice {
                    at_s: f64::from(second),
                    seconds: 1.0,
                    per_second: if is_away { answered } else { due },
                    failed_per_second: if is_away { failed } else { 0.0 },
                    due_per_second: Some(due),
                    max_ms: (!is_away).then_some(if second < 6 { 9_000.0 } else { 5_800.0 }),
                    ..Slice::default()
                }
            })
            .collect();
        service.fault = Some(FaultSpan {
            what: "database not writable".to_owned(),
            from_s: 6.0,
            until_s: 12.0,
        });
    }
}

fn sent(succeeded: u64, failed: u64, unsent: u64, p99_ms: f64) -> impl Fn(&mut ServiceReport) {
    move |service| {
        service.due = succeeded + failed + unsent;
        service.unsent = unsent;
        service.latency = latency(succeeded + unsent, p99_ms / 4.0, p99_ms);
        service.operations = vec![OperationReport {
            operation: "write",
            succeeded,
            failed,
            latency: service.latency,
        }];
    }
}

#[test]
fn who_answers_nothing_while_requests_are_due_has_not_answered_all() {
    let found = findings(&report_of(
        away(1_000.0, 0.0, 0.0),
        away(1_000.0, 1_004.0, 0.0),
    ));
    assert_eq!(
        found[0],
        "Between 6.0 s and 12.0 s the database was not writable: write-behind answered all 6,000 \
         requests that were due meanwhile; write-through answered none of 6,000 requests that were \
         due meanwhile (6,000 waited or were never sent)."
    );
}

#[test]
fn some_of_what_was_due_is_told_with_what_became_of_the_others() {
    let found = findings(&report_of(
        away(1_000.0, 500.0, 100.0),
        away(1_000.0, 999.0, 0.0),
    ));
    assert_eq!(
        found[0],
        "Between 6.0 s and 12.0 s the database was not writable: write-behind answered nearly all \
         of 6,000 requests that were due meanwhile; write-through answered 3,000 of 6,000 requests \
         that were due meanwhile (600 failed, 2,400 waited or were never sent)."
    );
}

#[test]
fn a_slice_that_is_partly_in_the_fault_counts_in_proportion() {
    let begun_late = |service: &mut ServiceReport| {
        away(1_000.0, 0.0, 0.0)(service);
        service.fault.as_mut().unwrap().from_s = 5.955;
    };
    let found = findings(&report_of(begun_late, |_| ()));
    assert_eq!(
        found[0],
        "Between 6.0 s and 12.0 s the database was not writable: write-through answered next to \
         none, about 45 of about 6,000 requests that were due meanwhile (about 6,000 waited or were \
         never sent)."
    );
}

#[test]
fn the_longest_answer_is_also_looked_for_right_after_the_fault_but_not_before() {
    let found = findings(&report_of(
        away(1_000.0, 0.0, 0.0),
        away(1_000.0, 1_000.0, 0.0),
    ));
    assert_eq!(
        found[1],
        "Of the answers that came then or in the 5 s after, the longest took 5.8 s with \
         write-behind, 5.8 s with write-through."
    );
}

#[test]
fn where_requests_were_never_sent_it_is_not_said_that_none_failed() {
    let neither = "Neither failed a request.";
    let all_sent = findings(&report_of(sent(5_000, 0, 0, 9.0), sent(5_000, 0, 0, 9.0)));
    assert!(all_sent.contains(&neither.to_owned()), "{all_sent:?}");
    let found = findings(&report_of(sent(5_000, 0, 0, 9.0), sent(4_990, 0, 10, 9.0)));
    assert!(!found.contains(&neither.to_owned()), "{found:?}");
    let fell_behind = "write-behind fell behind: 10 of 5,000 requests were never sent, since no \
                       connection was free in time.";
    assert!(found.contains(&fell_behind.to_owned()), "{found:?}");
}

fn verdicts(report: &Report, place: &str) -> usize {
    let found = findings(report);
    found.iter().filter(|found| found.contains(place)).count()
}

#[test]
fn a_percentile_of_unsent_requests_has_no_faster_service() {
    let p99 = "at the 99th percentile";
    let report = |unsent| {
        report_of(
            sent(10_000 - unsent, 0, unsent, 1.0),
            sent(10_000, 0, 0, 4.0),
        )
    };
    assert_eq!(verdicts(&report(100), p99), 1);
    assert_eq!(verdicts(&report(101), p99), 0);
    assert_eq!(verdicts(&report(5_000), "at the median"), 1);
    assert_eq!(verdicts(&report(5_001), "at the median"), 0);

    let table = text(&report(101), 80);
    assert_eq!(cells(&table, "p90"), ["0.625", "2.50"]);
    assert_eq!(cells(&table, "p99"), ["≥1.00", "4.00"]);
    assert_eq!(cells(&table, "longest"), ["≥6.30", "25.2"]);
    let bold = "<th scope=\"row\">p99</th><td><b>1.00</b></td><td>4.00</td>";
    assert!(page(&report(100)).contains(bold));
    let bound = "<th scope=\"row\">p99</th><td>≥1.00</td><td>4.00</td>";
    assert!(page(&report(101)).contains(bound));
}

#[test]
fn who_is_fast_since_much_of_one_operation_fails_is_not_praised_without_that() {
    let mixed = |failed, p99_ms| {
        move |service: &mut ServiceReport| {
            let operation = |operation, failed| OperationReport {
                operation,
                succeeded: 20_000 - failed,
                failed,
                latency: latency(20_000 - failed, p99_ms / 4.0, p99_ms),
            };
            service.operations = vec![operation("write", failed), operation("read", 0)];
        }
    };
    // Of all requests fewer than one in a hundred.
    let found = findings(&report_of(mixed(300, 1.0), mixed(0, 4.0)));
    assert_eq!(
        found[..2],
        [
            "Writes alone: write-through answered 4.0 times as fast at the 99th percentile (1.0 ms \
             against 4.0 ms), but failed 1.5 % of these, which are not counted here.",
            "Reads alone: write-through answered 4.0 times as fast at the 99th percentile (1.0 ms \
             against 4.0 ms).",
        ]
    );
}

#[test]
fn how_long_failures_took_has_rows_of_its_own_where_there_are_any() {
    let table = text(&named("outage"), 80);
    let rows = table.split("\nLatency of failures (ms)\n").nth(1).unwrap();
    assert_eq!(cells(rows, "p50"), ["2.20", "–"]);
    assert_eq!(cells(rows, "longest"), ["189,000", "–"]);
    assert!(!text(&named("steady"), 80).contains("Latency of failures"));
}

#[test]
fn the_tile_says_of_what_it_shows_99_percent() {
    let of_all = "<h2>99 % answered within</h2>";
    let of_answered = "<h2>99 % of those answered, within</h2>";
    let tiles = |failed, unsent| {
        let page = page(&report_of(
            sent(10_000 - failed - unsent, failed, unsent, 1.0),
            sent(10_000, 0, 0, 4.0),
        ));
        (page.contains(of_all), page.contains(of_answered))
    };
    assert_eq!(tiles(100, 0), (true, false));
    assert_eq!(tiles(101, 0), (false, true));
    assert_eq!(tiles(0, 100), (true, false));
    assert_eq!(tiles(0, 101), (false, false));
    assert_eq!(tiles(101, 101), (false, false));
}
