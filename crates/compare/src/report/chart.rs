//! The report's four charts, as SVG of one width that scales with the page.

use std::fmt::Write as _;

use super::escape::escape;
use super::rows::{IN_TIME_DISTURBED, TOOL, WRITE_P99, cpu_of};
use super::{FaultSpan, Report, Run, Scenario, figure};
use crate::pattern::Pattern;

/// Of the drawing's own units.
const WIDTH: f64 = 560.0;
const LEFT: f64 = 86.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BELOW: f64 = 46.0;

/// A chart with its heading.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) caption: &'static str,
    pub(super) svg: String,
}

/// Those of which something is known.
pub(super) fn charts(report: &Report) -> Vec<Chart> {
    let disturbed = report
        .scenarios
        .iter()
        .find(|one| one.workload.fault.is_some());
    let (Some(first), Some(over_time)) = (
        report.scenarios.first(),
        disturbed.or(report.scenarios.first()),
    ) else {
        return Vec::new();
    };
    let charts = [
        answered(report, over_time),
        distribution(report, first),
        journal(report, over_time),
        cost(report, first),
    ];
    charts.into_iter().flatten().collect()
}

/// One line of a pattern.
struct Line {
    pattern: Pattern,
    points: Vec<(f64, f64)>,
}

/// A part of an axis with the places of its labels.
struct Axis {
    from: f64,
    until: f64,
    logarithmic: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From 0 to at least `largest`, by 1, 2 or 5 times a power of ten.
    fn linear(largest: f64, write: fn(f64) -> String) -> Axis {
        let largest = largest.max(1e-9);
        let rough = largest / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let count = (largest / step - 1e-9).ceil() as u32;
        Axis {
            from: 0.0,
            until: f64::from(count) * step,
            logarithmic: false,
            ticks: (0..=count)
                .map(|tick| f64::from(tick) * step)
                .map(|at| (at, write(at)))
                .collect(),
        }
    }

    /// From the power of ten below the smallest to that above the largest.
    fn logarithmic(smallest: f64, largest: f64) -> Axis {
        let from = smallest.max(1e-3).log10().floor() as i32;
        let until = (largest.max(1e-3).log10().ceil() as i32).max(from + 1);
        Axis {
            from: 10_f64.powi(from),
            until: 10_f64.powi(until),
            logarithmic: true,
            ticks: (from..=until)
                .map(|power| 10_f64.powi(power))
                .map(|at| (at, figure::milliseconds(at)))
                .collect(),
        }
    }

    /// Percentiles: each step is a request ten times as rare.
    fn percentiles() -> Axis {
        let ticks = [
            (0.0, "0 %"),
            (1.0, "90 %"),
            (2.0, "99 %"),
            (3.0, "99.9 %"),
            (4.0, "99.99 %"),
        ];
        Axis {
            from: 0.0,
            until: 4.0,
            logarithmic: false,
            ticks: ticks.map(|(at, label)| (at, label.to_owned())).to_vec(),
        }
    }

    /// Where a value is, 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| {
            if self.logarithmic {
                value.max(self.from).log10()
            } else {
                value
            }
        };
        ((scale(value) - scale(self.from)) / (scale(self.until) - scale(self.from))).clamp(0.0, 1.0)
    }
}

/// Answers by when they were due.
fn answered(report: &Report, scenario: &Scenario) -> Option<Chart> {
    let line = |run: &Run| {
        let point = |slice: &super::Slice| {
            let middle = slice.at_s + slice.seconds / 2.0;
            (middle, slice.in_time as f64 / slice.seconds)
        };
        run.timeline.iter().map(point).collect()
    };
    let lines = lines(report, scenario, line);
    let fault = scenario.runs.iter().find_map(|run| run.fault.as_ref());
    Some(Chart {
        title: format!("Answered within a second ({})", scenario.name()),
        caption: "Requests a second, by when they were due. What failed, hung or came later is missing.",
        svg: over_time(&lines, 210.0, "requests a second", figure::count, fault)?,
    })
}

