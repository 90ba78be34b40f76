//! Why figures may mean less than they seem to.

use compare::report::{Ceiling, Report};
use compare::warnings::warnings;
use compare::workload::{Bursts, Rate};
use std::time::Duration;

use crate::samples;

/// Both services answered 100 requests a second, of a tool that drives 1,000.
fn report() -> Report {
    let mut report = samples::named("steady");
    report.interrupted = false;
    report.ceiling = Some(Ceiling {
        requests_per_second: 1_000.0,
        tool_cpu_us_per_request: 10.0,
    });
    report.workload.rate = Rate::PerSecond(100.0);
    report.workload.bursts = None;
    assert_eq!(report.services.len(), 2);
    for service in &mut report.services {
        service.per_second = 100.0;
    }
    report
}

fn bursts(factor: f64) -> Option<Bursts> {
    Some(Bursts {
        factor,
        period: Duration::from_secs(5),
        share: 0.2,
    })
}

#[test]
fn where_nothing_is_wrong_nothing_is_said() {
    assert_eq!(warnings(&report()), [""; 0]);
    let mut saturating = report();
    saturating.workload.rate = Rate::Saturation;
    saturating.workload.bursts = bursts(100.0);
    assert_eq!(warnings(&saturating), [""; 0]);
}

#[test]
fn an_interruption_is_said() {
    let mut report = report();
    report.interrupted = true;
    assert_eq!(
        warnings(&report),
        ["It was interrupted: the figures are those of what was done until then."]
    );
}

#[test]
fn a_service_that_is_near_what_the_tool_can_drive_is_named() {
    let mut report = report();
    report.services[1].per_second = 699.0;
    assert_eq!(warnings(&report), [""; 0]);
    report.services[1].per_second = 800.0;
    let name = report.services[1].pattern.name();
    let said = warnings(&report);
    assert_eq!(said.len(), 1, "{said:?}");
    let begin = format!(
        "{name} answered 800 requests a second, 80 % of the most that this tool drives on this machine (1000)"
    );
    assert!(said[0].starts_with(&begin), "{said:?}");
    report.services[0].per_second = 2_000.0;
    assert_eq!(warnings(&report).len(), 2);
    // Nothing is known of the tool.
    report.ceiling = None;
    assert_eq!(warnings(&report), [""; 0]);
}

#[test]
fn a_rate_that_the_tool_can_hardly_drive_is_said_with_its_bursts() {
    let mut report = report();
    let said = |report: &Report| warnings(report).concat();
    report.workload.rate = Rate::PerSecond(699.0);
    assert_eq!(said(&report), "");
    report.workload.rate = Rate::PerSecond(701.0);
    let begin =
        "The workload asks for up to 701 requests a second, and this tool drives 1000 at most";
    assert!(said(&report).starts_with(begin), "{}", said(&report));

    report.workload.rate = Rate::PerSecond(100.0);
    report.workload.bursts = bursts(6.9);
    assert_eq!(said(&report), "");
    report.workload.bursts = bursts(8.0);
    let begin = "The workload asks for up to 800 requests a second";
    assert!(said(&report).starts_with(begin), "{}", said(&report));
}

#[test]
fn programs_that_had_the_processors_beside_a_service_are_said() {
    let mut report = report();
    report.services[0].others_cpu_share = Some(0.15);
    report.services[1].others_cpu_share = None;
    assert_eq!(warnings(&report), [""; 0]);
    report.services[1].others_cpu_share = Some(0.16);
    assert_eq!(
        warnings(&report),
        [
            "While write-behind was measured, programs that are no part of this used 16 % of the processors: \
             end them and measure again."
        ]
    );
}
