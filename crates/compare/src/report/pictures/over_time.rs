//! What happened when.

use super::axis::Axis;
use super::chart::{Chart, Line, Tip};
use super::drawing::{Drawing, Layout};
use super::kind::Kind;
use crate::report::{FaultSpan, Report, ServiceReport, Slice, figure};

const TIME: &str = "time since the first request";
/// More slices than this have no texts of their own, since they would be thinner than the
/// pointer.
const TIPS_MAX: usize = 240;

/// What a line shows of each slice.
pub(super) struct Shown {
    pub(super) kind: Kind,
    /// What follows the pattern's name: ` p99`.
    pub(super) name: &'static str,
    pub(super) value: fn(&Slice) -> Option<f64>,
}

/// What a chart over time shows.
pub(super) struct OverTime<'a> {
    pub(super) shown: &'a [Shown],
    pub(super) y_label: &'static str,
    /// The axis for the figures, with about so many ticks.
    pub(super) y: fn(&[f64], u32) -> Option<Axis>,
    pub(super) height: (f64, f64),
    pub(super) write: fn(f64) -> String,
}

impl OverTime<'_> {
    /// `None` where nothing was measured.
    pub(super) fn draw(&self, report: &Report, layout: Layout) -> Option<Drawing> {
        let lines: Vec<Line> = report
            .services
            .iter()
            .flat_map(|service| self.shown.iter().map(move |shown| line(service, shown)))
            .filter(|line| line.values().next().is_some())
            // A dotted line at zero only says that there is nothing to see.
            .filter(|line| line.kind != Kind::Failed || line.values().any(|value| value > 0.0))
            .collect();
        if lines.is_empty() {
            return None;
        }
        let values: Vec<f64> = lines.iter().flat_map(Line::values).collect();
        let chart = Chart {
            x: Axis::time(until_s(report), layout.choose(8, 4)),
            x_label: TIME,
            y: (self.y)(&values, layout.choose(5, 4))?,
            y_label: self.y_label,
            height: layout.choose(self.height.0, self.height.1),
            lines,
            faults: faults(report),
            tips: match layout {
                Layout::Wide => self.tips(report),
                // A finger has no pointer that could rest.
                Layout::Narrow => Vec::new(),
            },
            write: self.write,
        };
        Some(chart.draw(layout))
    }

    fn tips(&self, report: &Report) -> Vec<Tip> {
        let longest = report
            .services
            .iter()
            .max_by_key(|service| service.timeline.len());
        let slices = longest.map_or(&[][..], |service| &service.timeline);
        if slices.len() > TIPS_MAX {
            return Vec::new();
        }
        let tip = |(index, slice): (usize, &Slice)| {
            let until_s = slice.at_s + slice.seconds;
            let mut text = format!(
                "{} to {}",
                figure::moment(slice.at_s),
                figure::moment(until_s)
            );
            for service in &report.services {
                let Some(slice) = service.timeline.get(index) else {
                    continue;
                };
                for shown in self.shown {
                    if let Some(value) = (shown.value)(slice) {
                        let value = (self.write)(value);
                        let name = service.pattern.name();
                        text.push_str(&format!("\n{name}{}: {value}", shown.name));
                    }
                }
            }
            Tip {
                from: slice.at_s,
                until: until_s,
                text,
            }
        };
        slices.iter().enumerate().map(tip).collect()
    }
}

fn line(service: &ServiceReport, shown: &Shown) -> Line {
    let point = |slice: &Slice| {
        let value = (shown.value)(slice).filter(|value| value.is_finite());
        (slice.at_s + slice.seconds / 2.0, value)
    };
    Line {
        pattern: service.pattern,
        kind: shown.kind,
        name: format!("{}{}", service.pattern.name(), shown.name),
        points: service.timeline.iter().map(point).collect(),
    }
}

/// The end of the last slice of any service.
fn until_s(report: &Report) -> f64 {
    let slices = report.services.iter().flat_map(|service| &service.timeline);
    let ends = slices.map(|slice| slice.at_s + slice.seconds);
    ends.filter(|end| end.is_finite()).fold(0.0, f64::max)
}

fn faults(report: &Report) -> Vec<FaultSpan> {
    let faults = report
        .services
        .iter()
        .filter_map(|service| service.fault.clone());
    faults
        .filter(|fault| fault.until_s > fault.from_s)
        .collect()
}

/// From 0 to the largest.
pub(super) fn linear(values: &[f64], steps: u32) -> Option<Axis> {
    let largest = values.iter().copied().reduce(f64::max)?;
    Some(Axis::linear(largest, steps, ""))
}

fn milliseconds(values: &[f64], _steps: u32) -> Option<Axis> {
    Axis::logarithmic(values.iter().copied(), "ms")
}

fn share(_values: &[f64], steps: u32) -> Option<Axis> {
    Some(Axis::linear(100.0, steps, "%"))
}

pub(super) fn throughput(report: &Report, layout: Layout) -> Option<Drawing> {
    let chart = OverTime {
        shown: &[
            Shown {
                kind: Kind::Main,
                name: "",
                value: |slice| Some(slice.per_second),
            },
            Shown {
                kind: Kind::Failed,
                name: " failed",
                value: |slice| Some(slice.failed_per_second),
            },
        ],
        y_label: "requests a second",
        y: linear,
        height: (260.0, 170.0),
        write: figure::whole,
    };
    chart.draw(report, layout)
}

pub(super) fn latency(report: &Report, layout: Layout) -> Option<Drawing> {
    let chart = OverTime {
        shown: &[
            Shown {
                kind: Kind::Main,
                name: " p99",
                value: |slice| slice.p99_ms,
            },
            Shown {
                kind: Kind::Lesser,
                name: " p50",
                value: |slice| slice.p50_ms,
            },
        ],
        y_label: "latency, logarithmic",
        y: milliseconds,
        height: (280.0, 200.0),
        write: figure::milliseconds,
    };
    chart.draw(report, layout)
}

pub(super) fn rows(report: &Report, layout: Layout) -> Option<Drawing> {
    let chart = OverTime {
        shown: &[Shown {
            kind: Kind::Main,
            name: "",
            value: |slice| slice.database_rows_per_second,
        }],
        y_label: "rows a second",
        y: linear,
        height: (220.0, 150.0),
        write: figure::whole,
    };
    chart.draw(report, layout)
}

pub(super) fn cache_hits(report: &Report, layout: Layout) -> Option<Drawing> {
    let chart = OverTime {
        shown: &[Shown {
            kind: Kind::Main,
            name: "",
            value: |slice| Some(slice.cache_hit_share? * 100.0),
        }],
        y_label: "share of reads",
        y: share,
        height: (180.0, 140.0),
        write: |percent| figure::percent(percent / 100.0),
    };
    chart.draw(report, layout)
}
