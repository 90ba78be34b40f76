//! Everything that stands in the files of a journal, damaged or not. For the
//! subcommands only: a start goes by what there has to be.

use std::fs::File;
use std::path::Path;

use crate::error::Result;
use crate::journal::file::failed;
use crate::journal::file::frame::Header;
use crate::journal::file::header::SegmentHeader;
use crate::journal::file::segment::{self, frame_at, next_frame_after};
use crate::model::record::Record;

/// A part of a segment.
#[derive(Debug)]
pub(super) enum Piece {
    /// A frame that verifies, and what is in it.
    Frame(Header, Vec<Record>),
    /// A number of bytes in which no frame verifies.
    Damage(u64),
}

/// A segment's file, open.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    pub(super) length: u64,
    /// `None` where none verifies.
    pub(super) header: Option<SegmentHeader>,
}

impl SegmentFile {
    pub(super) fn open(folder: &Path, number: u64) -> Result<SegmentFile> {
        let path = segment::path(folder, number);
        let opened = File::open(&path).and_then(|file| {
            Ok(SegmentFile {
                length: file.metadata()?.len(),
                header: SegmentHeader::read(&file)?,
                file,
            })
        });
        opened.map_err(|error| failed(&path, error))
    }

    /// Calls `each` with every piece and its offset.
    pub(super) fn walk(
        &self,
        path: &Path,
        mut each: impl FnMut(u64, Piece) -> Result<()>,
    ) -> Result<()> {
        let mut offset = self.header.map_or(0, |header| header.bytes_in_file());
        while offset < self.length {
            let found = frame_at(&self.file, offset).map_err(|error| failed(path, error))?;
            let (next, piece) = match found {
                Some((header, records)) => {
                    (offset + header.frame_bytes(), Piece::Frame(header, records))
                }
                None => {
                    let next = next_frame_after(&self.file, offset, self.length);
                    let next = next.map_err(|error| failed(path, error))?;
                    let next = next.unwrap_or(self.length);
                    (next, Piece::Damage(next - offset))
                }
            };
            each(offset, piece)?;
            offset = next;
        }
        Ok(())
    }
}
