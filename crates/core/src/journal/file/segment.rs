//! Segments: the journal's files, a header and a run of frames each.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Part, Result};
use crate::journal::file::failed;
use crate::journal::file::forms::Forms;
use crate::journal::file::frame::{self, HEADER_BYTES, Header, MAGIC_PREFIX};
use crate::model::record::Record;

const SUFFIX: &str = ".segment";
/// How many bytes of a file are in memory during the search for the next whole frame.
const SEARCH_BYTES: usize = 1 << 20;

/// Where a frame begins, or the next one will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

impl Position {
    /// Where the first frame of segment `number` is.
    pub(super) fn start_of(number: u64, forms: Forms) -> Position {
        Position {
            segment: number,
            offset: forms.first_frame(number),
        }
    }
}

/// The file of segment `number`.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(file_name(number))
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:020}{SUFFIX}")
}

/// The segments in `folder`, oldest first.
pub(super) fn list(folder: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let name = entry.map_err(|error| failed(folder, error))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The header of the frame at `offset`; `None` when no frame begins there.
pub(super) fn header_at(file: &File, offset: u64) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER_BYTES];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(Header::parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The frame at `offset`, verified; `None` when no whole one is there.
pub(super) fn frame_at(file: &File, offset: u64) -> io::Result<Option<(Header, Vec<Record>)>> {
    let Some(header) = header_at(file, offset)? else {
        return Ok(None);
    };
    // Not allocated before it is known that so much can be there.
    if offset + header.frame_bytes() > file.metadata()?.len() {
        return Ok(None);
    }
    let mut payload = vec![0; header.payload_bytes as usize];
    file.read_exact_at(&mut payload, offset + header.header_bytes())?;
    if !header.verifies(&payload) {
        return Ok(None);
    }
    Ok(frame::decode(payload, header.entries).map(|records| (header, records)))
}

/// Where the next whole frame begins after `offset` and before `end`.
pub(super) fn next_frame_after(file: &File, offset: u64, end: u64) -> io::Result<Option<u64>> {
    let mut start = offset + 1;
    let mut window = vec![0; SEARCH_BYTES];
    while start + (MAGIC_PREFIX.len() as u64) < end {
        let length = (end - start).min(SEARCH_BYTES as u64) as usize;
        let Some(bytes) = window.get_mut(..length) else {
            break;
        };
        file.read_exact_at(bytes, start)?;
        let windows = bytes.windows(MAGIC_PREFIX.len()).enumerate();
        for (place, _) in windows.filter(|(_, bytes)| *bytes == MAGIC_PREFIX) {
            if frame_at(file, start + place as u64)?.is_some() {
                return Ok(Some(start + place as u64));
            }
        }
        // A prefix may lie across two windows.
        start += (length - MAGIC_PREFIX.len() + 1) as u64;
    }
    Ok(None)
}

pub(super) fn corrupt(path: &Path, offset: u64, what: &str) -> Error {
    let at = format!("{} at byte {offset}", path.display());
    Error::corrupt(Part::Journal, format!("{at}: {what}"))
}

/// A place in words: file and offset.
pub(super) fn at(folder: &Path, position: Position) -> String {
    let path = path(folder, position.segment);
    format!("{} at byte {}", path.display(), position.offset)
}
