//! The source files of all crates.

use std::path::Path;
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

/// Every source file of the workspace, without those of `#[cfg(test)] mod name;`.
pub(crate) fn read_sources() -> Vec<Source> {
    // Read when it runs, since a target folder may be shared by several checkouts.
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo test sets it");
    let crates = Path::new(&package).join("..");
    let mut sources = Vec::new();
    for folder in fs::read_dir(&crates).unwrap() {
        let folder = folder.unwrap().path();
        if folder.join("Cargo.toml").is_file() {
            let prefix = format!("{}/src", folder.file_name().unwrap().to_str().unwrap());
            read_folder(
                &folder.join("src"),
                &prefix,
                &crate_name(&folder),
                &mut sources,
            );
        }
    }
    let excluded: Vec<String> = sources.iter().flat_map(files_of_test_modules).collect();
    sources.retain(|source| !excluded.iter().any(|start| source.file.starts_with(start)));
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

fn read_folder(folder: &Path, prefix: &str, crate_name: &str, sources: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let file = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        if path.is_dir() {
            read_folder(&path, &file, crate_name, sources);
        } else if file.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source::new(crate_name, &file, &text));
        }
    }
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
