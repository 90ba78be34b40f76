//! Lines over an axis, each with its name.

use super::axis::Axis;
use super::drawing::{Drawing, Layout, class};
use super::kind::Kind;
use super::legend::{self, Entry};
use super::svg;
use crate::pattern::Pattern;
use crate::report::FaultSpan;

/// What one service did.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) pattern: Pattern,
    pub(super) kind: Kind,
    /// Its name, the pattern in it.
    pub(super) name: String,
    /// Where nothing was measured there is a gap.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl Line {
    /// What was measured.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().filter_map(|(_, value)| *value)
    }
}

/// A part of the axis, and what was measured there.
#[derive(Clone, Debug)]
pub(super) struct Tip {
    pub(super) from: f64,
    pub(super) until: f64,
    pub(super) text: String,
}

/// What is drawn.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) x: Axis,
    pub(super) x_label: &'static str,
    pub(super) y: Axis,
    pub(super) y_label: &'static str,
    /// Of the lines' part, in pixels.
    pub(super) height: f64,
    pub(super) lines: Vec<Line>,
    pub(super) faults: Vec<FaultSpan>,
    pub(super) tips: Vec<Tip>,
    /// A figure for the description.
    pub(super) write: fn(f64) -> String,
}

/// About so many markers are on a line.
const MARKERS: usize = 9;

