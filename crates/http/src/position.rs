//! Where in a body it is wrong.

use serde::Serialize;
use utoipa::ToSchema;

/// A place in a text, from 1. Columns count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Position {
    /// From 1.
    line: u32,
    /// From 1, in bytes.
    column: u32,
}

impl Position {
    /// Where a text begins.
    pub(crate) const START: Position = Position { line: 1, column: 1 };

    /// That of the byte at `offset`, or of the end.
    pub(crate) fn of(body: &[u8], offset: usize) -> Position {
        let before = body.get(..offset).unwrap_or(body);
        let mut lines = before.rsplit(|byte| *byte == b'\n');
        let last = lines.next().map_or(0, <[u8]>::len);
        Position {
            line: lines.count() as u32 + 1,
            column: last as u32 + 1,
        }
    }

    /// The same place, in this line of a text of many.
    pub(crate) fn in_line(self, number: u64) -> Position {
        Position {
            line: u32::try_from(number).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// That of an error in `part`, a part of `body`.
    pub(crate) fn of_error(body: &str, part: &str, error: &serde_json::Error) -> Position {
        let offset = part.as_ptr().addr() - body.as_ptr().addr();
        let start = Position::of(body.as_bytes(), offset);
        // Column 0 of a line is the end of the line before.
        let column = error.column().max(1) as u32;
        match error.line() as u32 {
            0 | 1 => Position {
                line: start.line,
                column: start.column + column - 1,
            },
            line => Position {
                line: start.line + line - 1,
                column,
            },
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {} column {}", self.line, self.column)
    }
}
