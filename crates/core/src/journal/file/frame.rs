//! The form of one appended batch on disk.
//!
//! ```text
//! frame   magic u32 | payload bytes u32 | checksum u32 | entries u32 | last version u64 | payload
//! entry   version u64 | key bytes u32 | body bytes u32, all ones = tombstone | key | body
//! ```
//!
//! Numbers are little-endian. The checksum is the CRC-32 of all that follows
//! it and of the payload's length.

use bytes::Bytes;

use crate::record::{Key, Record};
use crate::version::Version;

pub(super) const HEADER_BYTES: usize = 24;
/// The first bytes of every frame, by which a whole frame after a damaged one
/// is found.
pub(super) const MAGIC: [u8; 4] = *b"WBf1";
/// More than any batch takes; a larger length is damage, not a frame.
const PAYLOAD_MAX_BYTES: u32 = 1 << 30;
const TOMBSTONE: u32 = u32::MAX;

/// A frame's header; the payload is not verified yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) payload_bytes: u32,
    checksum: u32,
    pub(super) entries: u32,
    pub(super) last_version: Version,
}

impl Header {
    /// `None` when these are not the first bytes of a frame.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let mut rest = &bytes[..];
        if take(&mut rest)? != MAGIC {
            return None;
        }
        let payload_bytes = take_u32(&mut rest)?;
        let checksum = take_u32(&mut rest)?;
        let entries = take_u32(&mut rest)?;
        let last_version = Version::new(u64::from_le_bytes(take(&mut rest)?))?;
        (payload_bytes <= PAYLOAD_MAX_BYTES).then_some(Header {
            payload_bytes,
            checksum,
            entries,
            last_version,
        })
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }

    /// Whether `payload` is the one that this header was written for.
    pub(super) fn verifies(&self, payload: &[u8]) -> bool {
        checksum(self.payload_bytes, self.entries, self.last_version, payload) == self.checksum
    }
}

fn checksum(payload_bytes: u32, entries: u32, last_version: Version, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&payload_bytes.to_le_bytes());
    hasher.update(&entries.to_le_bytes());
    hasher.update(&last_version.get().to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Writes `records`, at least one, oldest first, as one frame into `buffer`.
pub(super) fn encode(records: &[Record], buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEADER_BYTES, 0);
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
    let last_version = records
        .last()
        .map_or(Version::ZERO, |record| record.version);
    let entries = records.len() as u32;
    let (header, payload) = buffer.split_at_mut(HEADER_BYTES);
    let payload_bytes = payload.len() as u32;
    let fields = MAGIC
        .into_iter()
        .chain(payload_bytes.to_le_bytes())
        .chain(checksum(payload_bytes, entries, last_version, payload).to_le_bytes())
        .chain(entries.to_le_bytes())
        .chain(last_version.get().to_le_bytes());
    for (place, byte) in header.iter_mut().zip(fields) {
        *place = byte;
    }
}

/// The records of a verified payload; `None` when they are not of this form.
pub(super) fn decode(payload: Vec<u8>, entries: u32) -> Option<Vec<Record>> {
    let payload = Bytes::from(payload);
    let mut rest = &payload[..];
    let mut records = Vec::new();
    for _ in 0..entries {
        let version = Version::new(u64::from_le_bytes(take(&mut rest)?))?;
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
