//! Where a report goes: the terminal and two files.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::report::{Report, html, json, table};

/// What every terminal has.
const COLUMNS: usize = 80;

/// Prints the table and what it means, and writes `report.html` and `report.json` into the
/// folder, which is made where it is missing.
///
/// # Errors
/// When a file cannot be written; the table is printed all the same.
pub fn write(report: &Report, folder: &Path) -> Result<()> {
    print!("{}", table::text(report, COLUMNS));
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
