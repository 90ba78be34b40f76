//! The three lines, and the table below them.

use compare::pattern::Pattern;
use compare::report::{table, warnings};

use crate::samples::{broken, disturbed, nothing, report, run, usual};

const BOTH: [Pattern; 2] = Pattern::BOTH;

#[test]
fn the_verdict_says_when_what_it_costs_and_what_an_outage_does() {
    assert_eq!(
        usual().verdict,
        [
            "Take write-behind if a write must be answered sooner (steady: 0.80 ms against 2.2 ms; burst: 6.0 ms \
             against 162 ms), or the database is to be spared (2.4 commits for 100 writes against 70), or writes \
             must go on while the database is unavailable. Else take write-through: an answered write is in the \
             database.",
            "It costs a journal, which alone has answered writes for a while (steady: up to 30 of them, the oldest \
             for 28 ms; burst: up to 30 of them, the oldest for 28 ms), and about the same processor time.",
            "In an outage (database away for 2.0 s) write-through answers 25 % of the requests within 1 s, \
             write-behind 100 % with up to 2,412 writes in the journal alone, the oldest for 2.1 s; the database \
             had them all 200 ms after the last request.",
        ]
    );
}

#[test]
fn a_difference_within_the_runs_own_is_no_reason() {
    // Twice as fast in the middle, and the runs of the two overlap.
    let runs = |pattern, times: [f64; 3]| times.map(|ms| run(pattern, ms)).to_vec();
    let mut even = [
        runs(BOTH[0], [1.0, 2.0, 3.0]),
        runs(BOTH[1], [0.5, 1.0, 2.5]),
    ]
    .concat();
    for run in &mut even {
        run.database = None;
    }
    let report = report([even, Vec::new(), Vec::new()]);
    assert!(
        report.verdict[0].starts_with("Take write-through: nothing"),
        "{:?}",
        report.verdict
    );
    let text = table::text(&report, false);
    let line = text
        .lines()
        .find(|line| line.contains("a write takes, median"))
        .unwrap();
    assert!(line.ends_with("2.0 ms         1.0 ms   none"), "{text}");
}

#[test]
fn failures_are_not_speed() {
    // It fails at once what it does not answer, and what it answers it answers soon.
    let mut quick = disturbed(BOTH[1], 0.06);
    quick.operations[0].failed = 2_000;
    quick.database = None;
    let report = report([Vec::new(), Vec::new(), vec![disturbed(BOTH[0], 0.9), quick]]);
    let verdict = report.verdict.join(" ");
    assert!(
        verdict
            .contains("write-through answers 90 % of the requests within 1 s, write-behind 6.0 %")
    );
    assert!(verdict.starts_with("Take write-through"), "{verdict}");
    assert!(
        !verdict.contains("sooner") && !verdict.contains("times"),
        "{verdict}"
    );
}

#[test]
fn what_was_lost_is_said_first_and_plain_handlers_fail_no_comparison() {
    let mut report = broken();
    assert!(report.verdict[0].starts_with("write-behind LOST DATA, THAT MUST NOT BE"));
    assert!(report.verdict[1].starts_with("naive-through LOST DATA, as plain handlers do"));
    assert!(report.has_losses());
    report.scenarios[2]
        .runs
        .retain(|run| run.pattern != BOTH[1]);
    assert!(!report.has_losses());
}

#[test]
fn the_table_has_a_dozen_rows_and_every_line_fits() {
    let text = table::text(&usual(), false);
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let rows = text.lines().filter(|line| line.starts_with("  ")).count();
    // Without the line of the columns' names.
    assert!((10..=14).contains(&(rows - 1)), "{text}");
    let details = table::text(&usual(), true);
    for (label, cells) in [
        (
            "  a write takes, median",
            "2.2 ms        0.80 ms   2.8 times",
        ),
        (
            "answered within 1 s meanwhile",
            "25 %          100 %   4.0 times",
        ),
        ("  commits for 100 writes", "70            2.4   29 times"),
        ("  acknowledged writes lost", "0              0"),
    ] {
        let line = text.lines().find(|line| line.contains(label)).unwrap();
        assert!(line.ends_with(cells), "{line}");
        assert!(details.contains(cells), "{details}");
    }
    // A bucket's bound is said to be one, and beyond the last bucket there is none.
    let line = |label: &str| {
        details
            .lines()
            .find(|line| line.contains(label))
            .unwrap()
            .to_owned()
    };
    assert!(line("in the database, median ≤").ends_with("–          25 ms"));
    assert!(!details.contains("in the database, p99"), "{details}");
    assert!(table::text(&nothing(), false).contains("Nothing was measured."));
}

#[test]
fn times_of_requests_that_were_never_sent_are_lower_bounds() {
    let mut late = run(BOTH[0], 900.0);
    // Of 3,000 writes 2,000 were never sent.
    late.operations[0].succeeded = 1_000;
    late.unsent = 2_000;
    let report = report([vec![late, run(BOTH[1], 9.0)], Vec::new(), Vec::new()]);
    let text = table::text(&report, false);
    assert!(text.contains("≥900 ms"), "{text}");
}

#[test]
fn warnings_are_about_other_programs_and_the_tools_own_limit() {
    let mut report = usual();
    assert_eq!(warnings(&report), [""; 0]);
    report.scenarios[0].runs[0].others_cpu_share = Some(0.3);
    report.ceiling.as_mut().unwrap().requests_per_second = 15_000.0;
    report.interrupted = true;
    let found = warnings(&report);
    // A burst asks for 12,000 a second.
    for (warning, says) in found
        .iter()
        .zip(["interrupted", "30 %", "burst: up to 12000"])
    {
        assert!(warning.contains(says), "{found:?}");
    }
    assert_eq!(found.len(), 3);
}
