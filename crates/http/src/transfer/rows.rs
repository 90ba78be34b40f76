//! The rows of a file, by its form.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};
use cache_core::settings::FileFormat;

use super::csv::CsvRows;
use super::row::{Row, Rows};
use crate::bulk::{Change, Lines};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Those of `file`.
///
/// # Errors
/// When it cannot be read, or has no heading that fits.
pub(super) fn rows(format: FileFormat, file: Box<dyn Read + Send>) -> io::Result<Box<dyn Rows>> {
    Ok(match format {
        FileFormat::Csv => Box::new(CsvRows::begin(file)?),
        FileFormat::Ndjson => Box::new(JsonRows {
            file,
            lines: Lines::default(),
            is_at_end: false,
        }),
    })
}

/// A line of JSON each, as in a batch.
struct JsonRows<R> {
    file: R,
    lines: Lines,
    is_at_end: bool,
}

impl<R: Read + Send> Rows for JsonRows<R> {
    fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(row(line.number, line.text)));
            }
            if self.is_at_end {
                return Ok(None);
            }
            let mut piece = BytesMut::zeroed(PIECE_BYTES);
            let length = read(&mut self.file, &mut piece)?;
            if length == 0 {
                self.is_at_end = true;
                let last = self.lines.last();
                return Ok(last.map(|line| row(line.number, line.text)));
            }
            piece.truncate(length);
            self.lines.feed(piece.freeze());
        }
    }
}

fn row(line: u64, text: Option<Bytes>) -> Row {
    let change = Change::of_line(text.as_deref());
    Row {
        line,
        change: change.map_err(|problem| problem.of_line(line)),
    }
}

fn read(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