/// What waited in the journal, and for how long.
fn journal(report: &Report, scenario: &Scenario) -> Option<Chart> {
    let of = |value: fn(&super::Slice) -> Option<f64>| {
        lines(report, scenario, |run| {
            let point = |slice: &super::Slice| Some((slice.at_s + slice.seconds, value(slice)?));
            run.timeline.iter().filter_map(point).collect()
        })
    };
    let fault = scenario.runs.iter().find_map(|run| run.fault.as_ref());
    let depth = of(|slice| slice.journal_depth.map(|depth| depth as f64));
    let age = of(|slice| slice.journal_age_s);
    let depth = over_time(&depth, 75.0, "writes that wait", figure::count, fault)?;
    let age = over_time(&age, 75.0, "age of the oldest", figure::seconds, fault)?;
    Some(Chart {
        title: format!("Waiting in the journal ({})", scenario.name()),
        caption: "Writes that were answered and not yet in the database.",
        svg: format!("{depth}{age}"),
    })
}

/// The whole distribution of the latency.
fn distribution(report: &Report, scenario: &Scenario) -> Option<Chart> {
    let line = |run: &Run| {
        let beyond = run.unsent as f64 / run.latency.count.max(1) as f64;
        let known = |point: &&super::Percentile| 1.0 - point.percentile / 100.0 >= beyond;
        let place = |point: &super::Percentile| {
            let rare = 1.0 - point.percentile / 100.0;
            (-rare.log10(), point.latency_ms)
        };
        let points = run.percentiles.iter().filter(known).map(place);
        points.filter(|(x, y)| *x <= 4.0 && *y > 0.0).collect()
    };
    let lines = lines(report, scenario, line);
    let values = || {
        lines
            .iter()
            .flat_map(|line| line.points.iter().map(|(_, y)| *y))
    };
    let (smallest, largest) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
    let y = Axis::logarithmic(smallest, largest);
    Some(Chart {
        title: format!(
            "Latency, from the usual to the rarest ({})",
            scenario.name()
        ),
        caption: "The given share of the requests was answered within this time. Each step to the right is ten \
                  times as rare.",
        svg: drawn(
            &lines,
            (&Axis::percentiles(), "share of requests"),
            (&y, "latency"),
            210.0,
            None,
        ),
    })
}

/// Processor time for a write, by process.
fn cost(report: &Report, scenario: &Scenario) -> Option<Chart> {
    let mut bars: Vec<(String, Pattern, f64)> = Vec::new();
    let mut names: Vec<&'static str> = Vec::new();
    for used in report.runs().flat_map(|run| &run.processes) {
        if used.process != TOOL && !names.contains(&used.process) {
            names.push(used.process);
        }
    }
    for name in names {
        for pattern in report.patterns() {
            let run = middle(scenario, pattern);
            if let Some(value) = run.and_then(|run| cpu_of(run, name)) {
                bars.push((name.to_owned(), pattern, value.number));
            }
        }
    }
    let largest = bars
        .iter()
        .map(|(_, _, value)| *value)
        .reduce(f64::max)?
        .max(1e-9);
    let (mut body, mut said) = (String::new(), String::new());
    let mut y = 8.0;
    for (index, (name, pattern, value)) in bars.iter().enumerate() {
        if index > 0
            && bars
                .get(index - 1)
                .is_some_and(|(before, ..)| before != name)
        {
            y += 12.0;
        }
        let length = (WIDTH - LEFT - 200.0) * value / largest;
        let text = format!("{}, {}", figure::microseconds(*value), pattern.name());
        let (middle, class) = (y + 13.0, class(*pattern));
        let _ = write!(
            body,
            "<text x=\"{}\" y=\"{middle:.0}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"bar {class}\" x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"17\"/>\
             <text x=\"{:.1}\" y=\"{middle:.0}\">{}</text>",
            LEFT - 8.0,
            LEFT + length + 6.0,
            escape(&text)
        );
        said += &format!("{name}: {text}. ");
        y += 21.0;
    }
    Some(Chart {
        title: format!("What a write costs ({})", scenario.name()),
        caption: "Processor time of each process, for each acknowledged write; reads are in it.",
        svg: svg(y + 8.0, &said, &body),
    })
}

/// Of each pattern the run in the middle, so that a chart shows what happened once.
fn lines(report: &Report, scenario: &Scenario, of: impl Fn(&Run) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |pattern: Pattern| {
        let points = of(middle(scenario, pattern)?);
        (!points.is_empty()).then_some(Line { pattern, points })
    };
    report.patterns().into_iter().filter_map(line).collect()
}

