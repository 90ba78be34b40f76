//! The form of one appended batch on disk.
//!
//! ```text
//! chained magic u32 | payload bytes u32 | checksum u32 | entries u32 | last version u64
//!         | entries before u64 | checksum of the frame before u32 | payload
//! alone   magic u32 | payload bytes u32 | checksum u32 | entries u32 | last version u64 | payload
//! entry   version u64 | key bytes u32 | body bytes u32, all ones = tombstone | key | body
//! ```
//!
//! Numbers are little-endian. The checksum is the CRC-32 of all that follows
//! it and of the payload's length. The frames of segments are chained, so a
//! missing one is noticed. A dead letter is a frame alone, and so are the
//! frames of a journal that a version without chains has made.

use bytes::Bytes;

use crate::model::record::{Key, Record};
use crate::model::version::Version;

/// Bytes of a chained frame's header. No frame has fewer in all.
pub(super) const HEADER_BYTES: usize = 36;
const ALONE_HEADER_BYTES: usize = 24;
/// The first bytes of both kinds of frames, by which a whole frame after a
/// damaged one is found.
pub(super) const MAGIC_PREFIX: [u8; 3] = *b"WBf";
const CHAINED: [u8; 4] = *b"WBf2";
const ALONE: [u8; 4] = *b"WBf1";
/// More than any batch takes; a larger length is damage, not a frame.
const PAYLOAD_MAX_BYTES: u32 = 1 << 30;
const TOMBSTONE: u32 = u32::MAX;
/// Of a tombstone without a key.
const ENTRY_BYTES_MIN: usize = 16;

/// The place in the chain that the next frame continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChainLink {
    /// Entries in all frames before.
    pub(super) entries: u64,
    /// The checksum of the frame before; 0 if there is none.
    pub(super) checksum: u32,
}

/// A frame's header; the payload is not verified yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) payload_bytes: u32,
    checksum: u32,
    pub(super) entries: u32,
    pub(super) last_version: Version,
    /// `None` for a frame alone.
    pub(super) follows: Option<ChainLink>,
}

impl Header {
    /// `None` when these are not the first bytes of a frame.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let mut rest = &bytes[..];
        let magic = take(&mut rest)?;
        if magic != CHAINED && magic != ALONE {
            return None;
        }
        let payload_bytes = take_u32(&mut rest)?;
        let checksum = take_u32(&mut rest)?;
        let entries = take_u32(&mut rest)?;
        let last_version = Version::new(take_u64(&mut rest)?)?;
        let follows = match magic == CHAINED {
            true => Some(ChainLink {
                entries: take_u64(&mut rest)?,
                checksum: take_u32(&mut rest)?,
            }),
            false => None,
        };
        (payload_bytes <= PAYLOAD_MAX_BYTES).then_some(Header {
            payload_bytes,
            checksum,
            entries,
            last_version,
            follows,
        })
    }

    /// Bytes before the payload.
    pub(super) fn header_bytes(&self) -> u64 {
        header_bytes(self.follows) as u64
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        self.header_bytes() + u64::from(self.payload_bytes)
    }

    /// Whether `payload` is the one that this header was written for.
    pub(super) fn verifies(&self, payload: &[u8]) -> bool {
        self.checksum_with(payload) == self.checksum
    }

    /// The place in the chain that the frame after this one continues.
    pub(super) fn link(&self) -> ChainLink {
        let before = self.follows.unwrap_or_default().entries;
        ChainLink {
            entries: before.saturating_add(u64::from(self.entries)),
            checksum: self.checksum,
        }
    }

    fn checksum_with(&self, payload: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.payload_bytes.to_le_bytes());
        hasher.update(&self.entries.to_le_bytes());
        hasher.update(&self.last_version.get().to_le_bytes());
        if let Some(link) = self.follows {
            hasher.update(&link.entries.to_le_bytes());
            hasher.update(&link.checksum.to_le_bytes());
        }
        hasher.update(payload);
        hasher.finalize()
    }

    fn write_into(&self, place: &mut [u8]) {
        let magic = match self.follows {
            Some(_) => CHAINED,
            None => ALONE,
        };
        let link = self.follows.unwrap_or_default();
        // The last two have no place in the header of a frame alone.
        let fields = magic
            .into_iter()
            .chain(self.payload_bytes.to_le_bytes())
            .chain(self.checksum.to_le_bytes())
            .chain(self.entries.to_le_bytes())
            .chain(self.last_version.get().to_le_bytes())
            .chain(link.entries.to_le_bytes())
            .chain(link.checksum.to_le_bytes());
        for (place, byte) in place.iter_mut().zip(fields) {
            *place = byte;
        }
    }
}

fn header_bytes(follows: Option<ChainLink>) -> usize {
    match follows {
        Some(_) => HEADER_BYTES,
        None => ALONE_HEADER_BYTES,
    }
}

/// Writes `records`, at least one, oldest first, as one frame into `buffer`,
/// chained to what it `follows` or alone. Returns its header.
pub(super) fn encode(
    records: &[Record],
    follows: Option<ChainLink>,
    buffer: &mut Vec<u8>,
) -> Header {
    debug_assert!(!records.is_empty(), "a frame has an entry");
    debug_assert!(
        follows.is_none() || records.is_sorted_by(|one, next| one.version < next.version),
        "versions ascend within a chained frame"
    );
    buffer.clear();
    buffer.resize(header_bytes(follows), 0);
    for record in records {
        let body_bytes = record
            .body
            .as_ref()
            .map_or(TOMBSTONE, |body| body.len() as u32);
        buffer.extend_from_slice(&record.version.get().to_le_bytes());
        buffer.extend_from_slice(&(record.key.as_str().len() as u32).to_le_bytes());
        buffer.extend_from_slice(&body_bytes.to_le_bytes());
        buffer.extend_from_slice(record.key.as_str().as_bytes());
        buffer.extend_from_slice(record.body.as_deref().unwrap_or_default());
    }
    let (place, payload) = buffer.split_at_mut(header_bytes(follows));
    let mut header = Header {
        payload_bytes: payload.len() as u32,
        checksum: 0,
        entries: records.len() as u32,
        last_version: records
            .last()
            .map_or(Version::ZERO, |record| record.version),
        follows,
    };
    header.checksum = header.checksum_with(payload);
    header.write_into(place);
    header
}

/// The records of a verified payload; `None` when they are not of this form.
pub(super) fn decode(payload: Vec<u8>, entries: u32) -> Option<Vec<Record>> {
    let payload = Bytes::from(payload);
    let mut rest = &payload[..];
    let entries_max = payload.len() / ENTRY_BYTES_MIN;
    let mut records = Vec::with_capacity(entries_max.min(entries as usize));
    for _ in 0..entries {
        let version = Version::new(take_u64(&mut rest)?)?;
        let key_bytes = take_u32(&mut rest)? as usize;
        let body_bytes = take_u32(&mut rest)?;
        let (key, after_key) = rest.split_at_checked(key_bytes)?;
        let key = Key::from(std::str::from_utf8(key).ok()?);
        let (body, after_body) = if body_bytes == TOMBSTONE {
            (None, after_key)
        } else {
            let (body, after_body) = after_key.split_at_checked(body_bytes as usize)?;
            (Some(payload.slice_ref(body)), after_body)
        };
        rest = after_body;
        records.push(Record { key, version, body });
    }
    rest.is_empty().then_some(records)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_le_bytes)
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}
