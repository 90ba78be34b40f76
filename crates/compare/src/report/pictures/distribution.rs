//! The whole distribution of the latency.

use super::axis::Axis;
use super::chart::{Chart, Line};
use super::drawing::{Drawing, Layout};
use super::kind::Kind;
use crate::report::quantile::Sampled;
use crate::report::{Percentile, Report, ServiceReport, figure};

pub(super) fn draw(report: &Report, layout: Layout) -> Option<Drawing> {
    let x = Axis::percentiles();
    let lines: Vec<Line> = report.services.iter().map(line).collect();
    let lines: Vec<Line> = lines
        .into_iter()
        .filter(|line| !line.points.is_empty())
        .collect();
    let values = lines.iter().flat_map(Line::values);
    let chart = Chart {
        y: Axis::logarithmic(values, "ms")?,
        x,
        x_label: "percentile of the answered requests",
        y_label: "latency, logarithmic",
        height: layout.choose(300.0, 200.0),
        lines,
        faults: Vec::new(),
        tips: Vec::new(),
        write: figure::milliseconds,
    };
    Some(chart.draw(layout))
}

fn line(service: &ServiceReport) -> Line {
    let shown = |point: &&Percentile| {
        // The longest of all is at no place on this axis.
        point.percentile <= 99.9905 && point.percentile >= 0.0 && point.latency_ms.is_finite()
    };
    let sampled = Sampled::all(service);
    let known = |point: &&Percentile| sampled.is_some_and(|sampled| sampled.has(point));
    let points = service.percentiles.iter().filter(shown).filter(known);
    Line {
        pattern: service.pattern,
        kind: Kind::Main,
        name: service.pattern.name().to_owned(),
        points: points
            .map(|point| (point.percentile, Some(point.latency_ms)))
            .collect(),
    }
}
