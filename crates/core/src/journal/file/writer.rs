//! The end of the journal, where batches are appended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Part, Result};
use crate::journal::file::segment::{self, Position};
use crate::journal::file::{failed, frame};
use crate::record::Record;
use crate::settings::JournalSync;

#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    sync: JournalSync,
    segment_bytes: u64,
    file: File,
    position: Position,
    buffer: Vec<u8>,
    poisoned: bool,
}

impl Writer {
    /// Continues at `end`, cutting off what stands behind it, or begins the
    /// first segment.
    pub(super) fn open(
        folder: &Path,
        sync: JournalSync,
        segment_bytes: u64,
        end: Option<Position>,
    ) -> Result<Writer> {
        let (file, position) = match end {
            None => (
                create(folder, 0)?,
                Position {
                    segment: 0,
                    offset: 0,
                },
            ),
            Some(end) => {
                let path = segment::path(folder, end.segment);
                let truncated = OpenOptions::new()
                    .append(true)
                    .open(&path)
                    .and_then(|file| {
                        file.set_len(end.offset)?;
                        file.sync_all()?;
                        Ok(file)
                    });
                (truncated.map_err(|error| failed(&path, error))?, end)
            }
        };
        Ok(Writer {
            folder: folder.to_owned(),
            sync,
            segment_bytes,
            file,
            position,
            buffer: Vec::new(),
            poisoned: false,
        })
    }

    /// Where the next frame goes.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn poisoned(&self) -> bool {
        self.poisoned
    }

    /// Writes the records as one frame; on return they survive what the sync
    /// level says. Returns the frame's bytes.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<u64> {
        if self.poisoned {
            return Err(Error::unavailable(
                Part::Journal,
                "an earlier append failed; restart the service",
            ));
        }
        // Until it is known to have succeeded, whatever happens.
        self.poisoned = true;
        if self.position.offset >= self.segment_bytes {
            self.begin_segment()?;
        }
        frame::encode(records, &mut self.buffer);
        // IMPORTANT: never try again. After a failed fdatasync the kernel may have
        // dropped the pages and report success the next time.
        // (Rebello et al., "Can Applications Recover from fsync Failures?", 2020)
        self.write()
            .map_err(|error| failed(&segment::path(&self.folder, self.position.segment), error))?;
        let written = self.buffer.len() as u64;
        self.position.offset += written;
        self.poisoned = false;
        Ok(written)
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        match self.sync {
            JournalSync::Fsync => self.file.sync_data(),
            JournalSync::Os => Ok(()),
        }
    }

    fn begin_segment(&mut self) -> Result<()> {
        let path = segment::path(&self.folder, self.position.segment);
        // At JournalSync::Os too: a torn tail may be in the last segment only.
        self.file
            .sync_data()
            .map_err(|error| failed(&path, error))?;
        let next = self.position.segment + 1;
        self.file = create(&self.folder, next)?;
        self.position = Position {
            segment: next,
            offset: 0,
        };
        Ok(())
    }

    /// Makes every further write fail.
    #[cfg(test)]
    pub(super) fn break_file(&mut self) {
        self.file = File::open(segment::path(&self.folder, self.position.segment)).unwrap();
    }
}

fn create(folder: &Path, number: u64) -> Result<File> {
    let path = segment::path(folder, number);
    let created = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)
        .and_then(|file| {
            // The name must survive as well as what is written under it.
            File::open(folder)?.sync_all()?;
            Ok(file)
        });
    created.map_err(|error| failed(&path, error))
}
