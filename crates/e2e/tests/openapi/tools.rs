//! The programs of others that read a description, as `scripts/test` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where `scripts/api-tools.sh` puts them, from the root.
const FOLDER: &str = "target/tools/api/bin";

/// A program of them.
///
/// # Panics
///
/// When it is not there.
#[track_caller]
pub(crate) fn tool(name: &str) -> Command {
    let program = root().join(FOLDER).join(name);
    assert!(
        program.is_file(),
        "{FOLDER}/{name} is not there: scripts/test installs it from PyPI, which may have failed; its output says why"
    );
    let mut command = Command::new(program);
    // Neither a proxy nor settings of the developer.
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// The folder above `crates`. Read when it runs, since a target folder may be shared by several checkouts.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&package).join("../..");
    fs::canonicalize(root).expect("the root")
}
