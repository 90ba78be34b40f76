//! The note of where the journal ended when a batch was last acknowledged.
//!
//! ```text
//! slot    magic u32 | checksum u32 | changes u64 | segment u64 | offset u64 | entries u64
//!         | checksum of the last frame u32 | 1 if that frame was synced u32 | newest version u64 | boot u128
//! ```
//!
//! Numbers are little-endian; the checksum is the CRC-32 of all that follows
//! it. `synced` has two slots of [`SLOT_BYTES`]; the valid one with more changes
//! counts. Each batch overwrites the other slot before it is answered, which is
//! a write into the page cache. That is exact until the machine's next boot. The
//! sync of it happens within [`crate::timing::SYNCED_NOTE_INTERVAL`], off the path of the batch.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::error::Result;
use crate::journal::file::failed;
use crate::journal::file::frame::ChainLink;
use crate::journal::file::segment::{Position, corrupt};
use crate::model::version::Version;
use crate::process::fault_point;
use crate::telemetry::repeated;
use crate::timing;

const NAME: &str = "synced";
const MAGIC: [u8; 4] = *b"WBn1";
/// A page and a sector each: writing one slot leaves the other whole.
const SLOT_BYTES: u64 = 4_096;
const NOTE_BYTES: usize = 72;
/// Linux's identifier of the time since the machine was booted.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A place where the journal ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) position: Position,
    /// The place in the chain that the frame at that position continues.
    pub(super) link: ChainLink,
    /// The newest version before it.
    pub(super) newest: Version,
}

/// The contents of the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) end: End,
    /// Whether all before the end was synced. If not, a power loss may take it.
    is_synced: bool,
    /// 0 where it is not known.
    boot: u128,
    changes: u64,
}

impl Noted {
    /// Whether the machine was not booted since. Then neither the note nor what
    /// was written before it can have been lost with the page cache.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot != 0 && self.boot == boot()
    }

    /// Whether all before the end has to be there.
    pub(super) fn is_binding(&self) -> bool {
        self.is_synced || self.is_of_this_boot()
    }

    fn parse(slot: &[u8]) -> Option<Noted> {
        let (slot, _) = slot.split_at_checked(NOTE_BYTES)?;
        let (magic, rest) = slot.split_first_chunk::<4>()?;
        let (checksum, fields) = rest.split_first_chunk::<4>()?;
        if *magic != MAGIC || u32::from_le_bytes(*checksum) != crc32fast::hash(fields) {
            return None;
        }
        let (numbers, _) = fields.as_chunks::<8>();
        let mut numbers = numbers.iter().copied().map(u64::from_le_bytes);
        let changes = numbers.next()?;
        let position = Position {
            segment: numbers.next()?,
            offset: numbers.next()?,
        };
        let entries = numbers.next()?;
        let packed = numbers.next()?;
        let link = ChainLink {
            entries,
            checksum: packed as u32,
        };
        let newest = Version::new(numbers.next()?)?;
        let boot = u128::from(numbers.next()?) | (u128::from(numbers.next()?) << 64);
        Some(Noted {
            end: End {
                position,
                link,
                newest,
            },
            is_synced: packed >> 32 == 1,
            boot,
            changes,
        })
    }

    fn bytes(&self) -> [u8; NOTE_BYTES] {
        let End {
            position,
            link,
            newest,
        } = self.end;
        let packed = u64::from(link.checksum) | (u64::from(self.is_synced) << 32);
        let numbers = [
            self.changes,
            position.segment,
            position.offset,
            link.entries,
            packed,
            newest.get(),
            self.boot as u64,
            (self.boot >> 64) as u64,
        ];
        let mut bytes = [0; NOTE_BYTES];
        let (place, fields) = bytes.split_at_mut(8);
        for (place, byte) in fields
            .iter_mut()
            .zip(numbers.into_iter().flat_map(u64::to_le_bytes))
        {
            *place = byte;
        }
        let head = MAGIC
            .into_iter()
            .chain(crc32fast::hash(fields).to_le_bytes());
        place
            .iter_mut()
            .zip(head)
            .for_each(|(place, byte)| *place = byte);
        bytes
    }
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Reads the note in `folder`; `None` when there is none.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] when no slot verifies.
pub(super) fn read(folder: &Path) -> Result<Option<Noted>> {
    let path = path(folder);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| failed(&path, error))?,
    };
    let slots = bytes.chunks(SLOT_BYTES as usize).filter_map(Noted::parse);
    match slots.max_by_key(|noted| noted.changes) {
        Some(noted) => Ok(Some(noted)),
        None => {
            let what = "the note of what was acknowledged last does not verify";
            Err(corrupt(&path, 0, what))
        }
    }
}

