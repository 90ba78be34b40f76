//! Segments: the journal's files, and how they are verified when it is opened.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Part, Result};
use crate::journal::file::failed;
use crate::journal::file::frame::{self, HEADER_BYTES, Header};
use crate::record::Record;
use crate::version::Version;

const SUFFIX: &str = ".segment";

/// Where a frame begins, or the next one will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
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

/// What a scan of all segments found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// The first frame that is not wholly acknowledged.
    pub(super) head: Option<Position>,
    /// The end of the last whole frame.
    pub(super) end: Option<Position>,
    /// Entries that are not acknowledged, and the bytes of their frames.
    pub(super) depth: u64,
    pub(super) bytes: u64,
    pub(super) newest: Option<Version>,
    /// Bytes after the end: a batch that a crash cut short.
    pub(super) torn_bytes: Option<u64>,
}

/// Verifies every frame of every segment.
pub(super) fn scan(folder: &Path, acknowledged: Version) -> Result<Scanned> {
    let segments = list(folder)?;
    let mut scanned = Scanned::default();
    for (index, number) in segments.iter().enumerate() {
        if index > 0
            && segments
                .get(index - 1)
                .is_some_and(|before| before + 1 != *number)
        {
            return Err(corrupt(
                &path(folder, number - 1),
                0,
                "the segment is missing",
            ));
        }
        let is_last = index + 1 == segments.len();
        scan_segment(folder, *number, is_last, acknowledged, &mut scanned)?;
    }
    Ok(scanned)
}

fn scan_segment(
    folder: &Path,
    number: u64,
    is_last: bool,
    acknowledged: Version,
    scanned: &mut Scanned,
) -> Result<()> {
    let path = path(folder, number);
    let unreadable = |error: io::Error| failed(&path, error);
    let file = File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut offset = 0;
    while offset < length {
        let Some((header, records)) = frame_at(&file, offset).map_err(unreadable)? else {
            if !is_last || whole_frame_after(&file, offset, length).map_err(unreadable)? {
                return Err(corrupt(
                    &path,
                    offset,
                    "the entry does not verify, and there are whole ones after it",
                ));
            }
            scanned.torn_bytes = Some(length - offset);
            break;
        };
        if scanned
            .newest
            .is_some_and(|newest| newest >= header.last_version)
        {
            return Err(corrupt(&path, offset, "the versions do not grow"));
        }
        scanned.newest = Some(header.last_version);
        if header.last_version > acknowledged {
            scanned.head.get_or_insert(Position {
                segment: number,
                offset,
            });
            scanned.depth += records
                .iter()
                .filter(|record| record.version > acknowledged)
                .count() as u64;
            scanned.bytes += header.frame_bytes();
        }
        offset += header.frame_bytes();
    }
    scanned.end = Some(Position {
        segment: number,
        offset,
    });
    Ok(())
}

/// Whether a whole frame begins anywhere after `offset`. A batch is written
/// after the one before it was complete, so if there is one, what stands at
/// `offset` was complete once.
fn whole_frame_after(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    let mut rest = vec![0; (length - offset) as usize];
    file.read_exact_at(&mut rest, offset)?;
    let starts = rest
        .windows(frame::MAGIC.len())
        .enumerate()
        .skip(1)
        .filter(|(_, bytes)| *bytes == frame::MAGIC);
    for (start, _) in starts {
        if frame_at(file, offset + start as u64)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn corrupt(path: &Path, offset: u64, what: &str) -> Error {
    Error::corrupt(
        Part::Journal,
        format!("{} at byte {offset}: {what}", path.display()),
    )
}
