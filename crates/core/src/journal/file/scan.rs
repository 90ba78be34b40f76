//! Verifying the journal when it is opened. Changes nothing.

mod loss;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::journal::file::failed;
use crate::journal::file::frame::{ChainLink, Header};
use crate::journal::file::header::SegmentHeader;
use crate::journal::file::manifest::Contents;
use crate::journal::file::segment::{self, Position, corrupt, frame_at, next_frame_after};
use crate::journal::file::synced::{End, Noted};
use crate::model::record::Record;
use crate::model::version::Version;

/// What a scan of all segments found.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// The first frame that is not wholly acknowledged.
    pub(super) head: Option<Position>,
    /// The end of the last whole frame.
    pub(super) end: End,
    /// Entries that are not acknowledged, and the bytes of their frames.
    pub(super) depth: u64,
    pub(super) bytes: u64,
    /// The newest version in a frame.
    pub(super) newest: Option<Version>,
    /// The newest version in a frame of the last segment.
    pub(super) newest_in_last: Option<Version>,
    /// Bytes after the end.
    pub(super) torn_bytes: u64,
}

/// A segment that there has to be.
struct Segment {
    number: u64,
    path: PathBuf,
    file: File,
    length: u64,
    /// `None` for one of the form without.
    header: Option<SegmentHeader>,
}

/// A journal that is being scanned.
pub(super) struct Scan<'a> {
    pub(super) folder: &'a Path,
    pub(super) listed: &'a Contents,
    pub(super) acknowledged: Version,
    /// The noted end: the journal reached at least to there.
    pub(super) noted: Option<End>,
    link: Option<ChainLink>,
    found: Scanned,
}

/// Verifies every frame of every segment that the manifest lists.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] with file and offset where one is missing, shorter than
/// it was, or damaged.
pub(super) fn scan(
    folder: &Path,
    listed: &Contents,
    acknowledged: Version,
    noted: Option<&Noted>,
) -> Result<Scanned> {
    let scan = Scan {
        folder,
        listed,
        acknowledged,
        noted: noted
            .filter(|noted| noted.is_binding())
            .map(|noted| noted.end),
        link: None,
        found: Scanned::default(),
    };
    scan.run()
}