/// The note of an open journal.
#[derive(Debug)]
pub(super) struct SyncedNote {
    folder: PathBuf,
    shared: Arc<Shared>,
    is_synced: bool,
    boot: u128,
    changes: u64,
}

/// What the task that syncs the note needs.
#[derive(Debug)]
struct Shared {
    file: File,
    /// Whether a task will sync what was written.
    is_scheduled: AtomicBool,
}

impl SyncedNote {
    /// Continues the note that was `noted`, or creates it, with `end` as the end of
    /// the journal, durably. `is_synced` is whether batches are synced before they
    /// are noted.
    pub(super) fn open(
        folder: &Path,
        noted: Option<Noted>,
        end: End,
        is_synced: bool,
    ) -> Result<SyncedNote> {
        let path = path(folder);
        let opened = match noted {
            Some(_) => OpenOptions::new().write(true).open(&path),
            None => create(folder, &path),
        };
        let mut note = SyncedNote {
            folder: folder.to_owned(),
            shared: Arc::new(Shared {
                file: opened.map_err(|error| failed(&path, error))?,
                is_scheduled: AtomicBool::new(false),
            }),
            is_synced: true,
            boot: boot(),
            changes: noted.map_or(0, |noted| noted.changes),
        };
        // IMPORTANT: the caller has synced the journal up to there.
        note.write_now(end)
            .and_then(|()| note.sync())
            .map_err(|error| failed(&path, error))?;
        note.is_synced = is_synced;
        Ok(note)
    }

    /// Notes that the journal ends at `end`, and syncs the note soon.
    pub(super) fn write(&mut self, end: End) -> io::Result<()> {
        self.write_now(end)?;
        self.sync_soon();
        Ok(())
    }

    fn write_now(&mut self, end: End) -> io::Result<()> {
        fault_point::disk("journal.note", &self.folder)?;
        let changes = self.changes + 1;
        let noted = Noted {
            end,
            is_synced: self.is_synced,
            boot: self.boot,
            changes,
        };
        let place = (changes % 2) * SLOT_BYTES;
        self.shared.file.write_all_at(&noted.bytes(), place)?;
        self.changes = changes;
        Ok(())
    }

    /// Syncs what was written.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.shared.file.sync_data()
    }

    fn sync_soon(&self) {
        if self.shared.is_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(sync_later(Arc::downgrade(&self.shared)));
            }
            // The next append may run where there is one.
            Err(_) => self.shared.is_scheduled.store(false, Ordering::Release),
        }
    }
}

impl Drop for SyncedNote {
    fn drop(&mut self) {
        if let Err(error) = self.sync() {
            tracing::debug!(%error, "cannot sync the note of what was acknowledged");
        }
    }
}

async fn sync_later(shared: Weak<Shared>) {
    tokio::time::sleep(timing::SYNCED_NOTE_INTERVAL).await;
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let sync = move || {
        // IMPORTANT: before the sync, so that what is written during it is synced again.
        shared.is_scheduled.store(false, Ordering::Release);
        shared.file.sync_data()
    };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(sync).await {
        let what = "cannot sync the note of what was acknowledged";
        repeated::warning(what, &error.to_string(), 1);
    }
}

fn create(folder: &Path, path: &Path) -> io::Result<File> {
    fault_point::disk("journal.note", folder)?;
    let unnamed = folder.join(format!("{NAME}.new"));
    let mut file = File::create(&unnamed)?;
    // All room that it will ever need. Zeros are no valid slot, so one is written.
    let first = Noted {
        end: End::default(),
        is_synced: false,
        boot: 0,
        changes: 0,
    };
    let mut bytes = first.bytes().to_vec();
    bytes.resize(2 * SLOT_BYTES as usize, 0);
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&unnamed, path)?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

fn boot() -> u128 {
    let id = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At most one task waits, and each write is followed by a sync.
    #[tokio::test(start_paused = true)]
    async fn what_is_written_is_synced_off_the_path_of_the_batch() {
        let folder = tempfile::tempdir().unwrap();
        let mut note = SyncedNote::open(folder.path(), None, End::default(), true).unwrap();
        let is_scheduled = |note: &SyncedNote| note.shared.is_scheduled.load(Ordering::Acquire);
        for _ in 0..3 {
            assert!(!is_scheduled(&note));
            for _ in 0..2 {
                note.write(End::default()).unwrap();
                assert!(is_scheduled(&note));
            }
            while is_scheduled(&note) {
                tokio::time::sleep(timing::SYNCED_NOTE_INTERVAL).await;
            }
        }
    }
}
