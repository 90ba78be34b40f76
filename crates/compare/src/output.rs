//! Where a report goes: two files and the terminal.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::report::pictures::{self, Picture};
use crate::report::{Report, html, json, table};

/// What every terminal has.
const COLUMNS: usize = 80;

/// The folder that report.html and report.json go to.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    pictures: bool,
}

impl Output {
    /// Makes the folder where it is missing. `pictures`: whether each is to be a file, too.
    ///
    /// # Errors
    /// When no file can be made in it.
    pub fn open(folder: &Path, pictures: bool) -> Result<Output> {
        let failed = |why| Error::failed(format_args!("writing into {}", folder.display()), why);
        fs::create_dir_all(folder).map_err(failed)?;
        NamedTempFile::new_in(folder).map_err(failed)?;
        Ok(Output {
            folder: folder.to_owned(),
            pictures,
        })
    }

    /// Writes the files, each in place of one that is there as a whole, and prints the table, what
    /// it says and where the files are.
    ///
    /// # Errors
    /// When a file cannot be written; the table is printed all the same.
    pub fn write(&self, report: &Report) -> Result<()> {
        let mut files = vec![
            ("report.json".to_owned(), json::text(report)),
            ("report.html".to_owned(), html::page(report)),
        ];
        if self.pictures {
            files.extend(Picture::ALL.map(|picture| {
                let name = format!("{}.svg", picture.file_stem());
                (name, pictures::standalone(report, picture))
            }));
        }
        let written: Vec<Result<PathBuf>> = files
            .iter()
            .map(|(name, text)| self.write_file(name, text))
            .collect();
        let mut text = printed(report);
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
        let path = self.folder.join(name);
        let failed = |why| Error::failed(format_args!("writing {}", path.display()), why);
        let mut file = tempfile::Builder::new()
            .permissions(permissions())
            .tempfile_in(&self.folder)
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

fn printed(report: &Report) -> String {
    let mut text = table::text(report, COLUMNS);
    text += &listed("What this says", &report.findings);
    text += &listed("Read these figures with care", &report.warnings);
    if let Some(ceiling) = report.ceiling {
        text += &format!(
            "\nThis tool itself drives at most {:.0} requests a second on this machine, against a handler that \
             does nothing.\n",
            ceiling.requests_per_second
        );
    }
    text + "\n"
}

/// A title and sentences, each broken where the line ends; nothing without sentences.
fn listed(title: &str, sentences: &[String]) -> String {
    let mut text = String::new();
    if !sentences.is_empty() {
        text += &format!("\n{title}\n");
    }
    for sentence in sentences {
        let mut line = "  -".to_owned();
        for word in sentence.split(' ') {
            if line.chars().count() + 1 + word.chars().count() > COLUMNS {
                text += &format!("{line}\n");
                line = "   ".to_owned();
            }
            line += &format!(" {word}");
        }
        text += &format!("{line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_and_one_that_cannot_be_is_refused_before_anything_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let deeper = folder.path().join("a/b");
        Output::open(&deeper, false).unwrap();
        assert_eq!(fs::read_dir(&deeper).unwrap().count(), 0);
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = Output::open(&folder.path().join("file/x"), false).unwrap_err();
        assert!(refused.to_string().contains("file/x"), "{refused}");
    }

    #[test]
    fn a_file_takes_the_place_of_the_one_before_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::open(folder.path(), false).unwrap();
        for text in ["first", "second"] {
            let path = output.write_file("report.json", text).unwrap();
            assert_eq!(fs::read_to_string(path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn sentences_are_broken_at_words_and_every_line_fits() {
        let long = "word ".repeat(40).trim().to_owned();
        let text = listed("Title", &[long, "Short.".to_owned()]);
        assert!(
            text.lines().all(|line| line.chars().count() <= COLUMNS),
            "{text}"
        );
        assert!(text.starts_with("\nTitle\n  - word word"), "{text}");
        assert!(text.ends_with("word\n  - Short.\n"), "{text}");
        assert_eq!(text.matches("word").count(), 40);
        assert!(text.contains("word\n    word"), "{text}");
        // Words of which a line just holds the last one, and just does not.
        for (length, lines) in [(76, 1), (77, 2)] {
            let text = listed("", &["x".repeat(length - 2) + " y"]);
            assert_eq!(text.trim().lines().count(), lines, "{text}");
            assert!(text.lines().all(|line| line.len() <= COLUMNS), "{text}");
        }
        assert_eq!(listed("Title", &[]), "");
    }
}
