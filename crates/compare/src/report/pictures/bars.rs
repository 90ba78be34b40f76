//! Bars side by side, each with its figure.

use super::drawing::{Drawing, Layout, class};
use super::kind::Kind;
use super::legend::{self, Entry};
use crate::pattern::Pattern;
use crate::report::Report;

/// Bars of the same thing.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) bars: Vec<Bar>,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) pattern: Pattern,
    pub(super) value: f64,
    /// The figure as it is written beside the bar.
    pub(super) text: String,
}

const BAR: f64 = 16.0;
const BAR_GAP: f64 = 4.0;
const GROUP_GAP: f64 = 16.0;
const TITLE: f64 = 30.0;
/// For the pattern's marker.
const MARKER: f64 = 14.0;

/// The bars of all groups on one scale.
pub(super) fn draw(layout: Layout, width: f64, title: &str, groups: &[Group]) -> Drawing {
    let bar_count: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = TITLE + bar_count as f64 * (BAR + BAR_GAP) + groups.len() as f64 * GROUP_GAP;
    let mut drawing = Drawing::sized(layout, width, height);
    drawing.text("soft", 0.0, 14.0, "start", title);
    drawing.describe(&format!("{title}:"));

    let labels = groups.iter().map(|group| layout.text_width(&group.label));
    let left = labels.fold(layout.choose(84.0, 62.0), f64::max) + 12.0 + MARKER;
    let bars = || groups.iter().flat_map(|group| &group.bars);
    let texts = bars().map(|bar| layout.text_width(&bar.text));
    let room = width - left - texts.fold(0.0, f64::max) - 18.0;
    let values = bars()
        .map(|bar| bar.value)
        .filter(|value| value.is_finite());
    let largest = values.fold(0.0, f64::max);

    let mut y = TITLE;
    for group in groups {
        let group_height = group.bars.len() as f64 * (BAR + BAR_GAP) - BAR_GAP;
        let middle = y + group_height / 2.0 + 4.5;
        drawing.text("", left - 12.0 - MARKER, middle, "end", &group.label);
        drawing.segment("axis", (left, y - 4.0), (left, y + group_height + 4.0));
        for bar in &group.bars {
            let share = match largest > 0.0 && bar.value.is_finite() {
                true => (bar.value / largest).clamp(0.0, 1.0),
                false => 0.0,
            };
            let length = room.max(10.0) * share;
            drawing.marker(
                bar.pattern,
                "main",
                (left - MARKER / 2.0 - 2.0, y + BAR / 2.0),
            );
            drawing.rect(&format!("bar {}", class(bar.pattern)), left, y, length, BAR);
            let text = format!("name {}", class(bar.pattern));
            drawing.text(&text, left + length + 8.0, y + 12.5, "start", &bar.text);
            let (label, name) = (&group.label, bar.pattern.name());
            drawing.describe(&format!("{label}, {name}: {}.", bar.text));
            y += BAR + BAR_GAP;
        }
        y += GROUP_GAP;
    }
    drawing
}

/// The names of the patterns with their markers, above the bars.
pub(super) fn with_legend(report: &Report, bars: Drawing) -> Drawing {
    let layout = bars.layout();
    let services = report.services.iter();
    let entries: Vec<Entry> = services
        .map(|service| Entry {
            pattern: service.pattern,
            kind: Kind::Bar,
            name: service.pattern.name().to_owned(),
        })
        .collect();
    let top = legend::height(layout, &entries, layout.width()) + 8.0;
    let mut drawing = Drawing::new(layout, top + bars.height());
    legend::draw(&mut drawing, &entries, (-12.0, 0.0), layout.width());
    drawing.place(bars, 0.0, top);
    drawing
}
