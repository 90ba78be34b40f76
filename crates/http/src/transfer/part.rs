//! Rows that are written together, read ahead of the writes.

use std::collections::HashSet;
use std::io;
use std::thread;

use cache_core::model::record::Key;
use tokio::sync::mpsc;

use super::row::{Row, Rows};

/// Most rows of a part. A service takes as many before a client has to read answers.
pub(super) const PART_ROWS_MAX: usize = 2000;
/// Most refused rows of a part.
const PART_REFUSED_MAX: usize = 500;
/// Parts that wait to be written.
const PARTS_AHEAD: usize = 1;

/// Rows of different names: they may be written in any order, and again.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) rows: Vec<Row>,
}

/// Reads on a thread of its own. Rows up to the line `skip` are left out.
pub(super) fn read_ahead(
    rows: Box<dyn Rows>,
    rows_max: usize,
    skip: u64,
) -> mpsc::Receiver<io::Result<Part>> {
    let (sender, receiver) = mpsc::channel(PARTS_AHEAD);
    let mut parts = Parts {
        rows,
        rows_max: rows_max.clamp(1, PART_ROWS_MAX),
        skip,
        held: None,
    };
    thread::spawn(move || {
        while let Some(part) = parts.next().transpose() {
            let is_last = part.is_err();
            if sender.blocking_send(part).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

struct Parts {
    rows: Box<dyn Rows>,
    rows_max: usize,
    skip: u64,
    /// Read, and of a name that the part before has.
    held: Option<Row>,
}

impl Parts {
    fn next(&mut self) -> io::Result<Option<Part>> {
        let mut part = Part::default();
        let mut names: HashSet<Key> = HashSet::new();
        let mut refused = 0;
        while part.rows.len() < self.rows_max && refused < PART_REFUSED_MAX {
            let row = match self.held.take() {
                Some(row) => row,
                None => match self.rows.next()? {
                    Some(row) if row.line <= self.skip => continue,
                    Some(row) => row,
                    None => break,
                },
            };
            match &row.change {
                Ok(change) if !names.insert(change.key().clone()) => {
                    self.held = Some(row);
                    break;
                }
                Ok(_) => {}
                Err(_) => refused += 1,
            }
            part.rows.push(row);
        }
        Ok((!part.rows.is_empty()).then_some(part))
    }
}
