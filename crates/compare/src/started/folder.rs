//! A temporary folder of the tool's own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::started;
use crate::error::{Error, Result};

/// Removed with what is in it when it is dropped.
#[derive(Debug)]
pub(crate) struct ScratchFolder {
    /// Until it is removed.
    folder: Option<TempDir>,
    path: PathBuf,
}

impl ScratchFolder {
    /// Makes an empty one.
    ///
    /// # Errors
    /// When that is not possible.
    pub(crate) fn make() -> Result<ScratchFolder> {
        let mut started = started();
        let folder = tempfile::Builder::new()
            .prefix("compare-")
            .tempdir()
            .map_err(|why| Error::failed("making a temporary folder", why))?;
        let path = folder.path().to_owned();
        started.folders.push(path.clone());
        Ok(ScratchFolder {
            folder: Some(folder),
            path,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it.
    ///
    /// # Errors
    /// When something of it is left.
    pub(crate) fn remove(mut self) -> Result<()> {
        let removed = match self.folder.take() {
            Some(folder) => folder.close(),
            None => Ok(()),
        };
        removed.map_err(|why| Error::failed("removing a temporary folder", why))
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // First, so that it is on the list for as long as there is any of it.
        drop(self.folder.take());
        started().folders.retain(|kept| *kept != self.path);
    }
}
