//! Pages of `docs/` that are made from the code.

use std::path::Path;
use std::{env, fs};

/// Checks that `docs/{name}` is `page`. With `UPDATE_DOCUMENTS` in the environment it is written first.
///
/// # Panics
/// When it is another text. The message has the command that writes it, which is `update`.
#[track_caller]
pub fn expect_current(name: &str, page: &str, update: &str) {
    // Read when the test runs, since a target folder may be shared by several checkouts.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let file = Path::new(&package).join("../../docs").join(name);
    if env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(&file, page).expect("a page that can be written");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == page, "docs/{name} is stale: {update}");
}
