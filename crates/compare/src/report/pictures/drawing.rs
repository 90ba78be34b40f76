//! A drawing under way: SVG elements, and how much room they take.

use super::svg;
use crate::pattern::Pattern;

/// For which width it is drawn. Text keeps its size, so there is less of it on a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Layout {
    /// A screen, a slide.
    Wide,
    /// A phone.
    Narrow,
}

impl Layout {
    /// In pixels.
    pub(super) fn width(self) -> f64 {
        self.choose(1040.0, 328.0)
    }

    /// The class that the stylesheets know it by.
    pub(super) fn class(self) -> &'static str {
        self.choose("wide", "narrow")
    }

    /// A rough upper bound on the width of a text, in pixels.
    pub(super) fn text_width(self, text: &str) -> f64 {
        text.chars().count() as f64 * self.choose(8.0, 6.8)
    }

    pub(super) fn choose<T>(self, wide: T, narrow: T) -> T {
        match self {
            Layout::Wide => wide,
            Layout::Narrow => narrow,
        }
    }
}

/// The class of what belongs to a pattern.
pub(super) fn class(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::WriteThrough => "wt",
        Pattern::WriteBehind => "wb",
    }
}

#[derive(Debug)]
pub(super) struct Drawing {
    layout: Layout,
    width: f64,
    height: f64,
    body: String,
    description: String,
}

impl Drawing {
    /// As wide as the layout is.
    pub(super) fn new(layout: Layout, height: f64) -> Drawing {
        Drawing::sized(layout, layout.width(), height)
    }

    pub(super) fn sized(layout: Layout, width: f64, height: f64) -> Drawing {
        Drawing {
            layout,
            width,
            height,
            body: String::new(),
            description: String::new(),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn width(&self) -> f64 {
        self.width
    }

    pub(super) fn height(&self) -> f64 {
        self.height
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }

    /// The picture in words, for screen readers.
    pub(super) fn description(&self) -> &str {
        &self.description
    }

    /// Adds a sentence to the picture in words.
    pub(super) fn describe(&mut self, sentence: &str) {
        if !self.description.is_empty() {
            self.description.push(' ');
        }
        self.description.push_str(sentence);
    }

    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
        self.body.push_str(&svg::text(class, x, y, anchor, text));
    }

    pub(super) fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        self.body.push_str(&svg::rect(class, x, y, width, height));
    }

    /// A rectangle that shows a text while the pointer is on it.
    pub(super) fn tip(&mut self, x: f64, y: f64, width: f64, height: f64, text: &str) {
        self.body.push_str(&svg::tip(x, y, width, height, text));
    }

    pub(super) fn path(&mut self, class: &str, commands: &str) {
        self.body.push_str(&svg::path(class, commands));
    }

    pub(super) fn segment(&mut self, class: &str, from: (f64, f64), until: (f64, f64)) {
        let from = svg::point('M', from);
        let until = svg::point('L', until);
        self.path(class, &format!("{from}{until}"));
    }

    /// The pattern's own: round for write-through, square for write-behind.
    pub(super) fn marker(&mut self, pattern: Pattern, kind: &str, at: (f64, f64)) {
        let class = format!("marker {} {kind}", class(pattern));
        let marker = match pattern {
            Pattern::WriteThrough => svg::circle(&class, at, 4.5),
            Pattern::WriteBehind => svg::rect(&class, at.0 - 4.2, at.1 - 4.2, 8.4, 8.4),
        };
        self.body.push_str(&marker);
    }

    /// Takes another drawing in, its upper left corner there.
    pub(super) fn place(&mut self, other: Drawing, x: f64, y: f64) {
        self.body.push_str(&svg::moved(x, y, &other.body));
        self.describe(&other.description);
    }

    /// One below the other.
    pub(super) fn stacked(drawings: Vec<Drawing>, gap: f64) -> Option<Drawing> {
        let layout = drawings.first()?.layout;
        let between = gap * (drawings.len() as f64 - 1.0);
        let height = drawings.iter().map(Drawing::height).sum::<f64>() + between;
        let mut all = Drawing::new(layout, height);
        let mut y = 0.0;
        for drawing in drawings {
            let below = y + drawing.height() + gap;
            all.place(drawing, 0.0, y);
            y = below;
        }
        Some(all)
    }

    /// One beside the other.
    pub(super) fn beside(drawings: Vec<Drawing>, gap: f64) -> Option<Drawing> {
        let layout = drawings.first()?.layout;
        let height = drawings.iter().map(Drawing::height).fold(0.0, f64::max);
        let mut all = Drawing::new(layout, height);
        let mut x = 0.0;
        for drawing in drawings {
            let after = x + drawing.width() + gap;
            all.place(drawing, x, 0.0);
            x = after;
        }
        Some(all)
    }
}
