//! Which entries damage may cost, in words. It is known from what stands before
//! and behind the damage, and from the note of what was acknowledged last.

use std::fs::File;

use crate::error::Error;
use crate::journal::file::frame::ChainLink;
use crate::journal::file::header::SegmentHeader;
use crate::journal::file::scan::Scan;
use crate::journal::file::segment::{self, Position, corrupt, frame_at};
use crate::model::record::Record;
use crate::model::version::Version;

/// Where entries continue behind the damage.
#[derive(Clone, Copy)]
struct Until {
    newest: Version,
    /// How many entries the journal has had up to there, if they are counted.
    entries: Option<u64>,
}

/// The error for a segment that is missing or cannot be read at all.
pub(super) fn of_segment(scan: &Scan, number: u64, what: &str) -> Error {
    let before = number
        .checked_sub(1)
        .filter(|before| *before >= scan.listed.first);
    let (newest, entries) = before.map_or((Version::ZERO, None), |before| end_of(scan, before));
    let after = newest.max(scan.acknowledged);
    let lost = words(after, entries, behind(scan, number));
    let path = segment::path(scan.folder, number);
    corrupt(&path, 0, &format!("{what}, and with it {lost}"))
}

/// The error for bytes at `position` that are damaged or missing, up to the
/// whole frame at `next`, if there is one in the file.
pub(super) fn of_bytes(
    scan: &Scan,
    file: &File,
    position: Position,
    next: Option<u64>,
    what: &str,
) -> Error {
    let found = next.and_then(|next| frame_at(file, next).ok().flatten());
    let until = match &found {
        Some((header, records)) => Some(Until {
            newest: before(records),
            entries: header.follows.map(|link| link.entries),
        }),
        None => behind(scan, position.segment),
    };
    let path = segment::path(scan.folder, position.segment);
    let lost = words(scan.newest(), scan.entries(), until);
    corrupt(&path, position.offset, &format!("{what}: {lost}"))
}

/// What is wrong if a frame that `follows` another one stands behind `link`.
pub(super) fn of_frames(
    newest: Option<Version>,
    link: ChainLink,
    follows: ChainLink,
    records: &[Record],
) -> String {
    if follows.entries <= link.entries {
        return "the entry there belongs to another place, or is there twice".to_owned();
    }
    let until = Until {
        newest: before(records),
        entries: Some(follows.entries),
    };
    let lost = words(newest.unwrap_or_default(), Some(link.entries), Some(until));
    format!("entries are missing before the one there: {lost}")
}

fn before(records: &[Record]) -> Version {
    let first = records.first().map(|record| record.version);
    first.unwrap_or_default().just_before()
}

/// Where entries continue behind segment `number`, as far as that is known.
fn behind(scan: &Scan, number: u64) -> Option<Until> {
    let next = File::open(segment::path(scan.folder, number + 1)).ok();
    let header = next.and_then(|next| SegmentHeader::read(&next).ok()?);
    let from_header = header.map(|header| Until {
        newest: header.newest_before,
        entries: header.link.map(|link| link.entries),
    });
    let from_note = scan.noted.map(|noted| Until {
        newest: noted.newest,
        entries: Some(noted.link.entries),
    });
    from_header.or(from_note)
}

/// The newest version in a segment and the entries up to its end, as far as it
/// can be read.
fn end_of(scan: &Scan, number: u64) -> (Version, Option<u64>) {
    let Ok(file) = File::open(segment::path(scan.folder, number)) else {
        return (Version::ZERO, None);
    };
    let mut offset = Position::start_of(number, scan.listed.forms).offset;
    let mut end = (Version::ZERO, None);
    while let Ok(Some((header, _))) = frame_at(&file, offset) {
        end = (
            header.last_version,
            header.follows.map(|_| header.link().entries),
        );
        offset += header.frame_bytes();
    }
    end
}

fn words(after: Version, entries: Option<u64>, until: Option<Until>) -> String {
    let Some(until) = until.filter(|until| until.newest > after) else {
        return format!("the entries after version {after} and all that came later");
    };
    let counted = entries.zip(until.entries);
    let count = counted.and_then(|(from, to)| to.checked_sub(from));
    let count = count.map_or(String::new(), |count| format!(", {count} in number"));
    format!(
        "the entries after version {after} up to version {}{count}",
        until.newest
    )
}
