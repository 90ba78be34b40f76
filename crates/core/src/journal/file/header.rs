//! How a segment begins.
//!
//! ```text
//! chained magic u32 | checksum u32 | number u64 | end of the segment before u64 | newest version before u64
//!         | entries before u64 | checksum of the frame before u64
//! older   magic u32 | checksum u32 | number u64 | end of the segment before u64 | newest version before u64
//! ```
//!
//! Numbers are little-endian. The checksum is the CRC-32 of all that follows
//! it. Versions before this one have made the older form, or no header at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::journal::file::forms::{HEADER_BYTES, OLDER_HEADER_BYTES};
use crate::journal::file::frame::ChainLink;
use crate::journal::file::segment;
use crate::model::version::Version;
use crate::process::fault_point;

const MAGIC: [u8; 4] = *b"WBs2";
const OLDER_MAGIC: [u8; 4] = *b"WBs1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u64,
    /// Where the segment before this one ends. Bytes behind that are not part of
    /// the journal: their sync failed, or a crash cut them short.
    pub(super) previous_end: u64,
    /// The newest version in the segments before this one.
    pub(super) newest_before: Version,
    /// The place in the chain that the first frame continues; `None` where frames are not chained.
    pub(super) link: Option<ChainLink>,
}

impl SegmentHeader {
    /// The header of an open segment; `None` when it has none that verifies.
    pub(super) fn read(file: &File) -> io::Result<Option<SegmentHeader>> {
        let mut older = [0; OLDER_HEADER_BYTES as usize];
        if !read_whole(file, &mut older)? {
            return Ok(None);
        }
        if older.starts_with(&OLDER_MAGIC) {
            return Ok(SegmentHeader::parse(&older));
        }
        let mut bytes = [0; HEADER_BYTES as usize];
        let is_whole = read_whole(file, &mut bytes)?;
        Ok(SegmentHeader::parse(&bytes).filter(|_| is_whole && bytes.starts_with(&MAGIC)))
    }

    fn parse(bytes: &[u8]) -> Option<SegmentHeader> {
        let (_, rest) = bytes.split_first_chunk::<4>()?;
        let (checksum, fields) = rest.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*checksum) != crc32fast::hash(fields) {
            return None;
        }
        let (numbers, _) = fields.as_chunks::<8>();
        let mut numbers = numbers.iter().copied().map(u64::from_le_bytes);
        Some(SegmentHeader {
            number: numbers.next()?,
            previous_end: numbers.next()?,
            newest_before: Version::new(numbers.next()?)?,
            link: match (numbers.next(), numbers.next()) {
                (Some(entries), Some(checksum)) => Some(ChainLink {
                    entries,
                    checksum: u32::try_from(checksum).ok()?,
                }),
                _ => None,
            },
        })
    }

    /// The offset of the first frame.
    pub(super) fn bytes_in_file(&self) -> u64 {
        match self.link {
            Some(_) => HEADER_BYTES,
            None => OLDER_HEADER_BYTES,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let newest = self.newest_before.get();
        let link = self
            .link
            .map(|link| [link.entries, u64::from(link.checksum)]);
        let fields: Vec<u8> = [self.number, self.previous_end, newest]
            .into_iter()
            .chain(link.into_iter().flatten())
            .flat_map(u64::to_le_bytes)
            .collect();
        let magic = match self.link {
            Some(_) => MAGIC,
            None => OLDER_MAGIC,
        };
        [&magic[..], &crc32fast::hash(&fields).to_le_bytes(), &fields].concat()
    }

    /// Creates the segment with this header, durably. A failure leaves nothing
    /// under its name, or what was there; the same may be tried again.
    ///
    /// IMPORTANT: not where the segment may hold a batch: it would be replaced.
    pub(super) fn create(&self, folder: &Path) -> io::Result<File> {
        fault_point::disk("journal.segment", folder)?;
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
    Ok(read_whole(file, &mut bytes)? && (bytes == MAGIC || bytes == OLDER_MAGIC))
}

/// Fills `bytes` from the file's beginning. Returns whether the file has that many.
fn read_whole(file: &File, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact_at(bytes, 0) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
