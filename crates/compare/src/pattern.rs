//! What is compared.

use serde::Serialize;

/// A write pattern, and the service that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// A write is answered when the database has committed it.
    WriteThrough,
    /// A write is answered when the journal has it.
    WriteBehind,
    /// The tool's own handler: cache, then database, and errors are ignored.
    NaiveThrough,
    /// The tool's own handler: cache, and a task without supervision for the database.
    NaiveBehind,
}

impl Pattern {
    /// The two services, in the order in which they are shown.
    pub const BOTH: [Pattern; 2] = [Pattern::WriteThrough, Pattern::WriteBehind];
    /// These, and what a plain handler makes of each pattern.
    pub const ALL: [Pattern; 4] = [
        Pattern::WriteThrough,
        Pattern::WriteBehind,
        Pattern::NaiveThrough,
        Pattern::NaiveBehind,
    ];

    /// What it is called: `write-through`, `naive-behind`.
    pub fn name(self) -> &'static str {
        match self {
            Pattern::WriteThrough => "write-through",
            Pattern::WriteBehind => "write-behind",
            Pattern::NaiveThrough => "naive-through",
            Pattern::NaiveBehind => "naive-behind",
        }
    }

    /// The package and the binary of its service; of a handler of the tool's own, the tool.
    pub fn service(self) -> &'static str {
        match self {
            Pattern::WriteThrough => "write-through-svc",
            Pattern::WriteBehind => "write-behind-svc",
            Pattern::NaiveThrough | Pattern::NaiveBehind => "compare",
        }
    }

    /// The path to which its service is sent a record by `POST`.
    pub fn write_path(self) -> &'static str {
        match self {
            Pattern::WriteThrough | Pattern::NaiveThrough => "/write-through",
            Pattern::WriteBehind | Pattern::NaiveBehind => "/write-behind",
        }
    }

    /// Whether it is a handler of the tool's own.
    pub fn is_naive(self) -> bool {
        matches!(self, Pattern::NaiveThrough | Pattern::NaiveBehind)
    }

    /// Whether a write may reach the database after its answer.
    pub fn is_behind(self) -> bool {
        matches!(self, Pattern::WriteBehind | Pattern::NaiveBehind)
    }
}