fn middle(scenario: &Scenario, pattern: Pattern) -> Option<&Run> {
    let mut runs: Vec<&Run> = scenario.of(pattern).collect();
    let row = match scenario.workload.fault {
        Some(_) => IN_TIME_DISTURBED,
        None => WRITE_P99,
    };
    let of = |run: &Run| row.of_run(run).unwrap_or(0.0);
    runs.sort_by(|one, other| of(one).total_cmp(&of(other)));
    runs.get(runs.len().saturating_sub(1) / 2).copied()
}

fn over_time(
    lines: &[Line],
    height: f64,
    label: &str,
    write: fn(f64) -> String,
    fault: Option<&FaultSpan>,
) -> Option<String> {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let end_s = points().map(|(x, _)| *x).reduce(f64::max)?;
    let largest = points().map(|(_, y)| *y).reduce(f64::max)?;
    let (x, y) = (
        Axis::linear(end_s, figure::seconds),
        Axis::linear(largest, write),
    );
    Some(drawn(
        lines,
        (&x, "since the first request"),
        (&y, label),
        height,
        fault,
    ))
}

fn drawn(
    lines: &[Line],
    (x, x_label): (&Axis, &str),
    (y, y_label): (&Axis, &str),
    height: f64,
    fault: Option<&FaultSpan>,
) -> String {
    let (width, base) = (WIDTH - LEFT - RIGHT, TOP + height);
    let across = |value: f64| LEFT + width * x.place(value);
    let up = |value: f64| base - height * y.place(value);
    let mut body = format!(
        "<text class=\"soft\" x=\"0\" y=\"13\">{}</text>",
        escape(y_label)
    );
    let mut said = format!("{y_label} over {x_label}. ");
    if let Some(fault) = fault {
        let (from, until) = (across(fault.from_s), across(fault.until_s));
        let _ = write!(
            body,
            "<rect class=\"fault\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{height}\"/>\
             <text class=\"fault\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            until - from,
            (from + until) / 2.0,
            TOP - 6.0,
            escape(&fault.what)
        );
        said += &format!("Shaded: {}. ", fault.what);
    }
    for (value, label) in &y.ticks {
        let at = up(*value);
        let _ = write!(
            body,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (value, label) in &x.ticks {
        let at = across(*value);
        let anchor = if at > WIDTH - 30.0 { "end" } else { "middle" };
        let _ = write!(
            body,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{label}</text>",
            base + 20.0
        );
    }
    let middle = LEFT + width / 2.0;
    let _ = write!(
        body,
        "<text class=\"soft\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x_label}</text>",
        base + 39.0
    );
    // The first on top.
    for line in lines.iter().rev() {
        let places = line
            .points
            .iter()
            .map(|(x, y)| format!("{:.1} {:.1}", across(*x), up(*y)));
        let places: Vec<String> = places.collect();
        let class = class(line.pattern);
        let _ = write!(
            body,
            "<path class=\"line {class}\" d=\"M{}\"/>",
            places.join("L")
        );
    }
    for line in lines {
        said += &format!("{}: {} points. ", line.pattern.name(), line.points.len());
    }
    svg(base + BELOW, &said, &body)
}

/// The class of what belongs to a pattern.
pub(super) fn class(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::WriteThrough => "wt",
        Pattern::WriteBehind => "wb",
        Pattern::NaiveThrough => "nt",
        Pattern::NaiveBehind => "nb",
    }
}

fn svg(height: f64, said: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        escape(said.trim_end())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_reaches_the_largest_value_by_round_steps() {
        for (largest, labels) in [
            (1_000.0, &["0", "500", "1,000"][..]),
            (1_100.0, &["0", "500", "1,000", "1,500"]),
            (7.0, &["0", "2", "4", "6", "8"]),
        ] {
            let axis = Axis::linear(largest, figure::count);
            let found: Vec<&str> = axis.ticks.iter().map(|(_, label)| label.as_str()).collect();
            assert_eq!(found, labels);
            assert!(axis.until >= largest);
        }
        let times = Axis::logarithmic(0.3, 42.0);
        assert_eq!((times.from, times.until), (0.1, 100.0));
        assert_eq!((times.place(0.1), times.place(100.0)), (0.0, 1.0));
        assert!((times.place(1.0) - 1.0 / 3.0).abs() < 1e-9);
    }
}
