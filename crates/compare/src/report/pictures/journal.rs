//! What waited in the journal: how much, and for how long.

use super::drawing::{Drawing, Layout};
use super::kind::Kind;
use super::over_time::{OverTime, Shown, linear};
use crate::report::{Report, figure};

pub(super) fn draw(report: &Report, layout: Layout) -> Option<Drawing> {
    let depth = OverTime {
        shown: &[Shown {
            kind: Kind::Main,
            name: "",
            value: |slice| slice.journal_depth.map(|depth| depth as f64),
        }],
        y_label: "writes that wait",
        y: linear,
        height: (150.0, 120.0),
        write: figure::whole,
    };
    let age = OverTime {
        shown: &[Shown {
            kind: Kind::Main,
            name: "",
            value: |slice| slice.journal_age_s,
        }],
        y_label: "age of the oldest, in seconds",
        y: linear,
        height: (150.0, 120.0),
        write: figure::seconds,
    };
    let charts = [depth, age];
    let drawings = charts.iter().filter_map(|chart| chart.draw(report, layout));
    Drawing::stacked(drawings.collect(), 14.0)
}