impl Scan<'_> {
    fn run(mut self) -> Result<Scanned> {
        let last = self.noted.map_or(0, |noted| noted.position.segment);
        let last = last.max(self.listed.last);
        let mut segment = self.open(self.listed.first)?;
        loop {
            let next = match segment.number < last {
                true => Some(self.open(segment.number + 1)?),
                false => None,
            };
            let end = match &next {
                None => None,
                Some(next) => Some(self.end_before(&segment, next)?),
            };
            self.scan_segment(&segment, end)?;
            match next {
                None => return Ok(self.found),
                Some(next) => segment = next,
            }
        }
    }

    /// Where `segment` ends, by the header of the one after it.
    fn end_before(&self, segment: &Segment, next: &Segment) -> Result<u64> {
        let end = match &next.header {
            Some(header) => header.previous_end,
            // Such a segment was begun only after the one before had a batch.
            None if segment.length == 0 => {
                return Err(corrupt(&segment.path, 0, "the segment is empty"));
            }
            None => segment.length,
        };
        if segment.length < end {
            let what = format!("the segment ends there, and went on to byte {end}");
            return Err(corrupt(&segment.path, segment.length, &what));
        }
        Ok(end)
    }

    fn open(&self, number: u64) -> Result<Segment> {
        let path = segment::path(self.folder, number);
        let unreadable = |error: io::Error| failed(&path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = "the segment is missing";
                return Err(loss::of_segment(self, number, what));
            }
            opened => opened.map_err(unreadable)?,
        };
        let forms = self.listed.forms;
        let header = match number < forms.headed {
            true => None,
            false => match SegmentHeader::read(&file).map_err(unreadable)? {
                Some(header) if header.link.is_some() != (number >= forms.chained) => {
                    return Err(corrupt(&path, 0, "it is a segment of another form"));
                }
                Some(header) if header.number == number => Some(header),
                Some(_) => return Err(corrupt(&path, 0, "it is another segment")),
                None => {
                    let what = "the header of the segment does not verify";
                    return Err(loss::of_segment(self, number, what));
                }
            },
        };
        Ok(Segment {
            number,
            length: file.metadata().map_err(unreadable)?.len(),
            file,
            header,
            path,
        })
    }

    /// Verifies a segment up to `end`. Verifies the last segment as far as it is
    /// whole.
    fn scan_segment(&mut self, segment: &Segment, end: Option<u64>) -> Result<()> {
        self.begin(segment)?;
        let limit = end.unwrap_or(segment.length);
        let mut position = Position::start_of(segment.number, self.listed.forms);
        self.compare_with_note(segment, position, None)?;
        while position.offset < limit {
            let found = frame_at(&segment.file, position.offset);
            let found = found.map_err(|error| failed(&segment.path, error))?;
            let is_chained = segment.number >= self.listed.forms.chained;
            let whole = found.filter(|(header, _)| {
                position.offset + header.frame_bytes() <= limit
                    && header.follows.is_some() == is_chained
            });
            let Some((header, records)) = whole else {
                self.check_torn(segment, position, limit, end.is_some())?;
                self.found.torn_bytes = limit - position.offset;
                break;
            };
            self.pass(segment, position, &header, &records)?;
            let before = position;
            position.offset += header.frame_bytes();
            self.compare_with_note(segment, position, Some(before))?;
        }
        let what = "the segment ends there";
        self.check_reached(segment, position, what)?;
        self.found.end.position = position;
        self.found.end.link = self.link.unwrap_or_default();
        Ok(())
    }

    /// Checks that a segment continues what came before it.
    fn begin(&mut self, segment: &Segment) -> Result<()> {
        self.found.newest_in_last = None;
        let Some(header) = &segment.header else {
            return Ok(());
        };
        let is_other = self.found.newest.is_some_and(|newest| {
            newest > header.newest_before
                || (newest < header.newest_before && self.has_frames_before(segment.number))
        });
        if is_other || (self.link.is_some() && header.link != self.link) {
            let what = "it does not continue the segment before";
            return Err(corrupt(&segment.path, 0, what));
        }
        self.link = header.link;
        self.found.end.newest = self.found.end.newest.max(header.newest_before);
        Ok(())
    }

    /// Whether the segment before `number` has frames. After it was emptied, its
    /// successor still counts them.
    fn has_frames_before(&self, number: u64) -> bool {
        let end = self.found.end.position;
        end.segment + 1 == number && end > Position::start_of(end.segment, self.listed.forms)
    }

    fn pass(
        &mut self,
        segment: &Segment,
        position: Position,
        header: &Header,
        records: &[Record],
    ) -> Result<()> {
        if let (Some(link), Some(follows)) = (self.link, header.follows)
            && link != follows
        {
            let what = loss::of_frames(self.found.newest, link, follows, records);
            return Err(corrupt(&segment.path, position.offset, &what));
        }
        let newest = self.found.newest;
        if newest.is_some_and(|newest| newest >= header.last_version) {
            let what = "the versions do not grow";
            return Err(corrupt(&segment.path, position.offset, what));
        }
        self.link = header.follows.map(|_| header.link());
        self.found.newest = Some(header.last_version);
        self.found.newest_in_last = Some(header.last_version);
        self.found.end.newest = header.last_version;
        if header.last_version > self.acknowledged {
            self.found.head.get_or_insert(position);
            let waits = |record: &&Record| record.version > self.acknowledged;
            self.found.depth += records.iter().filter(waits).count() as u64;
            self.found.bytes += header.frame_bytes();
        }
        Ok(())
    }

    /// Refuses what cannot be the rest of a batch that a crash cut short.
    fn check_torn(
        &self,
        segment: &Segment,
        position: Position,
        limit: u64,
        is_followed: bool,
    ) -> Result<()> {
        let what = "the entry does not verify";
        let next = next_frame_after(&segment.file, position.offset, limit);
        let next = next.map_err(|error| failed(&segment.path, error))?;
        // A batch is written after the one before it was complete, so what stands
        // before a whole one was complete once.
        if let Some(next) = next {
            let what = format!("{what}, and there are whole ones after it");
            return Err(loss::of_bytes(
                self,
                &segment.file,
                position,
                Some(next),
                &what,
            ));
        }
        if is_followed {
            return Err(loss::of_bytes(self, &segment.file, position, None, what));
        }
        self.check_reached(segment, position, what)
    }

    /// Refuses an end before the noted one.
    fn check_reached(&self, segment: &Segment, end: Position, what: &str) -> Result<()> {
        let noted = self.noted.map(|noted| noted.position);
        let noted = noted.filter(|noted| noted.segment == end.segment && *noted > end);
        let Some(noted) = noted else {
            return Ok(());
        };
        let what = format!("{what}, and the journal went on to byte {}", noted.offset);
        Err(loss::of_bytes(self, &segment.file, end, None, &what))
    }

    /// Refuses frames that are not the ones whose end was noted.
    fn compare_with_note(
        &self,
        segment: &Segment,
        position: Position,
        before: Option<Position>,
    ) -> Result<()> {
        let Some(noted) = &self.noted else {
            return Ok(());
        };
        let is_other =
            position == noted.position && self.link.is_some_and(|link| link != noted.link);
        let is_passed_over =
            position > noted.position && before.is_some_and(|before| before < noted.position);
        match is_other || is_passed_over {
            true => {
                let what = "the entries before are not those that were acknowledged";
                Err(corrupt(&segment.path, position.offset, what))
            }
            false => Ok(()),
        }
    }

    /// The newest version before what is looked at.
    pub(super) fn newest(&self) -> Version {
        self.found
            .newest
            .unwrap_or_default()
            .max(self.found.end.newest)
    }

    /// Entries before what is looked at, where frames are chained.
    pub(super) fn entries(&self) -> Option<u64> {
        self.link.map(|link| link.entries)
    }
}
