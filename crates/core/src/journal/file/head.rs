//! The beginning of the journal, from where it is read and acknowledged.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::journal::file::failed;
use crate::journal::file::segment::{self, Position};
use crate::record::Record;
use crate::version::Version;

const ACKNOWLEDGED: &str = "acknowledged";

/// Up to which version the database has everything, as last noted; zero when
/// the note is missing or torn, which only makes some be drained again.
pub(super) fn read_acknowledged(folder: &Path) -> Version {
    let note = std::fs::read(folder.join(ACKNOWLEDGED)).unwrap_or_default();
    let Some((version, checksum)) = note.split_first_chunk::<8>() else {
        return Version::ZERO;
    };
    if checksum != crc32fast::hash(version).to_le_bytes() {
        return Version::ZERO;
    }
    Version::new(u64::from_le_bytes(*version)).unwrap_or_default()
}

/// What an acknowledgement passed over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct Head {
    folder: PathBuf,
    acknowledged: Version,
    /// The first frame that is not wholly acknowledged.
    position: Position,
    /// Entries of that frame that are.
    skipped: u64,
    /// Where reading after a version may go on, besides at `position`.
    resume: (Version, Position),
    open: Option<(u64, File)>,
    note: Option<File>,
}

impl Head {
    pub(super) fn new(folder: &Path, position: Position, acknowledged: Version) -> Head {
        let mut head = Head {
            folder: folder.to_owned(),
            acknowledged,
            position,
            skipped: 0,
            resume: (Version::ZERO, position),
            open: None,
            note: None,
        };
        // Frames before the head, and of the head's own those acknowledged, are
        // counted out by the scan already.
        head.skipped = head.acknowledged_in_frame().unwrap_or(0);
        head
    }

    /// Records after `after` that are not acknowledged, at most `max`, up to `end`.
    pub(super) fn read(
        &mut self,
        after: Version,
        max: usize,
        end: Position,
    ) -> Result<Vec<Record>> {
        let after = after.max(self.acknowledged);
        let (resume_after, resume) = self.resume;
        let mut position = if after >= resume_after {
            resume.max(self.position)
        } else {
            self.position
        };
        let mut records = Vec::new();
        while position < end && records.len() < max {
            let Some((bytes, frame)) = self.frame(position)? else {
                position = Position {
                    segment: position.segment + 1,
                    offset: 0,
                };
                continue;
            };
            let ends_frame = frame.last().map(|record| record.version);
            records.extend(
                frame
                    .into_iter()
                    .filter(|record| record.version > after)
                    .take(max - records.len()),
            );
            let last = records.last().map(|record| record.version);
            if last == ends_frame || last.is_none() {
                position.offset += bytes;
            }
            if let Some(last) = last {
                self.resume = (last, position);
            }
        }
        Ok(records)
    }

    /// Moves the head past everything up to and including `through`, notes
    /// that, and deletes the segments that lie behind it.
    pub(super) fn acknowledge(&mut self, through: Version, end: Position) -> Result<Passed> {
        self.acknowledged = self.acknowledged.max(through);
        let mut passed = Passed::default();
        let first_segment = self.position.segment;
        while self.position < end {
            let (number, offset) = (self.position.segment, self.position.offset);
            if self.at_segment_end(self.position)? {
                self.position = Position {
                    segment: number + 1,
                    offset: 0,
                };
                continue;
            }
            let path = segment::path(&self.folder, number);
            let header = segment::header_at(self.file(number)?, offset)
                .map_err(|error| failed(&path, error))?;
            match header {
                None => {
                    return Err(segment::corrupt(
                        &path,
                        offset,
                        "no entry begins there any more",
                    ));
                }
                Some(header) if header.last_version <= self.acknowledged => {
                    passed.entries += u64::from(header.entries) - self.skipped;
                    passed.bytes += header.frame_bytes();
                    self.position.offset += header.frame_bytes();
                    self.skipped = 0;
                }
                Some(_) => {
                    let skipped = self.acknowledged_in_frame()?;
                    passed.entries += skipped - self.skipped;
                    self.skipped = skipped;
                    break;
                }
            }
        }
        // Neither is worth failing for: what was passed is passed, a segment that
        // could not be deleted is at the next start, and an old note costs a
        // second draining, which changes nothing.
        if self.position.segment > first_segment
            && let Err(error) = self.delete_acknowledged_segments()
        {
            tracing::warn!(%error, "cannot delete what was drained from the journal");
        }
        if let Err(error) = self.write_acknowledged() {
            tracing::warn!(%error, "cannot note what was drained from the journal");
        }
        Ok(passed)
    }

    /// Deletes the segments that lie wholly behind the head.
    pub(super) fn delete_acknowledged_segments(&self) -> Result<()> {
        for number in segment::list(&self.folder)?
            .into_iter()
            .filter(|number| *number < self.position.segment)
        {
            let path = segment::path(&self.folder, number);
            std::fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    fn acknowledged_in_frame(&mut self) -> Result<u64> {
        let acknowledged = self.acknowledged;
        let frame = self.frame(self.position)?;
        Ok(frame.map_or(0, |(_, records)| {
            records
                .iter()
                .filter(|record| record.version <= acknowledged)
                .count() as u64
        }))
    }

    /// The frame at `position` and its bytes; `None` at the end of its segment.
    fn frame(&mut self, position: Position) -> Result<Option<(u64, Vec<Record>)>> {
        if self.at_segment_end(position)? {
            return Ok(None);
        }
        let path = segment::path(&self.folder, position.segment);
        match segment::frame_at(self.file(position.segment)?, position.offset)
            .map_err(|error| failed(&path, error))?
        {
            Some((header, records)) => Ok(Some((header.frame_bytes(), records))),
            None => Err(segment::corrupt(
                &path,
                position.offset,
                "the entry does not verify any more",
            )),
        }
    }

    fn at_segment_end(&mut self, position: Position) -> Result<bool> {
        let path = segment::path(&self.folder, position.segment);
        let length = self
            .file(position.segment)?
            .metadata()
            .map_err(|error| failed(&path, error))?
            .len();
        Ok(position.offset >= length)
    }

    fn file(&mut self, number: u64) -> Result<&File> {
        let open = match self.open.take() {
            Some((held, file)) if held == number => (held, file),
            _ => {
                let path = segment::path(&self.folder, number);
                (
                    number,
                    File::open(&path).map_err(|error| failed(&path, error))?,
                )
            }
        };
        Ok(&self.open.insert(open).1)
    }

    /// Not synced, as the note may be an old one.
    fn write_acknowledged(&mut self) -> Result<()> {
        let path = self.folder.join(ACKNOWLEDGED);
        let version = self.acknowledged.get().to_le_bytes();
        let mut note = [0; 12];
        let bytes = version
            .into_iter()
            .chain(crc32fast::hash(&version).to_le_bytes());
        note.iter_mut()
            .zip(bytes)
            .for_each(|(place, byte)| *place = byte);
        if self.note.is_none() {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path);
            self.note = Some(file.map_err(|error| failed(&path, error))?);
        }
        let Some(file) = &self.note else {
            return Ok(());
        };
        file.write_all_at(&note, 0)
            .map_err(|error| failed(&path, error))
    }
}
