//! Which line or bar is whose.

use super::drawing::{Drawing, Layout, class};
use super::kind::Kind;
use crate::pattern::Pattern;

/// How a line looks, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) pattern: Pattern,
    pub(super) kind: Kind,
    pub(super) name: String,
}

const SAMPLE: f64 = 26.0;
const GAP: f64 = 18.0;

/// Where each entry is, and the height of all: in lines, as many as are needed.
fn arranged(layout: Layout, entries: &[Entry], width: f64) -> (Vec<(f64, f64)>, f64) {
    let line_height = layout.choose(22.0, 18.0);
    let (mut x, mut y) = (0.0, 0.0);
    let mut places = Vec::new();
    for entry in entries {
        let needed = SAMPLE + 6.0 + layout.text_width(&entry.name);
        if x > 0.0 && x + needed > width {
            x = 0.0;
            y += line_height;
        }
        places.push((x, y));
        x += needed + GAP;
    }
    (places, y + line_height)
}

/// How much room it takes.
pub(super) fn height(layout: Layout, entries: &[Entry], width: f64) -> f64 {
    arranged(layout, entries, width).1
}

/// Draws it, its upper left corner there.
pub(super) fn draw(drawing: &mut Drawing, entries: &[Entry], at: (f64, f64), width: f64) {
    let (places, _) = arranged(drawing.layout(), entries, width);
    for (entry, place) in entries.iter().zip(places) {
        let (x, y) = (at.0 + place.0, at.1 + place.1 + 8.0);
        sample(drawing, entry, x, y);
        let class = format!("name {}", class(entry.pattern));
        drawing.text(&class, x + SAMPLE + 6.0, y + 4.0, "start", &entry.name);
    }
}

/// A piece of the line, with its marker.
pub(super) fn sample(drawing: &mut Drawing, entry: &Entry, x: f64, y: f64) {
    if entry.kind != Kind::Bar {
        let line = format!("line {} {}", class(entry.pattern), entry.kind.class());
        drawing.segment(&line, (x, y), (x + SAMPLE, y));
    }
    if entry.kind != Kind::Failed {
        let at = match entry.kind {
            Kind::Bar => (x + SAMPLE - 6.0, y),
            _ => (x + SAMPLE / 2.0, y),
        };
        drawing.marker(entry.pattern, entry.kind.class(), at);
    }
}
