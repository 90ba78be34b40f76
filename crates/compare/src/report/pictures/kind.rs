//! How a line of a chart is drawn.

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Solid, with filled markers.
    Main,
    /// Dashed, with hollow markers.
    Lesser,
    /// Dotted, with an area below.
    Failed,
    /// No line at all.
    Bar,
}

impl Kind {
    pub(super) fn class(self) -> &'static str {
        match self {
            Kind::Main | Kind::Bar => "main",
            Kind::Lesser => "lesser",
            Kind::Failed => "failed",
        }
    }
}
