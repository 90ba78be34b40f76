//! Segments: the journal's files, a header and a run of frames each.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Part, Result};
use crate::journal::file::failed;
use crate::journal::file::frame::{self, HEADER_BYTES, Header};
use crate::journal::file::header;
use crate::record::Record;

const SUFFIX: &str = ".segment";

/// Where a frame begins, or the next one will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

impl Position {
    /// Where the first frame of segment `number` is, if segments have a header
    /// from `headed` on.
    pub(super) fn start_of(number: u64, headed: u64) -> Position {
        Position {
            segment: number,
            offset: if number < headed {
                0
            } else {
                header::HEADER_BYTES
            },
        }
    }
}

/// The file of segment `number`.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{SUFFIX}"))
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
    file.read_exact_at(&mut payload, offset + HEADER_BYTES as u64)?;
    if !header.verifies(&payload) {
        return Ok(None);
    }
    Ok(frame::decode(payload, header.entries).map(|records| (header, records)))
}

pub(super) fn corrupt(path: &Path, offset: u64, what: &str) -> Error {
    Error::corrupt(
        Part::Journal,
        format!("{} at byte {offset}: {what}", path.display()),
    )
}
