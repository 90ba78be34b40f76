//! Where a report goes: the terminal and two files.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::report::{Report, html, json, table};

/// What every terminal has.
const COLUMNS: usize = 80;

/// Prints the table and what it says, and writes `report.html` and `report.json` into the
/// folder, which is made where it is missing.
///
/// # Errors
/// When a file cannot be written; the table is printed all the same.
pub fn write(report: &Report, folder: &Path) -> Result<()> {
    print!("{}", table::text(report, COLUMNS));
    for (title, sentences) in [
        ("What this says", &report.findings),
        ("Read these figures with care", &report.warnings),
    ] {
        print!("{}", listed(title, sentences));
    }
    if let Some(ceiling) = report.ceiling {
        println!(
            "\nThis tool itself drives at most {:.0} requests a second on this machine, against a handler that \
             does nothing.",
            ceiling.requests_per_second
        );
    }
    println!();
    let failed =
        |path: &Path, error| Error::failed(format_args!("writing {}", path.display()), error);
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (name, text) in [
        ("report.json", json::text(report)),
        ("report.html", html::page(report)),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
        println!("{}", path.canonicalize().unwrap_or(path).display());
    }
    Ok(())
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
