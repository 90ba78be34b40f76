//! The beginning of the journal, from where it is read and acknowledged.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::journal::file::forms::Forms;
use crate::journal::file::header::SegmentHeader;
use crate::journal::file::manifest::Manifest;
use crate::journal::file::segment::{self, Position};
use crate::journal::file::{failed, lock, tail};
use crate::model::record::Record;
use crate::model::version::Version;
use crate::process::fault_point;
use crate::process::held_path::HeldPath;
use crate::telemetry::repeated;

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

/// Whether there is a note, so that a journal was here.
pub(super) fn has_note(folder: &Path) -> bool {
    folder.join(ACKNOWLEDGED).exists()
}

fn open_note(path: &Path) -> std::io::Result<(File, HeldPath)> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let held = HeldPath::of(path, &file)?;
    Ok((file, held))
}

/// What an acknowledgement passed over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// Where reading and acknowledging stand.
#[derive(Clone, Copy, Debug)]
struct Front {
    acknowledged: Version,
    /// The first frame that is not wholly acknowledged.
    position: Position,
    /// Entries of that frame that are.
    skipped: u64,
}

/// A segment that is being read.
#[derive(Debug)]
struct Open {
    number: u64,
    file: File,
    /// Where it ends, once there is one after it.
    end: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Head {
    folder: PathBuf,
    manifest: Arc<Mutex<Manifest>>,
    forms: Forms,
    front: Front,
    /// Where reading after a version may go on, besides at the front.
    resume: (Version, Position),
    open: Option<Open>,
    note: Option<(File, HeldPath)>,
    /// There are no segments before this one any more, unless a crash left some.
    deleted_before: u64,
}

impl Head {
    /// The head at `position`; frames before it, and of its own the entries
    /// that are acknowledged, are counted out already.
    pub(super) fn new(
        folder: &Path,
        manifest: Arc<Mutex<Manifest>>,
        position: Position,
        end: Position,
        acknowledged: Version,
    ) -> Result<Head> {
        let forms = lock(&manifest).contents().forms;
        let mut head = Head {
            folder: folder.to_owned(),
            manifest,
            forms,
            front: Front {
                acknowledged,
                position,
                skipped: 0,
            },
            resume: (Version::ZERO, position),
            open: None,
            note: None,
            deleted_before: 0,
        };
        let front = head.front;
        head.front.skipped = head.acknowledged_in_frame(&front, end)?;
        // The note is made now, so that it needs no room when the disk is full.
        head.settle();
        Ok(head)
    }

    /// The first frame that is not wholly acknowledged.
    pub(super) fn position(&self) -> Position {
        self.front.position
    }

    /// The last segment, in which all was acknowledged, was emptied and ends at
    /// `end`.
    pub(super) fn emptied(&mut self, end: Position) {
        self.front.position = end;
        self.front.skipped = 0;
        self.resume = (Version::ZERO, end);
        self.open = None;
    }

