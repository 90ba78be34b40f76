//! Which pattern to take, in three lines: when, what it costs, and what an outage does.
//!
//! The sentences are templates. A figure is in one only where the runs of the two patterns differ by
//! more than chance; what was not measured is not mentioned.

use super::measured::{Difference, Measured};
use super::rows::{
    COMMITS, CPU, IN_TIME_DISTURBED, OLDEST, Row, SETTLED, WAITING, WRITE_P50, WRITE_P99,
};
use super::{Report, Scenario, figure};
use crate::pattern::Pattern;
use crate::workload::FaultKind;

const THROUGH: Pattern = Pattern::WriteThrough;
const BEHIND: Pattern = Pattern::WriteBehind;

/// The lines, first what was lost. Nothing is said of two patterns where one was not measured.
pub fn verdict(report: &Report) -> Vec<String> {
    let mut lines = losses(report);
    let compared = |scenario: &&Scenario| {
        Pattern::BOTH
            .iter()
            .all(|one| scenario.of(*one).next().is_some())
    };
    let scenarios: Vec<&Scenario> = report.scenarios.iter().filter(compared).collect();
    if !scenarios.is_empty() {
        lines.push(take(&scenarios));
        lines.extend(costs(&scenarios));
        lines.extend(outages(&scenarios));
    }
    lines
}

fn losses(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for pattern in report.patterns() {
        let runs = report.runs().filter(|run| run.pattern == pattern);
        let checks = runs.filter_map(|run| run.check.as_ref());
        let (lost, stale) = checks.fold((0, 0), |(lost, stale), check| {
            (lost + check.lost, stale + check.stale_reads)
        });
        if lost + stale > 0 {
            let cry = match pattern.is_naive() {
                true => "as plain handlers do",
                false => "THAT MUST NOT BE",
            };
            lines.push(format!(
                "{} LOST DATA, {cry}: the last acknowledged write of {} names, and {} reads were stale.",
                pattern.name(),
                figure::count(lost as f64),
                figure::count(stale as f64)
            ));
        }
    }
    lines
}

/// When to take write-behind.
fn take(scenarios: &[&Scenario]) -> String {
    let mut reasons = Vec::new();
    let sooner = |scenario: &&Scenario| {
        let mut rows = [WRITE_P50, WRITE_P99].into_iter();
        let (row, (one, other)) = rows.find_map(|row| Some((row, less(&row, scenario)?)))?;
        let what = if row.label == WRITE_P99.label {
            " at p99"
        } else {
            ""
        };
        let (one, other) = (row.text(Some(&one)), row.text(Some(&other)));
        Some(format!("{}: {one} against {other}{what}", scenario.name()))
    };
    let undisturbed = scenarios
        .iter()
        .filter(|scenario| scenario.workload.fault.is_none());
    let faster: Vec<String> = undisturbed.filter_map(sooner).collect();
    if !faster.is_empty() {
        reasons.push(format!(
            "a write must be answered sooner ({})",
            faster.join("; ")
        ));
    }
    if let Some((behind, through)) = scenarios.iter().find_map(|one| less(&COMMITS, one)) {
        reasons.push(format!(
            "the database is to be spared ({} commits for 100 writes against {})",
            COMMITS.text(Some(&behind)),
            COMMITS.text(Some(&through))
        ));
    }
    if scenarios.iter().any(|scenario| goes_on(scenario)) {
        reasons.push("writes must go on while the database is unavailable".to_owned());
    }
    match reasons.is_empty() {
        true => "Take write-through: nothing that was measured here is better with write-behind."
            .to_owned(),
        false => format!(
            "Take write-behind if {}. Else take write-through: an answered write is in the database.",
            reasons.join(", or ")
        ),
    }
}

/// The figure of write-behind and of write-through, where the former is the lower.
fn less(row: &Row, scenario: &Scenario) -> Option<(Measured, Measured)> {
    let (behind, through) = (row.of(scenario, BEHIND)?, row.of(scenario, THROUGH)?);
    match behind.differs(&through) {
        Difference::Second(_) => Some((behind, through)),
        Difference::First(_) | Difference::None => None,
    }
}

/// Whether write-behind answers more in time than write-through while the database is disturbed.
fn goes_on(scenario: &Scenario) -> bool {
    let of = |pattern| IN_TIME_DISTURBED.of(scenario, pattern);
    match (of(BEHIND), of(THROUGH)) {
        (Some(behind), Some(through)) => {
            matches!(behind.differs(&through), Difference::First(_))
        }
        _ => false,
    }
}

/// What write-behind costs where nothing is wrong.
fn costs(scenarios: &[&Scenario]) -> Option<String> {
    let undisturbed = |scenario: &&&Scenario| scenario.workload.fault.is_none();
    let mut alone = Vec::new();
    for scenario in scenarios.iter().filter(undisturbed) {
        let (depth, age) = (WAITING.of(scenario, BEHIND)?, OLDEST.of(scenario, BEHIND)?);
        alone.push(format!(
            "{}: up to {} of them, the oldest for {}",
            scenario.name(),
            figure::count(depth.largest()),
            figure::seconds(age.largest())
        ));
    }
    let first = scenarios.iter().find(undisturbed)?;
    let cpu = |pattern| CPU.of(first, pattern);
    let (behind, through) = (cpu(BEHIND), cpu(THROUGH));
    let processor = match (&behind, &through) {
        (Some(one), Some(other)) => match one.differs(other) {
            Difference::None => "about the same processor time".to_owned(),
            Difference::First(ratio) => {
                format!("{} times the processor time", figure::two_digits(ratio))
            }
            Difference::Second(ratio) => format!(
                "less processor time (write-through takes {} times as much)",
                figure::two_digits(ratio)
            ),
        },
        _ => String::new(),
    };
    let and = if processor.is_empty() { "" } else { ", and " };
    Some(format!(
        "It costs a journal, which alone has answered writes for a while ({}){and}{processor}.",
        alone.join("; ")
    ))
}

/// What became of the requests in each outage or slow-down.
fn outages(scenarios: &[&Scenario]) -> Vec<String> {
    let outage = |scenario: &&Scenario| {
        let of = |pattern| IN_TIME_DISTURBED.of(scenario, pattern);
        let (through, behind) = (of(THROUGH)?, of(BEHIND)?);
        let fault = scenario.runs.iter().find_map(|run| run.fault.as_ref())?;
        let [through, behind] = [through, behind].map(|one| figure::percent(one.median().number));
        let waiting = WAITING.of(scenario, BEHIND);
        let journal = match (
            waiting,
            OLDEST.of(scenario, BEHIND),
            SETTLED.of(scenario, BEHIND),
        ) {
            (Some(depth), Some(age), Some(after)) => format!(
                " with up to {} writes in the journal alone, the oldest for {}; the database had them all {} after \
                 the last request",
                figure::count(depth.largest()),
                figure::seconds(age.largest()),
                figure::seconds(after.largest())
            ),
            (Some(depth), Some(age), None) => format!(
                " with up to {} writes in the journal alone, the oldest for {}; the database did not get them in \
                 time",
                figure::count(depth.largest()),
                figure::seconds(age.largest())
            ),
            _ => String::new(),
        };
        let when = match scenario.workload.fault.map(|fault| fault.kind) {
            Some(FaultKind::SlowDown { .. }) => "While it is slow",
            _ => "In an outage",
        };
        Some(format!(
            "{when} ({} for {}) write-through answers {through} of the requests within 1 s, write-behind \
             {behind}{journal}.",
            fault.what,
            figure::seconds(fault.until_s - fault.from_s)
        ))
    };
    scenarios.iter().filter_map(outage).collect()
}
