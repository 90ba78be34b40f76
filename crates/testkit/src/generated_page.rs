//! Pages of `docs/` that are made from the code.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Checks that `docs/{name}` is `page`. With `UPDATE_DOCUMENTS` in the environment it is written first.
///
/// # Panics
/// When it is another text. The message has the command that writes it, which is `update`.
#[track_caller]
pub fn expect_current(name: &str, page: &str, update: &str) {
    expect_current_file(&format!("docs/{name}"), page, update);
}

/// As [`expect_current`], of a file in any folder of the repository.
///
/// # Panics
/// As there.
#[track_caller]
pub fn expect_current_file(file: &str, text: &str, update: &str) {
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(path(file), text).expect("a file that can be written");
    }
    let found = fs::read_to_string(path(file)).unwrap_or_default();
    assert!(found == text, "{file} is stale: {update}");
}

/// The text of a file of the repository.
///
/// # Panics
/// When there is none.
#[track_caller]
pub fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn path(file: &str) -> PathBuf {
    // Read when the test runs, since a target folder may be shared by several checkouts.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    Path::new(&package).join("../..").join(file)
}
