//! A file that keeps other processes out.

use std::fs::{File, TryLockError};
use std::path::Path;

/// An open file whose lock ends when this is dropped.
///
/// Closing the file alone would not end it while another handle of the same opening is there: a
/// child process has one from its fork until it runs its program.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Of a file that is locked.
    pub(crate) fn new(file: File) -> LockedFile {
        LockedFile(file)
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // It ends with the last handle otherwise.
        let _ = self.0.unlock();
    }
}

/// Whether another process has locked the file. Its own lock ends at once, so that it is in no start's way.
pub(crate) fn is_locked(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_although_a_child_has_a_handle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("LOCK");
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        // As a child process has it before it runs its program.
        let _of_the_child = file.try_clone().unwrap();
        let locked = LockedFile::new(file);
        let other = File::open(&path).unwrap();
        assert!(other.try_lock().is_err());
        drop(locked);
        other.try_lock().unwrap();
    }
}
