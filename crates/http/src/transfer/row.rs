//! A row of a file: what it asks for, or every reason why it is refused.

use std::io;

use crate::bulk::Change;
use crate::problem::Problem;

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    pub(super) change: Result<Change, Problem>,
}

/// The rows of a file, one after another.
pub(super) trait Rows: Send {
    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn next(&mut self) -> io::Result<Option<Row>>;
}
