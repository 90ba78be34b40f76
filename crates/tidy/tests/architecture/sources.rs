//! The source files of all crates.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::paths::test_modules;

/// One file under `crates/*/src`.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to `crates/`, such as `core/src/cache/redis.rs`.
    pub(crate) file: String,
    /// The crate and the modules that the file's items are in, such as `cache_core`, `cache`, `redis`.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
}

impl Source {
    /// A file of the crate, given relative to `crates/`.
    pub(crate) fn new(crate_name: &str, file: &str, text: &str) -> Self {
        let (_, below_src) = file.split_once("/src/").expect("a file below src/");
        let below_src = below_src.trim_end_matches(".rs");
        let mut module = vec![crate_name.to_owned()];
        if !matches!(below_src, "lib" | "main") && !below_src.starts_with("bin/") {
            module.extend(below_src.split('/').map(str::to_owned));
        }
        Source {
            file: file.to_owned(),
            module,
            text: text.to_owned(),
        }
    }
}

/// The folder of each crate, with its name.
fn crates() -> Vec<(String, PathBuf)> {
    // Read when it runs, since a target folder may be shared by several checkouts.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo test sets it");
    let folders = fs::read_dir(Path::new(&package).join("..")).unwrap();
    let folders = folders.map(|folder| folder.unwrap());
    folders
        .filter(|folder| folder.path().join("Cargo.toml").is_file())
        .map(|folder| (folder.file_name().into_string().unwrap(), folder.path()))
        .collect()
}

/// Every file below `crates/*/src`, those of tests too.
fn read_all_sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for (name, folder) in crates() {
        let crate_name = crate_name(&folder);
        let texts = read_folder(&folder.join("src"), &format!("{name}/src"));
        sources.extend(
            texts
                .iter()
                .map(|(file, text)| Source::new(&crate_name, file, text)),
        );
    }
    sources
}

/// How the paths of test modules begin, among those of sources.
fn starts_of_test_modules(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(files_of_test_modules).collect()
}

fn starts_with_any(file: &str, starts: &[String]) -> bool {
    starts.iter().any(|start| file.starts_with(start))
}

/// The path relative to `crates/` and the text of each test's file: those below `crates/*/tests`, and those of
/// `#[cfg(test)] mod name;`.
pub(crate) fn read_test_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for (name, folder) in crates() {
        files.extend(read_folder(&folder.join("tests"), &format!("{name}/tests")));
    }
    let sources = read_all_sources();
    let excluded = starts_of_test_modules(&sources);
    let tests = sources
        .into_iter()
        .filter(|source| starts_with_any(&source.file, &excluded));
    files.extend(tests.map(|source| (source.file, source.text)));
    for file in [
        "core/tests/contract/suite.rs",
        "core/src/settings/tests.rs",
        "e2e/tests/http/main.rs",
    ] {
        assert!(
            files.iter().any(|(read, _)| read == file),
            "{file} was not read"
        );
    }
    files
}

/// Every source file of the workspace, without those of `#[cfg(test)] mod name;`.
pub(crate) fn read_sources() -> Vec<Source> {
    let mut sources = read_all_sources();
    let excluded = starts_of_test_modules(&sources);
    sources.retain(|source| !starts_with_any(&source.file, &excluded));
    // Whichever file is missed is not checked, so reading too little must not pass.
    for file in [
        "core/src/lib.rs",
        "http/src/lib.rs",
        "write-behind-svc/src/main.rs",
    ] {
        assert!(
            sources.iter().any(|source| source.file == file),
            "{file} was not read"
        );
    }
    sources
}

/// The name, behind `prefix`, and the text of each Rust file in the folder; nothing where there is no folder.
fn read_folder(folder: &Path, prefix: &str) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut entries: Vec<_> = entries.map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        let file = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        if path.is_dir() {
            files.extend(read_folder(&path, &file));
        } else if file.ends_with(".rs") {
            files.push((file, fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

/// The name of the package in the folder's Cargo.toml, as it is written in a path.
fn crate_name(folder: &Path) -> String {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let name = manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = "))
        .expect("a package name");
    name.trim().trim_matches('"').replace('-', "_")
}

/// How the files begin that hold the out-of-line test modules of a source.
fn files_of_test_modules(source: &Source) -> Vec<String> {
    let own = source.file.trim_end_matches(".rs");
    let folder = match own.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder,
        _ => own,
    };
    test_modules(source)
        .iter()
        .flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")])
        .collect()
}