    /// Records after `after` that are not acknowledged, at most `max`, up to `end`.
    pub(super) fn read(
        &mut self,
        after: Version,
        max: usize,
        end: Position,
    ) -> Result<Vec<Record>> {
        let after = after.max(self.front.acknowledged);
        let (resume_after, resume) = self.resume;
        let mut position = if after >= resume_after {
            resume.max(self.front.position)
        } else {
            self.front.position
        };
        let mut records = Vec::new();
        while position < end && records.len() < max {
            let Some((bytes, frame)) = self.frame(position, end)? else {
                position = self.start_of(position.segment + 1);
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
            // A look at the oldest entry does not move the place where reading goes on.
            if let Some(last) = last
                && last >= self.resume.0
            {
                self.resume = (last, position);
            }
        }
        debug_assert!(
            records.len() <= max && records.first().is_none_or(|first| first.version > after),
            "no more is read than was asked for"
        );
        Ok(records)
    }

    /// Moves the head past everything up to and including `through`, notes
    /// that, and deletes the segments that lie behind it.
    ///
    /// # Errors
    /// When the journal cannot be read; nothing has changed then.
    pub(super) fn acknowledge(&mut self, through: Version, end: Position) -> Result<Passed> {
        let (front, passed) = self.passed(through, end)?;
        debug_assert!(
            front.acknowledged >= self.front.acknowledged && front.position >= self.front.position,
            "the head moves forward only"
        );
        debug_assert!(
            front.position <= end,
            "the head is not behind the end of the journal"
        );
        self.front = front;
        self.settle();
        Ok(passed)
    }

    /// Notes what is acknowledged and deletes the segments behind the head.
    /// Failures are only logged. A deletion is retried later, and an old note costs
    /// a second draining, which changes nothing.
    fn settle(&mut self) {
        if let Err(error) = self.delete_acknowledged_segments() {
            let what = "cannot delete what was drained from the journal";
            repeated::warning(what, &error.to_string(), 1);
        }
        if let Err(error) = self.write_acknowledged() {
            self.note = None;
            let what = "cannot note what was drained from the journal";
            repeated::warning(what, &error.to_string(), 1);
        }
    }

    /// Where the head is after everything up to and including `through`.
    fn passed(&mut self, through: Version, end: Position) -> Result<(Front, Passed)> {
        let mut front = self.front;
        front.acknowledged = front.acknowledged.max(through);
        let mut passed = Passed::default();
        while front.position < end {
            let Position {
                segment: number,
                offset,
            } = front.position;
            if self.at_segment_end(front.position, end)? {
                front.position = self.start_of(number + 1);
                continue;
            }
            let path = segment::path(&self.folder, number);
            let header = segment::header_at(&self.open(number)?.file, offset)
                .map_err(|error| failed(&path, error))?;
            match header {
                None => {
                    return Err(segment::corrupt(
                        &path,
                        offset,
                        "no entry begins there any more",
                    ));
                }
                Some(header) if header.last_version <= front.acknowledged => {
                    passed.entries += u64::from(header.entries) - front.skipped;
                    passed.bytes += header.frame_bytes();
                    front.position.offset += header.frame_bytes();
                    front.skipped = 0;
                    if front.position.segment == end.segment && front.position > end {
                        let reason = "an entry ends beyond the end of the journal";
                        return Err(segment::corrupt(&path, offset, reason));
                    }
                }
                Some(_) => {
                    let skipped = self.acknowledged_in_frame(&front, end)?;
                    passed.entries += skipped - front.skipped;
                    front.skipped = skipped;
                    break;
                }
            }
        }
        Ok((front, passed))
    }

    /// Deletes the segments that lie wholly behind the head, also those that a
    /// crash has left.
    fn delete_acknowledged_segments(&mut self) -> Result<()> {
        let first = self.front.position.segment;
        if self.deleted_before >= first {
            return Ok(());
        }
        let mut manifest = lock(&self.manifest);
        if manifest.contents().first < first {
            // IMPORTANT: before they are deleted, so that none that it lists is
            // ever missing.
            manifest.change(|listed| listed.first = first)?;
            fault_point::disk("journal.delete", &self.folder)
                .map_err(|error| failed(&self.folder, error))?;
        }
        drop(manifest);
        for number in segment::list(&self.folder)? {
            if number < first {
                self.delete_segment(number)?;
            }
        }
        self.deleted_before = first;
        Ok(())
    }

    fn delete_segment(&mut self, number: u64) -> Result<()> {
        let path = segment::path(&self.folder, number);
        let is_followed = segment::path(&self.folder, number + 1).exists();
        let end = match self.end_of(number) {
            Ok(end) => Some(end),
            // Its end is not known.
            Err(Error::Corrupt { .. }) => None,
            Err(_) if !is_followed => None,
            Err(error) => return Err(error),
        };
        let remove = || std::fs::remove_file(&path);
        let removed = match end {
            Some(end) => tail::keep_over(&self.folder, number, end, remove),
            None => remove(),
        };
        removed.map_err(|error| failed(&path, error))
    }

    fn start_of(&self, number: u64) -> Position {
        Position::start_of(number, self.forms)
    }

    fn acknowledged_in_frame(&mut self, front: &Front, end: Position) -> Result<u64> {
        if front.position >= end {
            return Ok(0);
        }
        let frame = self.frame(front.position, end)?;
        Ok(frame.map_or(0, |(_, records)| {
            records
                .iter()
                .filter(|record| record.version <= front.acknowledged)
                .count() as u64
        }))
    }

    /// The frame at `position` and its bytes; `None` at the end of its segment.
    fn frame(&mut self, position: Position, end: Position) -> Result<Option<(u64, Vec<Record>)>> {
        if self.at_segment_end(position, end)? {
            return Ok(None);
        }
        let path = segment::path(&self.folder, position.segment);
        match segment::frame_at(&self.open(position.segment)?.file, position.offset)
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

    /// Whether no frame of its segment begins at `position`, where the journal
    /// ends at `end`.
    fn at_segment_end(&mut self, position: Position, end: Position) -> Result<bool> {
        if position.segment >= end.segment {
            return Ok(position >= end);
        }
        let segment_end = match self.open(position.segment)?.end {
            Some(segment_end) => segment_end,
            None => self.end_of(position.segment)?,
        };
        self.open(position.segment)?.end = Some(segment_end);
        Ok(position.offset >= segment_end)
    }

    /// Where a segment ends that has another one after it. Bytes behind that
    /// are of a batch whose sync failed.
    fn end_of(&mut self, number: u64) -> Result<u64> {
        let next = number + 1;
        if next < self.forms.headed {
            let path = segment::path(&self.folder, number);
            let metadata = self.open(number)?.file.metadata();
            return Ok(metadata.map_err(|error| failed(&path, error))?.len());
        }
        let path = segment::path(&self.folder, next);
        let header = File::open(&path)
            .and_then(|file| SegmentHeader::read(&file))
            .map_err(|error| failed(&path, error))?;
        let verified = header.filter(|header| header.number == next);
        let what = "the header of the segment does not verify any more";
        let header = verified.ok_or_else(|| segment::corrupt(&path, 0, what))?;
        Ok(header.previous_end)
    }

    fn open(&mut self, number: u64) -> Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) if open.number == number => open,
            _ => {
                let path = segment::path(&self.folder, number);
                Open {
                    number,
                    file: File::open(&path).map_err(|error| failed(&path, error))?,
                    end: None,
                }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Not synced, as the note may be an old one.
    fn write_acknowledged(&mut self) -> Result<()> {
        let path = self.folder.join(ACKNOWLEDGED);
        let version = self.front.acknowledged.get().to_le_bytes();
        let mut note = [0; 12];
        let bytes = version
            .into_iter()
            .chain(crc32fast::hash(&version).to_le_bytes());
        note.iter_mut()
            .zip(bytes)
            .for_each(|(place, byte)| *place = byte);
        // A note that was removed is made again.
        let noted = self.note.take().filter(|(_, held)| held.check().is_ok());
        let noted = noted.map_or_else(|| open_note(&path), Ok);
        let (file, _) = self
            .note
            .insert(noted.map_err(|error| failed(&path, error))?);
        file.write_all_at(&note, 0)
            .map_err(|error| failed(&path, error))
    }
}
