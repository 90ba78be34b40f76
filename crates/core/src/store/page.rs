//! A page of live records, put together from as many rows as it takes, up to a bound.

use crate::model::record::{Key, Record};
use crate::store::row::{self, Selected};

/// Most rows, beside the page's limit, that one page looks at: tombstones are rows too,
/// and there may be any number of them between two users.
pub const ROWS_PASSED_MAX: u32 = 4_000;

/// Most bytes of a position that a page ends at. A name of 255 characters has no more;
/// SQLite may hold longer ones, which a client could not send back in a URL.
pub const POSITION_BYTES_MAX: usize = 1_020;

/// Fewest rows of a statement after the first one of a page.
const AGAIN_MIN: u64 = 256;

/// Live records in the order of their keys' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those that can be read. There may be fewer than were asked for, or none, before
    /// the end: see [`ROWS_PASSED_MAX`].
    pub records: Vec<Record>,
    /// The position to go on after, which is the name of a row but not always one that a
    /// user may have. `None` at the end.
    pub next: Option<Key>,
}

/// A page that is being put together.
///
/// Its end is judged by the rows that were read, not by the records that they hold.
#[derive(Debug)]
pub(super) struct Paging {
    limit: usize,
    rows_max: u64,
    rows_read: u64,
    rows_asked: u64,
    position: Option<String>,
    records: Vec<Record>,
    end: Option<End>,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    OfPage,
    OfTable,
}

impl Paging {
    pub(super) fn new(after: Option<&Key>, limit: u32) -> Paging {
        Paging {
            limit: limit as usize,
            rows_max: u64::from(limit) + u64::from(ROWS_PASSED_MAX),
            rows_read: 0,
            rows_asked: 0,
            position: after.map(|key| key.as_str().to_owned()),
            records: Vec::new(),
            end: (limit == 0).then_some(End::OfPage),
        }
    }

    /// After which name to read how many rows next; `None` when the page is whole.
    pub(super) fn wants(&mut self) -> Option<(Option<&str>, i64)> {
        if self.end.is_some() {
            return None;
        }
        self.rows_asked = match self.rows_asked {
            0 => self.limit as u64,
            // Most rows are users. Where they are not, there are many more such.
            before => (4 * before)
                .max(AGAIN_MIN)
                .min(self.rows_max.saturating_sub(self.rows_read).max(AGAIN_MIN)),
        };
        Some((self.position.as_deref(), self.rows_asked as i64))
    }

    /// Takes the rows that were asked for, in their order.
    pub(super) fn take(&mut self, rows: Vec<Selected>) {
        let is_last = (rows.len() as u64) < self.rows_asked;
        for row in rows {
            self.rows_read += 1;
            self.position = Some(row.name.clone());
            // One that cannot be read is reported there, and hides no other.
            if let Ok(record) = row::read(row)
                && record.body.is_some()
            {
                self.records.push(record);
            }
            let may_end_here = self
                .position
                .as_ref()
                .is_some_and(|position| position.len() <= POSITION_BYTES_MAX);
            let is_full = self.records.len() >= self.limit;
            if is_full || (self.rows_read >= self.rows_max && may_end_here) {
                self.end = Some(End::OfPage);
                return;
            }
        }
        if is_last {
            self.end = Some(End::OfTable);
        }
    }

    pub(super) fn finish(self) -> Page {
        Page {
            records: self.records,
            next: match self.end {
                Some(End::OfTable) => None,
                Some(End::OfPage) | None => self.position.map(Key::from),
            },
        }
    }
}

#[cfg(test)]
mod tests;
