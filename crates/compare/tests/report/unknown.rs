//! Of what was not measured, or too rarely, nothing is claimed.

use compare::pattern::Pattern;
use compare::report::findings::findings;
use compare::report::html::page;
use compare::report::pictures::{Picture, standalone};
use compare::report::table::text;
use compare::report::{Latency, Report};

use crate::figures::latency;
use crate::samples::{empty, named, silent};
use crate::table::cells;

/// So many requests each, write-behind twice as fast.
fn of_requests(count: u64) -> Report {
    let mut services = Pattern::BOTH.map(silent);
    services[0].latency = latency(count, 2.0, 8.0);
    services[1].latency = latency(count, 1.0, 4.0);
    Report {
        services: services.into(),
        ..empty()
    }
}

#[test]
fn ten_requests_beyond_a_percentile_are_needed_to_be_faster_at_it() {
    let is_told = |count, place: &str| {
        let found = findings(&of_requests(count));
        found.iter().any(|found| found.contains(place))
    };
    assert!(is_told(1_000, "at the 99th percentile"));
    assert!(!is_told(999, "at the 99th percentile"));
    assert!(is_told(20, "at the median"));
    assert!(!is_told(19, "at the median"));

    let bold = "<th scope=\"row\">p99</th><td>8.00</td><td><b>4.00</b></td>";
    assert!(page(&of_requests(1_000)).contains(bold));
    assert!(!page(&of_requests(999)).contains(bold));
}

#[test]
fn a_percentile_that_no_request_is_beyond_is_unknown() {
    let of = |count, label| cells(&text(&of_requests(count), 80), label);
    assert_eq!(of(10_000, "p99.99"), ["35.2", "17.6"]);
    assert!(of(9_999, "p99.99").is_empty());
    assert!(of(99, "p99").is_empty());
    assert_eq!(of(99, "p90"), ["5.00", "2.50"]);
    let tile = "99 % answered within";
    assert!(page(&of_requests(100)).contains(tile));
    assert!(!page(&of_requests(99)).contains(tile));
}

#[test]
fn the_picture_of_the_distribution_ends_where_no_request_is_beyond_or_too_many_were_never_sent() {
    let points = |count, unsent| {
        let mut report = named("steady");
        report.services.truncate(1);
        report.services[0].latency.count = count;
        report.services[0].unsent = unsent;
        let picture = standalone(&report, Picture::Distribution);
        let lines = picture.split(" d=\"").skip(1);
        let paths = lines.map(|rest| rest.split('"').next().unwrap());
        paths.map(|path| path.matches('L').count()).max().unwrap()
    };
    assert_eq!(points(1_000, 0) - points(100, 0), 10);
    assert_eq!(points(10_000, 0) - points(100, 0), 20);
    assert_eq!(points(10_000, 100), points(100, 0));
}

#[test]
fn writes_before_the_workload_are_not_among_those_that_rows_are_counted_for() {
    let mut report = named("steady");
    for service in &mut report.services {
        let load = service.database.as_mut().unwrap();
        (load.rows, load.commits) = (500, 250);
        load.rows_per_write = Some(0.5);
        service.acknowledged = 1_000;
        service.check.as_mut().unwrap().acknowledged = 11_000;
    }
    let found = findings(&report);
    for sentence in [
        "Both brought about 50 rows into the database for each 100 acknowledged writes.",
        "Both committed about 25 transactions for each 100 acknowledged writes.",
    ] {
        assert!(found.contains(&sentence.to_owned()), "{found:?}");
    }
    let picture = standalone(&report, Picture::DatabaseLoad);
    assert!(picture.contains("commits, write-through: 25."), "{picture}");

    for service in &mut report.services {
        service.acknowledged = 0;
    }
    let found = findings(&report);
    assert!(
        !found.iter().any(|found| found.contains("for each 100")),
        "{found:?}"
    );
    let picture = standalone(&report, Picture::DatabaseLoad);
    assert!(picture.contains("Nothing was measured."), "{picture}");
}

#[test]
fn of_a_database_that_did_not_have_everything_in_time_no_price_is_told() {
    let mut report = named("steady");
    let behind = &mut report.services[1];
    behind.settled_after_s = None;
    behind.check.as_mut().unwrap().asked = "service";
    let found = findings(&report);
    let unsettled = "write-behind did not report within two minutes after the last request that the \
                     database had everything; up to 131 writes waited in the journal.";
    assert!(found.contains(&unsettled.to_owned()), "{found:?}");
    for claim in [
        "The price of",
        "write-behind brought",
        "write-behind committed",
        "at most",
    ] {
        assert!(
            !found.iter().any(|found| found.contains(claim)),
            "{claim} is in {found:?}"
        );
    }
    let table = text(&report, 80);
    assert_eq!(cells(&table, "rows a write"), ["1.00", "–"]);
    let page = page(&report);
    assert!(
        !page.contains("<th scope=\"row\">commits</th><td>4,460</td><td><b>"),
        "{page}"
    );
}

#[test]
fn write_through_has_a_write_in_the_database_when_it_answers() {
    let mut report = named("steady");
    let table = text(&report, 80);
    let lag = table.split("From answer to commit (ms)\n").nth(1).unwrap();
    assert_eq!(cells(lag, "p50"), ["0", "24.0"]);
    assert_eq!(cells(lag, "longest"), ["0", "182"]);
    assert!(page(&report).contains("write-through</dt>\n<dd class=\"wt\">0 ms<"));
    // Without a write there is none to speak of.
    report.services[0].commit_lag = Some(Latency::default());
    let table = text(&report, 80);
    let lag = table.split("From answer to commit (ms)\n").nth(1).unwrap();
    assert_eq!(cells(lag, "p50"), ["–", "24.0"]);
}

#[test]
fn what_became_of_the_database_is_told_as_it_was_done() {
    let mut report = named("outage");
    let said = |report: &Report, what: &str| {
        page(report).contains(&format!("From 6.0 s to 12.0 s the database {what}."))
    };
    assert!(said(&report, "could not be reached"));
    for service in &mut report.services {
        service.fault.as_mut().unwrap().what = "database not writable".to_owned();
    }
    assert!(said(&report, "could not be written"));
    for service in &mut report.services {
        service.fault = None;
    }
    assert!(said(&report, "was to be out of order"));
}

#[test]
fn a_workload_is_called_by_a_name_only_if_it_has_one() {
    let heading = "as many requests as it answers for 20 s, 50 % reads";
    let mut report = named("steady");
    assert!(page(&report).contains(&format!("mixed: {heading}")));
    report.workload.preset = None;
    assert!(page(&report).contains(&format!("<p class=\"soft\">{heading}")));
}

#[test]
fn the_findings_end_with_how_much_of_them_may_be_chance() {
    let found = findings(&named("steady"));
    assert!(
        found
            .last()
            .unwrap()
            .starts_with("This is one run of each, write-through first:")
    );
    let alone = findings(&named("interrupted"));
    assert!(
        !alone.iter().any(|found| found.contains("may be chance")),
        "{alone:?}"
    );
}
