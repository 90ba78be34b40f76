//! The files of the repository.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

/// Folders that are made, not written.
const SKIPPED: &[&str] = &["target", "data", ".git", "node_modules"];

/// What is written in programs and scripts. Documents are not among them, nor is this test, which names
/// what it refuses.
const SOURCES: &[&str] = &[
    "crates",
    "scripts",
    "docker",
    "packaging",
    "migrations",
    ".ci",
];
const THIS_TEST: &str = "crates/tidy/tests/documents/";

/// The folder above `crates`. Read when it runs, since a target folder may be shared by several checkouts.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo test sets it");
    Path::new(&package).join("../..").canonicalize().unwrap()
}

/// The text of a file, which is named relative to the root.
pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Whether there is such a file or folder.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// The files of the folders, with those of folders in them; of the root (`""`) only its own.
pub(crate) fn files_below(folders: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    for folder in folders {
        list(folder, !folder.is_empty(), &mut files);
    }
    files.sort();
    files
}

fn list(folder: &str, deep: bool, files: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = [folder, &name].join("/").trim_start_matches('/').to_owned();
        if entry.file_type().unwrap().is_dir() {
            if deep && !SKIPPED.contains(&name.as_str()) {
                list(&path, deep, files);
            }
        } else {
            files.push(path);
        }
    }
}

/// The source files, with their texts.
pub(crate) fn sources() -> &'static [(String, String)] {
    static SOURCES_READ: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let files = files_below(SOURCES).into_iter();
        let files = files.filter(|file| !file.ends_with(".md") && !file.starts_with(THIS_TEST));
        let texts = files.filter_map(|file| {
            let text = fs::read_to_string(root().join(&file)).ok()?;
            Some((file, text))
        });
        texts.collect()
    });
    &SOURCES_READ
}

/// The words of all source files, where `_` is part of a word.
pub(crate) fn source_words() -> &'static HashSet<&'static str> {
    static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
        let texts = sources().iter().map(|(_, text)| text.as_str());
        texts.flat_map(words_of).collect()
    });
    &WORDS
}

/// The words of a text, where `_` is part of a word.
pub(crate) fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}
