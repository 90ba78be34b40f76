//! Whether the journal's folder, `LOCK`, the manifest and the note of what was synced are at their
//! paths. By these the next start finds and verifies the journal, and they keep other processes out.
//!
//! While one of them is not at its path, nothing is read, written or deleted: the next start would not
//! find what was written, and the files at the path may be those of another process.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::error::{Error, Part, Result};
use crate::journal::file::{failed, manifest, synced};
use crate::outage::admission::Admission;
use crate::process::held_path::HeldPath;
use crate::process::locked_file::LockedFile;

/// The file that keeps other processes out.
pub(super) const LOCK: &str = "LOCK";
/// The watcher's name in the admission.
const SOURCE: &str = "journal";
/// The reason that clients get meanwhile.
const FILES_GONE: &str = "the journal's files are not at their path any more; put them back as they were, or \
                    restart the service";

/// The folder and `LOCK`, locked for this process.
#[derive(Debug)]
pub(super) struct Locked {
    held: Vec<HeldPath>,
    _locks: [LockedFile; 2],
}

#[derive(Debug)]
pub(super) struct Surroundings {
    held: Vec<HeldPath>,
    /// Open, so that no file that takes the place of one has its inode's number.
    _pinned: Vec<File>,
    admission: Admission,
    /// Held for as long as anything may touch the folder.
    _locked: Locked,
}

impl Locked {
    /// Keeps other processes out of the folder.
    ///
    /// # Errors
    /// When another process has the journal open.
    pub(super) fn take(folder: &Path) -> Result<Locked> {
        let lock_path = folder.join(LOCK);
        let (folder_itself, held_folder) = held(folder, File::open(folder))?;
        // IMPORTANT: the folder as well, since LOCK can be removed and made again.
        match folder_itself.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(is_open_elsewhere(folder)),
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the journal's folder cannot be locked here, only the LOCK in it");
            }
            Ok(()) => {}
        }
        let (lock, held_lock) = held(&lock_path, File::create(&lock_path))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(is_open_elsewhere(folder)),
            Err(TryLockError::Error(error)) => return Err(failed(&lock_path, error)),
            Ok(()) => {}
        }
        Ok(Locked {
            held: vec![held_folder, held_lock],
            _locks: [folder_itself, lock].map(LockedFile::new),
        })
    }
}

fn held(path: &Path, opened: io::Result<File>) -> Result<(File, HeldPath)> {
    let opened = opened.and_then(|file| {
        let held = HeldPath::of(path, &file)?;
        Ok((file, held))
    });
    opened.map_err(|error| failed(path, error))
}

fn is_open_elsewhere(folder: &Path) -> Error {
    failed(folder, "another process has the journal open")
}

impl Surroundings {
    /// The surroundings of a journal that has been opened.
    pub(super) fn new(folder: &Path, locked: Locked) -> Result<Surroundings> {
        let mut all = locked.held.clone();
        let mut pinned = Vec::new();
        for path in [manifest::path(folder), synced::path(folder)] {
            let (file, path) = held(&path, File::open(&path))?;
            all.push(path);
            pinned.push(file);
        }
        Ok(Surroundings {
            held: all,
            _pinned: pinned,
            admission: Admission::default(),
            _locked: locked,
        })
    }

    /// Checks that all are at their paths. Costs a `stat` for each.
    ///
    /// # Errors
    /// [`Error::NotAdmitted`].
    pub(super) fn check(&self) -> Result<()> {
        match self.held.iter().find_map(|held| held.check().err()) {
            Some(error) if self.admission.refuse(SOURCE, FILES_GONE) => {
                tracing::error!(%error, "{FILES_GONE}");
            }
            // An atomic load, where nothing was wrong.
            None if self.admission.check().is_err() && self.admission.allow(SOURCE) => {
                tracing::info!("the journal's files are at their path again");
            }
            _ => {}
        }
        self.admission.check()
    }

    /// As [`Surroundings::check`], for calls that are no writes.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) fn check_for_drain(&self) -> Result<()> {
        self.check()
            .map_err(|error| Error::unavailable(Part::Journal, error))
    }

    /// What was wrong at the last check.
    pub(super) fn problem(&self) -> Option<String> {
        self.admission.problem()
    }
}
