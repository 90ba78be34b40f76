//! The end of the journal, where batches are appended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Part, Result};
use crate::journal::file::frame::{self, ChainLink};
use crate::journal::file::header::SegmentHeader;
use crate::journal::file::manifest::Manifest;
use crate::journal::file::segment::{self, Position};
use crate::journal::file::synced::{End, SyncedNote};
use crate::journal::file::{failed, lock, tail};
use crate::model::record::Record;
use crate::model::version::Version;
use crate::process::fault_point;
use crate::process::held_path::HeldPath;
use crate::settings::JournalSync;
use crate::telemetry::repeated;

/// What a probe writes at least: a block of most file systems.
const PROBE_BYTES_MIN: usize = 4_096;

const SYNC_FAILED: &str = "a sync of the journal failed; it goes on in a new segment";

/// What is known of the file of the last segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SegmentState {
    /// It ends at the writer's position.
    Whole,
    /// A write failed: bytes of it may stand behind the position. They are cut
    /// off before anything else is written.
    Ragged,
    /// A sync failed: the kernel may have dropped the pages and report success
    /// the next time, so nothing more is written to this file. (Rebello et al.,
    /// "Can Applications Recover from fsync Failures?", 2020)
    Distrusted,
    /// Nothing more is written to this file: what a crash left may stand behind
    /// the position, or it is of an older form.
    Closed,
}

/// Why a batch was not made durable.
enum Failure {
    Write(io::Error),
    Sync(io::Error),
}

#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    sync: JournalSync,
    segment_bytes: u64,
    manifest: Arc<Mutex<Manifest>>,
    file: File,
    held: HeldPath,
    /// The end of what was appended successfully.
    position: Position,
    /// Of the last segment; `None` if it has none.
    header: Option<SegmentHeader>,
    /// The place in the chain that the next frame continues.
    link: ChainLink,
    /// The newest version that was appended successfully.
    newest: Version,
    note: SyncedNote,
    segment_state: SegmentState,
    buffer: Vec<u8>,
}

impl Writer {
    /// Continues at `end`. If anything stands behind that, it stays, and the next
    /// batch goes to a new segment. `note` makes the note of that end.
    pub(super) fn open(
        folder: &Path,
        sync: JournalSync,
        segment_bytes: u64,
        manifest: Arc<Mutex<Manifest>>,
        end: End,
        note: impl FnOnce(End) -> Result<SyncedNote>,
    ) -> Result<Writer> {
        let position = end.position;
        let path = segment::path(folder, position.segment);
        let opened = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .and_then(|file| {
                file.sync_all()?;
                let header = SegmentHeader::read(&file)?;
                let is_at_end = file.metadata()?.len() == position.offset;
                let held = HeldPath::of(&path, &file)?;
                Ok((file, held, header, is_at_end))
            });
        let (file, held, header, is_at_end) = opened.map_err(|error| failed(&path, error))?;
        let forms = lock(&manifest).contents().forms;
        Ok(Writer {
            folder: folder.to_owned(),
            sync,
            segment_bytes,
            manifest,
            file,
            held,
            position,
            header: header.filter(|_| position.segment >= forms.headed),
            link: end.link,
            newest: end.newest,
            // IMPORTANT: after the sync of the segment.
            note: note(end)?,
            segment_state: match is_at_end && position.segment >= forms.chained {
                true => SegmentState::Whole,
                false => SegmentState::Closed,
            },
            buffer: Vec::new(),
        })
    }