/// The part of the drawing that the lines are in.
struct Field {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Field {
    fn right(&self) -> f64 {
        self.left + self.width
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

impl Chart {
    pub(super) fn draw(&self, layout: Layout) -> Drawing {
        let entries: Vec<Entry> = self.lines.iter().map(entry).collect();
        // A phone has no room beside the lines for their names.
        let legend_height = match layout {
            Layout::Wide => 0.0,
            Layout::Narrow => legend::height(layout, &entries, layout.width()) + 4.0,
        };
        let left = layout.choose(66.0, 52.0);
        let right = layout.choose(196.0, 10.0);
        let fault_height = match self.faults.is_empty() {
            true => 0.0,
            false => layout.choose(20.0, 16.0),
        };
        let field = Field {
            left,
            top: layout.choose(30.0, 24.0) + legend_height + fault_height,
            width: layout.width() - left - right,
            height: self.height,
        };
        let height = field.bottom() + layout.choose(44.0, 38.0);
        let mut drawing = Drawing::new(layout, height);
        if layout == Layout::Narrow {
            legend::draw(&mut drawing, &entries, (0.0, 0.0), layout.width());
        }
        self.axes(&mut drawing, &field, fault_height);
        self.faults(&mut drawing, &field);
        // The first on top, and every marker above every line, so that of two lines in the same
        // place both are seen.
        for line in self.lines.iter().rev() {
            self.line(&mut drawing, &field, line);
        }
        for line in self.lines.iter().rev() {
            self.markers(&mut drawing, &field, line);
        }
        self.fault_label(&mut drawing, &field);
        if layout == Layout::Wide {
            self.names(&mut drawing, &field, &entries);
        }
        for tip in &self.tips {
            let from = self.x_of(&field, tip.from);
            let width = self.x_of(&field, tip.until) - from;
            drawing.tip(from, field.top, width, field.height, &tip.text);
        }
        self.describe(&mut drawing);
        drawing
    }

    fn x_of(&self, field: &Field, value: f64) -> f64 {
        field.left + field.width * self.x.place(value)
    }

    fn y_of(&self, field: &Field, value: f64) -> f64 {
        field.bottom() - field.height * self.y.place(value)
    }

    fn axes(&self, drawing: &mut Drawing, field: &Field, fault_height: f64) {
        let label_y = field.top - fault_height - drawing.layout().choose(14.0, 11.0);
        drawing.text("soft", 0.0, label_y, "start", self.y_label);
        for tick in &self.y.ticks {
            let y = self.y_of(field, tick.value);
            drawing.segment("grid", (field.left, y), (field.right(), y));
            drawing.text("soft", field.left - 8.0, y + 4.0, "end", &tick.label);
        }
        let base = field.bottom();
        drawing.segment("axis", (field.left, base), (field.right(), base));
        let below = base + drawing.layout().choose(18.0, 15.0);
        for tick in &self.x.ticks {
            let x = self.x_of(field, tick.value);
            drawing.segment("axis", (x, base), (x, base + 4.0));
            // The last one's text would be wider than a phone.
            let at_edge = drawing.layout() == Layout::Narrow && x > field.right() - 8.0;
            let (x, anchor) = match at_edge {
                true => (field.right() + 8.0, "end"),
                false => (x, "middle"),
            };
            drawing.text("soft", x, below, anchor, &tick.label);
        }
        let lowest = below + drawing.layout().choose(19.0, 16.0);
        let middle = field.left + field.width / 2.0;
        drawing.text("soft", middle, lowest, "middle", self.x_label);
    }

    fn faults(&self, drawing: &mut Drawing, field: &Field) {
        for fault in &self.faults {
            let from = self.x_of(field, fault.from_s);
            let until = self.x_of(field, fault.until_s);
            drawing.rect("fault", from, field.top, until - from, field.height);
            for x in [from, until] {
                drawing.segment("edge", (x, field.top), (x, field.bottom()));
            }
        }
    }

    /// Above the field, so that no line crosses it. It is said once, since all have the same fault.
    fn fault_label(&self, drawing: &mut Drawing, field: &Field) {
        let Some(fault) = self.faults.first() else {
            return;
        };
        let middle = (self.x.place(fault.from_s) + self.x.place(fault.until_s)) / 2.0;
        let chars_max = (field.width / drawing.layout().text_width("x")) as usize;
        let what = shortened(&fault.what, chars_max);
        let half = drawing.layout().text_width(&what) / 2.0;
        let leftmost = field.left + half;
        let rightmost = (field.right() - half).max(leftmost);
        let x = (field.left + field.width * middle).clamp(leftmost, rightmost);
        let y = field.top - drawing.layout().choose(7.0, 6.0);
        drawing.text("fault-label", x, y, "middle", &what);
    }

    fn line(&self, drawing: &mut Drawing, field: &Field, line: &Line) {
        let class = format!("{} {}", class(line.pattern), line.kind.class());
        let mut commands = String::new();
        let mut areas = String::new();
        // Between gaps.
        for piece in line.points.split(|(_, value)| value.is_none()) {
            let known = |(x, value): &(f64, Option<f64>)| Some((*x, (*value)?));
            let place = |(x, y): (f64, f64)| (self.x_of(field, x), self.y_of(field, y));
            let places: Vec<(f64, f64)> = piece.iter().filter_map(known).map(place).collect();
            let (Some(first), Some(last)) = (places.first(), places.last()) else {
                continue;
            };
            let mut drawn = svg::point('M', *first);
            for place in &places {
                drawn.push_str(&svg::point('L', *place));
            }
            commands.push_str(&drawn);
            let down = svg::point('L', (last.0, field.bottom()));
            let back = svg::point('L', (first.0, field.bottom()));
            areas.push_str(&format!("{drawn}{down}{back}Z"));
        }
        if line.kind == Kind::Failed {
            drawing.path(&format!("area {class}"), &areas);
        }
        drawing.path(&format!("line {class}"), &commands);
    }

    fn markers(&self, drawing: &mut Drawing, field: &Field, line: &Line) {
        if line.kind == Kind::Failed {
            return;
        }
        let place = |(x, value): &(f64, Option<f64>)| {
            Some((self.x_of(field, *x), self.y_of(field, (*value)?)))
        };
        let all: Vec<(f64, f64)> = line.points.iter().filter_map(place).collect();
        let every = all.len().div_ceil(MARKERS).max(1);
        // Not at the same places as the other's.
        let skipped = match line.pattern {
            Pattern::WriteThrough => every / 3,
            Pattern::WriteBehind => every * 2 / 3,
        };
        for place in all.iter().skip(skipped).step_by(every) {
            drawing.marker(line.pattern, line.kind.class(), *place);
        }
    }

    /// Beside the lines' ends, as near as there is room for all.
    fn names(&self, drawing: &mut Drawing, field: &Field, entries: &[Entry]) {
        const DISTANCE: f64 = 18.0;
        let end = |line: &Line| line.values().last().map(|value| self.y_of(field, value));
        let mut names: Vec<(f64, &Entry)> = self
            .lines
            .iter()
            .zip(entries)
            .filter_map(|(line, entry)| Some((end(line)?, entry)))
            .collect();
        names.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let mut lowest = field.bottom() - DISTANCE * (names.len() as f64 - 1.0);
        let mut free_from = field.top;
        for (y, entry) in names {
            let y = y.min(lowest).max(free_from);
            lowest += DISTANCE;
            free_from = y + DISTANCE;
            legend::sample(drawing, entry, field.right() + 10.0, y);
            let class = format!("name {}", class(entry.pattern));
            drawing.text(&class, field.right() + 42.0, y + 4.0, "start", &entry.name);
        }
    }

    fn describe(&self, drawing: &mut Drawing) {
        drawing.describe(&format!("{} over {}.", self.y_label, self.x_label));
        for line in &self.lines {
            let least = line.values().reduce(f64::min);
            let most = line.values().reduce(f64::max);
            if let (Some(least), Some(most)) = (least, most) {
                let (least, most) = ((self.write)(least), (self.write)(most));
                drawing.describe(&format!("{}: from {least} to {most}.", line.name));
            }
        }
        for fault in self.faults.iter().take(1) {
            drawing.describe(&format!("Shaded: {}.", fault.what));
        }
    }
}

/// At most so many characters.
fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars()
        .take(chars_max.saturating_sub(1))
        .chain(['…'])
        .collect()
}

fn entry(line: &Line) -> Entry {
    Entry {
        pattern: line.pattern,
        kind: line.kind,
        name: line.name.clone(),
    }
}
