//! Verifying the journal when it is opened.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::journal::file::failed;
use crate::journal::file::frame;
use crate::journal::file::header::SegmentHeader;
use crate::journal::file::manifest::Contents;
use crate::journal::file::segment::{self, Position, corrupt, frame_at};
use crate::version::Version;

/// What a scan of all segments found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// The first frame that is not wholly acknowledged.
    pub(super) head: Option<Position>,
    /// The end of the last whole frame.
    pub(super) end: Position,
    /// Entries that are not acknowledged, and the bytes of their frames.
    pub(super) depth: u64,
    pub(super) bytes: u64,
    pub(super) newest: Option<Version>,
    /// Bytes after the end: a batch that a crash cut short.
    pub(super) torn_bytes: Option<u64>,
}

/// A segment that there has to be.
struct Segment {
    number: u64,
    file: File,
    length: u64,
    /// `None` for one of the form without.
    header: Option<SegmentHeader>,
}

/// Verifies every frame of every segment that the manifest lists.
///
/// # Errors
/// [`Error::Corrupt`] with file and offset where one is missing, shorter than
/// it was, or damaged.
pub(super) fn scan(folder: &Path, listed: &Contents, acknowledged: Version) -> Result<Scanned> {
    let mut scanned = Scanned::default();
    let mut segment = open(folder, listed.first, listed, acknowledged)?;
    loop {
        let next = match segment.number < listed.last {
            true => Some(open(folder, segment.number + 1, listed, acknowledged)?),
            false => None,
        };
        let end = match &next {
            None => None,
            Some(next) => Some(end_before(folder, &segment, next)?),
        };
        let newest = scan_segment(folder, &segment, end, listed, acknowledged, &mut scanned)?;
        let Some(next) = next else {
            return Ok(scanned);
        };
        if let (Some(newest), Some(header)) = (newest, &next.header)
            && newest != header.newest_before
        {
            let path = segment::path(folder, next.number);
            return Err(corrupt(&path, 0, "it does not continue the segment before"));
        }
        segment = next;
    }
}

/// Where `segment` ends, as the one after it says.
fn end_before(folder: &Path, segment: &Segment, next: &Segment) -> Result<u64> {
    let path = segment::path(folder, segment.number);
    let end = match &next.header {
        Some(header) => header.previous_end,
        // Such a segment was begun when the one before had a batch.
        None if segment.length == 0 => return Err(corrupt(&path, 0, "the segment is empty")),
        None => segment.length,
    };
    if segment.length < end {
        let what = format!("the segment ends there, and went on to byte {end}");
        return Err(corrupt(&path, segment.length, &what));
    }
    Ok(end)
}

fn open(folder: &Path, number: u64, listed: &Contents, acknowledged: Version) -> Result<Segment> {
    let path = segment::path(folder, number);
    let unreadable = |error: io::Error| failed(&path, error);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = "the segment is missing";
            return Err(without(folder, number, listed, acknowledged, what));
        }
        opened => opened.map_err(unreadable)?,
    };
    let header = match number < listed.headed {
        true => None,
        false => match SegmentHeader::read(&file).map_err(unreadable)? {
            Some(header) if header.number == number => Some(header),
            Some(_) => return Err(corrupt(&path, 0, "it is another segment")),
            None => {
                let what = "the header of the segment does not verify";
                return Err(without(folder, number, listed, acknowledged, what));
            }
        },
    };
    Ok(Segment {
        number,
        length: file.metadata().map_err(unreadable)?.len(),
        file,
        header,
    })
}

/// [`Error::Corrupt`] for a segment that is not there, saying which entries
/// that may cost.
fn without(
    folder: &Path,
    number: u64,
    listed: &Contents,
    acknowledged: Version,
    what: &str,
) -> Error {
    let before = number
        .checked_sub(1)
        .filter(|before| *before >= listed.first);
    let before = before.and_then(|before| newest_in(folder, before, listed));
    let after = before.unwrap_or_default().max(acknowledged);
    let next = File::open(segment::path(folder, number + 1)).ok();
    let through = next.and_then(|next| SegmentHeader::read(&next).ok()?);
    let entries = match through {
        Some(header) => format!("up to version {}", header.newest_before),
        None => "and all that came later".to_owned(),
    };
    let what = format!("{what}, and with it the entries after version {after} {entries}");
    corrupt(&segment::path(folder, number), 0, &what)
}

/// The newest version in a segment, as far as it can be read.
fn newest_in(folder: &Path, number: u64, listed: &Contents) -> Option<Version> {
    let file = File::open(segment::path(folder, number)).ok()?;
    let mut offset = Position::start_of(number, listed.headed).offset;
    let mut newest = None;
    while let Ok(Some((header, _))) = frame_at(&file, offset) {
        newest = Some(header.last_version);
        offset += header.frame_bytes();
    }
    newest
}

/// Verifies a segment up to `end`, or, if it is the last, as far as it is
/// whole. Returns its newest version.
fn scan_segment(
    folder: &Path,
    segment: &Segment,
    end: Option<u64>,
    listed: &Contents,
    acknowledged: Version,
    scanned: &mut Scanned,
) -> Result<Option<Version>> {
    let number = segment.number;
    let path = segment::path(folder, number);
    let unreadable = |error: io::Error| failed(&path, error);
    let mut offset = Position::start_of(number, listed.headed).offset;
    let mut newest = None;
    let limit = end.unwrap_or(segment.length);
    while offset < limit {
        let found = frame_at(&segment.file, offset).map_err(unreadable)?;
        let whole = found.filter(|(header, _)| offset + header.frame_bytes() <= limit);
        let Some((header, records)) = whole else {
            if end.is_some()
                || whole_frame_after(&segment.file, offset, limit).map_err(unreadable)?
            {
                return Err(corrupt(
                    &path,
                    offset,
                    "the entry does not verify, and there are whole ones after it",
                ));
            }
            scanned.torn_bytes = Some(limit - offset);
            break;
        };
        if scanned
            .newest
            .is_some_and(|newest| newest >= header.last_version)
        {
            return Err(corrupt(&path, offset, "the versions do not grow"));
        }
        newest = Some(header.last_version);
        scanned.newest = newest;
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
    scanned.end = Position {
        segment: number,
        offset,
    };
    Ok(newest)
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
