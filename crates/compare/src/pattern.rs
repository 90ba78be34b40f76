//! The two that are compared.

use serde::Serialize;

/// A write pattern, and the service that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// A write is answered when the database has committed it.
    WriteThrough,
    /// A write is answered when the journal has it.
    WriteBehind,
}

impl Pattern {
    /// Both, in the order in which they are shown.
    pub const BOTH: [Pattern; 2] = [Pattern::WriteThrough, Pattern::WriteBehind];

    /// What it is called: `write-through` or `write-behind`.
    pub fn name(self) -> &'static str {
        match self {
            Pattern::WriteThrough => "write-through",
            Pattern::WriteBehind => "write-behind",
        }
    }

    /// The package and the binary of its service.
    pub fn service(self) -> &'static str {
        match self {
            Pattern::WriteThrough => "write-through-svc",
            Pattern::WriteBehind => "write-behind-svc",
        }
    }

    /// The path to which its service is sent a record by `POST`.
    pub fn write_path(self) -> &'static str {
        match self {
            Pattern::WriteThrough => "/write-through",
            Pattern::WriteBehind => "/write-behind",
        }
    }
}
