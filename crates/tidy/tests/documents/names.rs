//! What a document quotes as code exists: files, tests, settings, metrics, columns, constants.

use crate::assert_none;
use crate::pages::{Page, read_pages};
use crate::repository::{exists, source_words, sources, words_of};

/// Folders at the root, by which a path is recognised.
const FOLDERS: &[&str] = &[
    "crates/",
    "docs/",
    "scripts/",
    "docker/",
    "packaging/",
    "migrations/",
    ".ci/",
];
/// A part of a path that stands for others.
const PLACEHOLDERS: &[char] = &['*', '<', '{', '…'];
/// Code by its ending: such a name is a file of ours, and may leave out the folders that it is in.
const ENDINGS: &[&str] = &[".rs", ".lua"];
/// Names that no source file has: of other programs, and of these tests.
const OF_OTHERS: &[&str] = &[
    "SQLITE_BUSY",
    "TCP_NOTSENT_LOWAT",
    "TCP_USER_TIMEOUT",
    "group_replication_consistency",
    "innodb_rollback_on_timeout",
    "lc_messages",
    "sql_log_bin",
    "sql_require_primary_key",
    "wsrep_sync_wait",
];
/// Pages about what there was, whose names may be gone.
const HISTORY: &[&str] = &["CHANGELOG.md"];

#[test]
fn every_name_in_the_documents_exists() {
    let pages = read_pages();
    let pages = pages
        .iter()
        .filter(|page| !HISTORY.contains(&page.file.as_str()));
    let unknown: Vec<String> = pages.flat_map(unknown_names).collect();
    assert_none(&unknown);
}

fn unknown_names(page: &Page) -> Vec<String> {
    let mut unknown = Vec::new();
    for span in page.code_spans() {
        let names = unknown_in_span(&span.text);
        unknown.extend(names.map(|why| format!("{}: {why}", page.at(span.line))));
    }
    for line in page.code_lines() {
        let paths = line.text.split_whitespace().filter_map(missing_path);
        let identifiers = unknown_identifiers(&line.text);
        let whys = paths.chain(identifiers);
        unknown.extend(whys.map(|why| format!("{}: {why}", page.at(line.line))));
    }
    unknown
}

fn unknown_in_span(text: &str) -> Box<dyn Iterator<Item = String> + '_> {
    if let Some((file, function)) = text.split_once(".rs::") {
        return Box::new(missing_function(&format!("{file}.rs"), function).into_iter());
    }
    if ENDINGS.iter().any(|ending| text.ends_with(ending)) && !text.contains(' ') {
        return Box::new(missing_source(text).into_iter());
    }
    let paths = text.split_whitespace().filter_map(missing_path);
    Box::new(paths.chain(unknown_identifiers(text)))
}

/// A path from the root.
fn missing_path(word: &str) -> Option<String> {
    let path = word.trim_end_matches(['.', ',', ';', ':', ')', '/']);
    let is_ours = FOLDERS.iter().any(|folder| path.starts_with(folder));
    let is_one = !path.contains(PLACEHOLDERS);
    (is_ours && is_one && !exists(path)).then(|| format!("there is no {path}"))
}

/// A source file by the end of its path.
fn missing_source(name: &str) -> Option<String> {
    (sources_named(name).next().is_none() && !exists(name)).then(|| format!("there is no {name}"))
}

/// A function, such as a test, in a source file.
fn missing_function(file: &str, function: &str) -> Option<String> {
    let start = format!("fn {function}(");
    let has_it = sources_named(file).any(|text| text.contains(&start));
    (!has_it).then(|| format!("there is no function {function} in a {file}"))
}

fn sources_named(name: &str) -> impl Iterator<Item = &'static str> {
    let end = format!("/{name}");
    let named = move |(file, _): &&(String, String)| file.ends_with(&end);
    sources()
        .iter()
        .filter(named)
        .map(|(_, text)| text.as_str())
}

/// Words with an underscore, as settings, metrics and columns are.
fn unknown_identifiers(text: &str) -> impl Iterator<Item = String> {
    let identifiers = words_of(text).filter(|word| word.trim_matches('_').contains('_'));
    let unknown = identifiers.filter(|word| {
        let word = word.trim_end_matches('_');
        !source_words().contains(word) && !OF_OTHERS.contains(&word)
    });
    unknown.map(|word| format!("no source has the name {word}"))
}

#[test]
fn names_that_do_not_exist_are_reported_with_their_lines() {
    let text = "`crates/core/src/lib.rs` `redis/link.rs` `CACHE_TTL_S=1` `protocol.rs::after`\n\
                `crates/core/src/none.rs` `redis/none.rs` `NO_SUCH_S=1` `protocol.rs::none`\n\n    \
                scripts/none --x\n    scripts/test\n";
    let page = Page::new("page.md", text);
    assert_eq!(
        unknown_names(&page),
        [
            "page.md:2: there is no crates/core/src/none.rs",
            "page.md:2: there is no redis/none.rs",
            "page.md:2: no source has the name NO_SUCH_S",
            "page.md:2: there is no function none in a protocol.rs",
            "page.md:4: there is no scripts/none",
        ]
    );
}
