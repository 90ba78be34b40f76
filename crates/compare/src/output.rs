//! Where a report goes: two files and the terminal.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::report::{Report, html, table};

/// The folder that report.html and report.json go to.
#[derive(Debug)]
pub struct Output(PathBuf);

impl Output {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// When no file can be made in it.
    pub fn open(folder: &Path) -> Result<Output> {
        let failed = |why| Error::failed(format_args!("writing into {}", folder.display()), why);
        fs::create_dir_all(folder).map_err(failed)?;
        NamedTempFile::new_in(folder).map_err(failed)?;
        Ok(Output(folder.to_owned()))
    }

    /// Writes the files, each in place of one that is there as a whole, and prints the verdict, the
    /// table and where the files are.
    ///
    /// # Errors
    /// When a file cannot be written; the table is printed all the same.
    pub fn write(&self, report: &Report, details: bool) -> Result<()> {
        let files = [
            ("report.json", report.json()),
            ("report.html", html::page(report)),
        ];
        let written = files.map(|(name, text)| self.write_file(name, &text));
        let mut text = table::text(report, details);
        for path in written.iter().flatten() {
            text += &format!("{}\n", path.display());
        }
        // Standard output may be closed, which is no failure: the files are written.
        let mut output = std::io::stdout().lock();
        let _ = output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush());
        written.into_iter().try_for_each(|path| path.map(drop))
    }

    fn write_file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        let failed = |why| Error::failed(format_args!("writing {}", path.display()), why);
        let mut file = tempfile::Builder::new()
            .permissions(permissions())
            .tempfile_in(&self.0)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(path.canonicalize().unwrap_or(path))
    }
}

/// As other files have them, rather than those of a secret.
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_one_that_cannot_be_is_refused_before_anything_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let deeper = folder.path().join("a/b");
        Output::open(&deeper).unwrap();
        assert_eq!(fs::read_dir(&deeper).unwrap().count(), 0);
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = Output::open(&folder.path().join("file/x")).unwrap_err();
        assert!(refused.to_string().contains("file/x"), "{refused}");
    }

    #[test]
    fn a_file_takes_the_place_of_the_one_before_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(folder.path()).unwrap();
        for text in ["first", "second"] {
            let path = output.write_file("report.json", text).unwrap();
            assert_eq!(fs::read_to_string(path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
