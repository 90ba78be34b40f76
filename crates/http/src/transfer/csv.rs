//! The rows of a CSV file (RFC 4180) whose first line names the columns.
//!
//! Read by csv-core into buffers of a fixed size: a quoted text that is never closed would
//! otherwise take the rest of the file into memory.

use std::io::{self, BufRead, BufReader, Read};

use cache_core::model::record::Key;
use cache_core::model::user::{BorrowedUser, check_age, name_faults, occupation_faults};
use csv_core::{ReadRecordResult, Reader};

use super::row::{Row, Rows};
use crate::bulk::{Change, LINE_BYTES_MAX, too_long};
use crate::problem::{FieldErrors, Kind, Problem};

/// The columns, in the order in which they are exported.
pub(super) const COLUMNS: [&str; 3] = ["name", "age", "occupation"];
/// Most fields of a row that are read; one with more has too many.
const FIELDS_MAX: usize = 64;

/// A row that was read.
struct Record {
    line: u64,
    /// How many fields it has, or why there are none.
    fields: Result<usize, Problem>,
}

/// See the module.
pub(super) struct CsvRows<R> {
    file: BufReader<R>,
    reader: Reader,
    /// The line of the next byte.
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// Where each of [`COLUMNS`] is.
    places: [usize; COLUMNS.len()],
}

impl<R: Read> CsvRows<R> {
    /// Reads the heading.
    ///
    /// # Errors
    /// When the file cannot be read, or its first line does not name exactly the columns.
    pub(super) fn begin(file: R) -> io::Result<CsvRows<R>> {
        let mut rows = CsvRows {
            file: BufReader::new(file),
            reader: Reader::new(),
            line: 1,
            text: vec![0; LINE_BYTES_MAX],
            ends: vec![0; FIELDS_MAX],
            places: [0; COLUMNS.len()],
        };
        let heading = rows.record()?;
        let fields = match &heading {
            Some(Record {
                fields: Ok(count), ..
            }) => *count,
            Some(Record {
                fields: Err(problem),
                ..
            }) => return Err(refused(problem.detail())),
            None => 0,
        };
        let named = (0..fields).map(|place| String::from_utf8_lossy(rows.field(place)));
        let named: Vec<String> = named.map(|name| name.trim().to_owned()).collect();
        let mut faults = Vec::new();
        for (column, place) in COLUMNS.iter().zip(&mut rows.places) {
            match named.iter().position(|name| name == column) {
                Some(found) => *place = found,
                None => faults.push(format!("the column {column} is missing")),
            }
        }
        for (place, name) in named.iter().enumerate() {
            let is_known = COLUMNS.contains(&name.as_str());
            if !is_known {
                let name: String = name.chars().take(64).collect();
                faults.push(format!("the column {name:?} is unknown"));
            } else if named.iter().take(place).any(|before| before == name) {
                faults.push(format!("the column {name} is there twice"));
            }
        }
        match faults.is_empty() {
            true => Ok(rows),
            false => Err(refused(&format!(
                "the first line must name the columns name, age and occupation, in any order: {}",
                faults.join("; ")
            ))),
        }
    }

    /// The next row; `None` at the end.
    fn record(&mut self) -> io::Result<Option<Record>> {
        self.skip_empty_lines()?;
        let line = self.line;
        let (mut written, mut ended) = (0, 0);
        let (mut is_too_long, mut has_begun) = (false, false);
        loop {
            let piece = self.file.fill_buf()?;
            if piece.is_empty() {
                let detail = "the file ends within this line: a quoted text is not closed, or the line has no end";
                return Ok(has_begun.then(|| Record {
                    line,
                    fields: Err(Problem::malformed(detail)),
                }));
            }
            has_begun = true;
            let text = self.text.get_mut(written..).unwrap_or_default();
            let ends = self.ends.get_mut(ended..).unwrap_or_default();
            let (result, read, wrote, end) = self.reader.read_record(piece, text, ends);
            let consumed = piece.get(..read).unwrap_or_default();
            self.line += consumed.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.file.consume(read);
            written += wrote;
            ended += end;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    is_too_long = true;
                    (written, ended) = (0, 0);
                }
                ReadRecordResult::Record | ReadRecordResult::End => {
                    let fields = match is_too_long {
                        true => Err(too_long()),
                        false => Ok(ended),
                    };
                    return Ok(Some(Record { line, fields }));
                }
            }
        }
    }

    /// Line ends before a row, so that its line is that of its first byte.
    fn skip_empty_lines(&mut self) -> io::Result<()> {
        loop {
            match self.file.fill_buf()?.first() {
                Some(b'\n') => self.line += 1,
                Some(b'\r') => {}
                _ => return Ok(()),
            }
            self.file.consume(1);
        }
    }

    /// A field of the row that was read last.
    fn field(&self, place: usize) -> &[u8] {
        let start = match place {
            0 => Some(&0),
            place => self.ends.get(place - 1),
        };
        match (start, self.ends.get(place)) {
            (Some(start), Some(end)) => self.text.get(*start..*end).unwrap_or_default(),
            _ => &[],
        }
    }

    fn change(&self, fields: usize) -> Result<Change, Problem> {
        if fields != COLUMNS.len() {
            let detail = format!(
                "the line has {fields} fields, and the first line names {}",
                COLUMNS.len()
            );
            return Err(Problem::new(Kind::Validation, detail));
        }
        let [name, age, occupation] = self.places.map(|place| self.field(place));
        let mut errors = FieldErrors::default();
        let name = text("name", name, name_faults, &mut errors);
        let age = std::str::from_utf8(age).ok().filter(|age| is_digits(age));
        let age = age.and_then(|age| check_age(age.parse().ok()?).ok());
        if age.is_none() {
            errors.add(
                "age",
                "must be a whole number from 0 to 150, written in digits alone",
            );
        }
        let occupation = text("occupation", occupation, occupation_faults, &mut errors);
        let user = match (name, age, occupation) {
            (Some(name), Some(age), Some(occupation)) => Some((name, age, occupation)),
            _ => None,
        };
        let (name, age, occupation) = errors.finish(user)?;
        let user = BorrowedUser {
            name: name.into(),
            age,
            occupation: occupation.into(),
        };
        Ok(Change::Put(Key::from(name), user.to_body()))
    }
}

impl<R: Read + Send> Rows for CsvRows<R> {
    fn next(&mut self) -> io::Result<Option<Row>> {
        let record = self.record()?;
        Ok(record.map(|Record { line, fields }| Row {
            line,
            change: fields.and_then(|fields| self.change(fields)),
        }))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn text<'a>(
    field: &str,
    bytes: &'a [u8],
    faults: fn(&str) -> Vec<&'static str>,
    errors: &mut FieldErrors,
) -> Option<&'a str> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        errors.add(field, "is not UTF-8");
        return None;
    };
    for fault in faults(text) {
        errors.add(field, fault);
    }
    Some(text)
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests;
