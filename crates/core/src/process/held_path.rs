//! Files and folders that this process uses, and whether their paths still name them.
//!
//! A file that was removed, renamed, replaced or mounted over can still be written to through its open
//! handle. The next start opens the path, so it does not find what was written. And another process
//! may have locked what is at the path now.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A path and the file or folder that it should name. It keeps nothing open.
#[derive(Clone, Debug)]
pub(crate) struct HeldPath {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl HeldPath {
    /// Remembers `path`, by which `file` was opened.
    ///
    /// # Errors
    /// As [`HeldPath::check`], if the path already names another file.
    pub(crate) fn of(path: &Path, file: &File) -> io::Result<HeldPath> {
        let held = HeldPath::new(path, &file.metadata()?)?;
        held.check()?;
        Ok(held)
    }

    /// Remembers `path` and what it names now.
    ///
    /// # Errors
    /// When the path names nothing or cannot be read.
    pub(crate) fn at(path: &Path) -> io::Result<HeldPath> {
        HeldPath::new(path, &path.metadata()?)
    }

    fn new(path: &Path, metadata: &Metadata) -> io::Result<HeldPath> {
        Ok(HeldPath {
            // A relative one would follow the working directory when that is renamed.
            path: std::path::absolute(path)?,
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// Checks that the path still names the same file. Costs one `stat`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if it does not; others if it cannot be read. The text has the
    /// path.
    pub(crate) fn check(&self) -> io::Result<()> {
        let path = self.path.display();
        let found = self.path.metadata().map_err(|error| {
            let kind = match error.kind() {
                // A folder of the path has become a file.
                io::ErrorKind::NotADirectory => io::ErrorKind::NotFound,
                kind => kind,
            };
            io::Error::new(kind, format!("{path}: {error}"))
        })?;
        match (found.dev(), found.ino()) == (self.device, self.inode) {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{path}: another file has taken its place"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_path_that_names_another_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("file"), folder.path().join("aside"));
        let file = File::create(&path).unwrap();
        let held = HeldPath::of(&path, &file).unwrap();
        held.check().unwrap();
        fs::rename(&path, &aside).unwrap();
        let gone = held.check().unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        assert!(gone.to_string().contains(path.to_str().unwrap()), "{gone}");
        fs::write(&path, "").unwrap();
        assert_eq!(held.check().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(HeldPath::of(&path, &file).is_err());
        fs::rename(&aside, &path).unwrap();
        held.check().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(HeldPath::at(&path).is_err());
    }
}
