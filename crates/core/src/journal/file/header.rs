//! How a segment begins.
//!
//! ```text
//! header  magic u32 | checksum u32 | number u64 | end of the segment before u64 | newest version before u64
//! ```
//!
//! Numbers are little-endian. The checksum is the CRC-32 of all that follows
//! it. A segment without a header was made by a version that wrote none.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::fault;
use crate::journal::file::segment;
use crate::version::Version;

pub(super) const HEADER_BYTES: u64 = 32;
const MAGIC: [u8; 4] = *b"WBs1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u64,
    /// Where the segment before this one ends. What stands behind that was
    /// never acknowledged: its sync failed.
    pub(super) previous_end: u64,
    /// The newest version in the segments before this one.
    pub(super) newest_before: Version,
}

impl SegmentHeader {
    /// The header of an open segment; `None` when it has none that verifies.
    pub(super) fn read(file: &File) -> io::Result<Option<SegmentHeader>> {
        let mut bytes = [0; HEADER_BYTES as usize];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(SegmentHeader::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> Option<SegmentHeader> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (checksum, fields) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC || u32::from_le_bytes(*checksum) != crc32fast::hash(fields) {
            return None;
        }
        let (numbers, _) = fields.as_chunks::<8>();
        let [number, previous_end, newest_before] = numbers else {
            return None;
        };
        Some(SegmentHeader {
            number: u64::from_le_bytes(*number),
            previous_end: u64::from_le_bytes(*previous_end),
            newest_before: match u64::from_le_bytes(*newest_before) {
                0 => Version::ZERO,
                version => Version::new(version)?,
            },
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let newest = self.newest_before.get();
        let fields: Vec<u8> = [self.number, self.previous_end, newest]
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect();
        [&MAGIC[..], &crc32fast::hash(&fields).to_le_bytes(), &fields].concat()
    }

    /// Creates the segment with this header, durably. A failure leaves nothing
    /// under its name, or what was there; the same may be tried again.
    ///
    /// IMPORTANT: not where the segment may hold a batch: it would be replaced.
    pub(super) fn create(&self, folder: &Path) -> io::Result<File> {
        fault::disk("journal.segment", folder)?;
        let path = segment::path(folder, self.number);
        let unnamed = path.with_added_extension("new");
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&unnamed)?;
        file.set_len(0)?;
        file.write_all(&self.bytes())?;
        file.sync_all()?;
        std::fs::rename(&unnamed, &path)?;
        // The name must survive as well as what is written under it.
        File::open(folder)?.sync_all()?;
        Ok(file)
    }
}

/// Whether the segment begins as one with a header, whole or not.
pub(super) fn begins_with_magic(file: &File) -> io::Result<bool> {
    let mut bytes = [0; MAGIC.len()];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(bytes == MAGIC),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