    /// Where the next frame goes.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Writes the records as one frame; on return they survive what the sync
    /// level says. Returns the frame's bytes.
    ///
    /// # Errors
    /// [`Error::NotWritten`] when the frame certainly is not in the journal;
    /// after [`Error::Unavailable`] the next start may find it. Either way the
    /// next append or probe first mends what this one has left.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<u64> {
        debug_assert!(
            records
                .first()
                .is_none_or(|first| first.version > self.newest),
            "versions ascend from frame to frame"
        );
        let mut buffer = std::mem::take(&mut self.buffer);
        let header = frame::encode(records, Some(self.link), &mut buffer);
        let appended = self.append_bytes(&buffer);
        self.buffer = buffer;
        appended?;
        let mut end = self.end();
        end.position.offset += header.frame_bytes();
        end.link = header.link();
        end.newest = end.newest.max(header.last_version);
        // IMPORTANT: before the batch is acknowledged, so that the note never is
        // behind that.
        if let Err(error) = self.note.write(end) {
            self.segment_state = SegmentState::Ragged;
            let _ = self.cut_back();
            return Err(failed(&self.folder, error));
        }
        debug_assert!(end.position > self.position, "the journal grows");
        (self.position, self.link, self.newest) = (end.position, end.link, end.newest);
        Ok(header.frame_bytes())
    }

    fn end(&self) -> End {
        End {
            position: self.position,
            link: self.link,
            newest: self.newest,
        }
    }

    /// Tries whether an append as large as the last one would succeed, and
    /// leaves the journal as it was.
    pub(super) fn probe(&mut self) -> Result<()> {
        // No frame begins with zeros: what a crash leaves of them is dropped.
        let zeros = vec![0; self.buffer.len().max(PROBE_BYTES_MIN)];
        self.append_bytes(&zeros)?;
        self.segment_state = SegmentState::Ragged;
        self.cut_back().map_err(|error| self.not_written(error))?;
        let end = self.end();
        let noted = self.note.write(end);
        noted.map_err(|error| self.not_written(error))
    }

    /// Begins the next segment, or the last one again if it holds no batch.
    pub(super) fn begin_segment(&mut self) -> Result<()> {
        let (header, is_new) = match self.header {
            // IMPORTANT: not a segment with a tail, which would be lost.
            Some(header) if self.is_empty() && self.segment_state != SegmentState::Closed => {
                (header, false)
            }
            _ => {
                let header = SegmentHeader {
                    number: self.position.segment + 1,
                    previous_end: self.position.offset,
                    newest_before: self.newest,
                    link: Some(self.link),
                };
                (header, true)
            }
        };
        let path = segment::path(&self.folder, header.number);
        let created = header.create(&self.folder).and_then(|file| {
            let held = HeldPath::of(&path, &file)?;
            Ok((file, held))
        });
        let (file, held) =
            created.map_err(|error| Error::not_written(Part::Journal, in_file(&path, error)))?;
        if is_new {
            // IMPORTANT: before it takes a batch, so that its loss is noticed.
            lock(&self.manifest)
                .change(|listed| listed.last = header.number)
                .map_err(|error| Error::not_written(Part::Journal, error))?;
        }
        (self.file, self.held) = (file, held);
        self.header = Some(header);
        self.position = Position {
            segment: header.number,
            offset: header.bytes_in_file(),
        };
        self.segment_state = SegmentState::Whole;
        fault_point::disk("journal.begun", &self.folder).map_err(|error| self.not_written(error))
    }

    /// Cuts off all batches of the last segment, which frees their room. Only
    /// where each of them is acknowledged. Returns whether it did.
    pub(super) fn empty_segment(&mut self) -> bool {
        let Some(header) = self.header else {
            return false;
        };
        let is_closed = self.segment_state == SegmentState::Closed;
        if self.segment_state == SegmentState::Distrusted || (self.is_empty() && !is_closed) {
            return false;
        }
        match self.empty(&header) {
            Ok(()) => {
                // A segment of an older form takes no chained frame.
                if header.link.is_none() {
                    self.segment_state = SegmentState::Closed;
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "cannot give back the room of a drained segment");
                false
            }
        }
    }

    fn empty(&mut self, header: &SegmentHeader) -> io::Result<()> {
        let (folder, before) = (self.folder.clone(), self.end());
        let start = End {
            position: Position {
                offset: header.bytes_in_file(),
                ..self.position
            },
            link: header.link.unwrap_or_default(),
            newest: self.newest,
        };
        // IMPORTANT: before the frames are gone, so that the note never demands them,
        // after a power loss either.
        self.note.write(start)?;
        self.note.sync()?;
        let number = self.position.segment;
        let tail = before.position.offset;
        let state_before = std::mem::replace(&mut self.segment_state, SegmentState::Ragged);
        (self.position, self.link) = (start.position, start.link);
        let emptied = tail::keep_over(&folder, number, tail, || self.cut_back());
        if emptied.is_err() {
            (self.position, self.link) = (before.position, before.link);
            // The file may have been cut all the same.
            self.segment_state = match state_before {
                SegmentState::Closed => SegmentState::Closed,
                _ => SegmentState::Ragged,
            };
        }
        emptied
    }

    /// Whether the last segment holds no batch.
    fn is_empty(&self) -> bool {
        let start = self.header.map_or(0, |header| header.bytes_in_file());
        self.position.offset == start
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let mut in_doubt = false;
        loop {
            if let Err(error) = self.mend() {
                return Err(match error {
                    // The segment whose sync failed is the last one still.
                    Error::NotWritten { reason, .. } if in_doubt => {
                        Error::unavailable(Part::Journal, reason)
                    }
                    error => error,
                });
            }
            match self.write(bytes) {
                Ok(()) => return Ok(()),
                Err(Failure::Write(error)) => {
                    self.segment_state = SegmentState::Ragged;
                    return Err(match self.cut_back() {
                        Ok(()) => self.not_written(error),
                        Err(_) => failed(&self.path(), error),
                    });
                }
                Err(Failure::Sync(error)) => {
                    self.segment_state = SegmentState::Distrusted;
                    let error = failed(&self.path(), error);
                    if in_doubt {
                        return Err(error);
                    }
                    repeated::error(SYNC_FAILED, &error.to_string());
                    in_doubt = true;
                }
            }
        }
    }

    /// Makes the file ready for the next frame.
    fn mend(&mut self) -> Result<()> {
        match self.segment_state {
            SegmentState::Ragged => self.cut_back().map_err(|error| self.not_written(error))?,
            SegmentState::Distrusted | SegmentState::Closed => return self.begin_segment(),
            SegmentState::Whole => {}
        }
        self.is_at_its_path()?;
        let start = self.header.map_or(0, |header| header.bytes_in_file());
        let batch_bytes = self.position.offset - start;
        if batch_bytes > 0 && batch_bytes >= self.segment_bytes {
            self.sync_at_end();
            return self.begin_segment();
        }
        Ok(())
    }

    /// Checks that the last segment's file is at its path.
    ///
    /// # Errors
    /// [`Error::NotWritten`].
    pub(super) fn is_at_its_path(&self) -> Result<()> {
        self.held.check().map_err(|error| {
            let reason = format!("the segment has been removed: {error}");
            Error::not_written(Part::Journal, reason)
        })
    }

    /// Syncs a segment that takes no more, where its batches were not. A failure
    /// costs no more than the level allows: a power loss may take what this
    /// process may not.
    fn sync_at_end(&mut self) {
        if self.sync == JournalSync::Os
            && let Err(error) = self.sync_file()
        {
            let error = failed(&self.path(), error);
            repeated::error(SYNC_FAILED, &error.to_string());
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), Failure> {
        fault_point::disk("journal.write", &self.folder)
            .and_then(|()| self.file.write_all(bytes))
            .map_err(Failure::Write)?;
        match self.sync {
            JournalSync::Fsync => self.sync_file().map_err(Failure::Sync),
            JournalSync::Os => Ok(()),
        }
    }

    fn sync_file(&self) -> io::Result<()> {
        fault_point::disk("journal.sync", &self.folder)?;
        self.file.sync_data()
    }

    /// Ends the file at the position.
    fn cut_back(&mut self) -> io::Result<()> {
        let end = self.position.offset;
        fault_point::disk("journal.cut", &self.folder)?;
        if cut(&self.file, end).is_err() {
            // As after a remount, which leaves the old handle without a file.
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .open(self.path())?;
            cut(&file, end)?;
            self.held = HeldPath::of(&self.path(), &file)?;
            self.file = file;
        }
        self.segment_state = SegmentState::Whole;
        Ok(())
    }

    fn path(&self) -> PathBuf {
        segment::path(&self.folder, self.position.segment)
    }

    fn not_written(&self, error: impl std::fmt::Display) -> Error {
        Error::not_written(Part::Journal, in_file(&self.path(), error))
    }
}

fn in_file(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// Ends `file` at `end`, which it must have reached before.
fn cut(file: &File, end: u64) -> io::Result<()> {
    if file.metadata()?.len() < end {
        return Err(io::Error::other("the segment is shorter than it was"));
    }
    file.set_len(end)?;
    match file.metadata()?.len() == end {
        true => Ok(()),
        false => Err(io::Error::other("the segment could not be cut back")),
    }
}
