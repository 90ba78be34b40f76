//! Temporary folders for servers' data, and copies of them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use tempfile::TempDir;

/// Where scripts/test keeps servers' data, which is in memory where there is enough of it.
const CHOSEN: &str = "TEST_SERVER_FOLDERS";

/// Short, because the path of a socket may have 107 bytes.
pub(super) fn own_folder() -> TempDir {
    let place = env::var_os(CHOSEN).map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let folder = tempfile::Builder::new().prefix("own.").tempdir_in(place);
    folder.expect("a temporary folder")
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry of a folder");
        let copy = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).expect("a copy of a file");
        }
    }
}
