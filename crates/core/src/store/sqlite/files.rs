//! The files of the database: the lock beside it, and whether they are all at their paths.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::in_file;
use crate::error::Result;
use crate::process::held_path::HeldPath;
use crate::process::locked_file::LockedFile;
use crate::store::claim::{Claim, Held, Usage};
use crate::timing;

/// What the lock file's name has in addition.
pub(super) const LOCK_END: &str = ".lock";

/// The reason that clients get when a file is gone.
const GONE: &str = "a file of the database is not at its path any more, and what is written to it would be lost; \
                    put it back, and restart this process";

/// Keeps other processes out: they would not know what this one's cache holds.
#[derive(Debug)]
pub(super) struct FileLock {
    held: HeldPath,
    _file: LockedFile,
    /// Whether the database existed and the lock file did not.
    is_new: bool,
}

impl FileLock {
    /// # Errors
    /// When another process has the database open.
    pub(super) fn take(path: &Path) -> Result<FileLock> {
        let lock_path = beside(path, LOCK_END);
        let is_new = path.exists() && !lock_path.exists();
        let file = File::create(&lock_path).map_err(|error| in_file(path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(in_file(path, "another process has it open"));
            }
            Err(TryLockError::Error(error)) => return Err(in_file(path, error)),
        }
        Ok(FileLock {
            held: HeldPath::of(&lock_path, &file).map_err(|error| in_file(path, error))?,
            _file: LockedFile::new(file),
            is_new,
        })
    }

    /// Waits until a process whose lock file was removed has noticed that. Only then may this one
    /// write what the other's cache does not know.
    pub(super) async fn wait_for_others(&self) {
        if self.is_new {
            tokio::time::sleep(timing::CLAIM_LOSS_TIMEOUT).await;
        }
    }
}

/// The files of an open database. Once one is gone, the database stays unavailable until a restart:
/// another process may have used the file under another name meanwhile.
#[derive(Debug)]
pub(super) struct Files {
    held: Vec<HeldPath>,
    gone: AtomicBool,
    _lock: FileLock,
}

impl Files {
    /// The files of a database with an open connection.
    ///
    /// # Errors
    /// When one is missing.
    pub(super) fn of(path: &Path, lock: FileLock) -> io::Result<Files> {
        let mut held = vec![lock.held.clone(), HeldPath::at(path)?];
        // SQLite resolves a symbolic link.
        let path = path.canonicalize()?;
        for end in ["-wal", "-shm"] {
            held.push(HeldPath::at(&beside(&path, end))?);
        }
        Ok(Files {
            held,
            gone: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Checks that all are at their paths. Costs a `stat` for each.
    ///
    /// # Errors
    /// [`crate::error::Error::Unavailable`].
    pub(super) fn check(&self) -> Result<()> {
        if self.gone.load(Ordering::Acquire) {
            return Err(super::unavailable(GONE));
        }
        let Some(error) = self.held.iter().find_map(|held| held.check().err()) else {
            return Ok(());
        };
        if error.kind() == io::ErrorKind::NotFound && !self.gone.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "a file of the database was removed or replaced");
        }
        Err(super::unavailable(error))
    }

    /// The reason why the database is unavailable.
    pub(super) fn problem(&self) -> &'static str {
        match self.gone.load(Ordering::Acquire) {
            true => GONE,
            false => "it does not answer",
        }
    }
}

#[async_trait]
impl Claim for Arc<Files> {
    async fn hold(&mut self) -> Result<Held> {
        match self.check() {
            Ok(()) => Ok(Held::Yes),
            Err(_) if self.gone.load(Ordering::Acquire) => Ok(Held::Lapsed),
            Err(error) => Err(error),
        }
    }

    fn lapsed(&self, _: Usage) -> &'static str {
        GONE
    }
}

pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
