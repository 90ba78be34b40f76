//! What the files of a journal have of one name, for an operator. Reads only.

use std::path::Path;

use crate::error::Result;
use crate::journal::Waiting;
use crate::journal::file::pieces::{Piece, SegmentFile};
use crate::journal::file::surroundings::LOCK;
use crate::journal::file::{head, letters, segment};
use crate::model::record::Key;
use crate::process::locked_file::is_locked;

/// Whether a process has the journal open.
pub fn is_in_use(folder: &Path) -> bool {
    is_locked(&folder.join(LOCK))
}

/// What the journal in `folder` has of `key`; nothing where there is no journal.
///
/// # Errors
/// When a file cannot be read.
pub fn waiting_of(folder: &Path, key: &Key) -> Result<Waiting> {
    let mut waiting = Waiting::default();
    if !folder.exists() {
        return Ok(waiting);
    }
    let acknowledged = head::read_acknowledged(folder);
    for number in segment::list(folder)? {
        let path = segment::path(folder, number);
        let file = SegmentFile::open(folder, number)?;
        let next = SegmentFile::open(folder, number + 1).ok();
        let end = next.and_then(|next| Some(next.header?.previous_end));
        file.walk(&path, |offset, piece| {
            match piece {
                _ if end.is_some_and(|end| offset >= end) => {}
                Piece::Damage(bytes) => waiting.unreadable += bytes,
                Piece::Frame(_, records) => {
                    let of_the_key = records.into_iter().filter(|record| record.key == *key);
                    let waits = of_the_key.filter(|record| record.version > acknowledged);
                    waiting.entries.extend(waits);
                }
            }
            Ok(())
        })?;
    }
    for path in letters::paths(folder)? {
        let letter = letters::read(&path)?;
        let held = waiting.dead_letter.as_ref();
        let is_newer = held.is_none_or(|held| held.record.version < letter.record.version);
        if letter.record.key == *key && is_newer {
            waiting.dead_letter = Some(letter);
        }
    }
    Ok(waiting)
}
