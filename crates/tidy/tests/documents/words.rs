//! Refuses words in documents and comments for which the field has its own.

use crate::assert_none;
use crate::pages::{Page, read_pages};
use crate::repository::sources;

/// What is not written, in lower case, and what is.
const WORDS: &[(&str, &str)] = &[
    ("nobody", "no process, no client"),
    ("no one", "no process, no client"),
    ("somebody", "a process, a client"),
    ("someone", "a process, a client"),
    ("whoever", "a process that"),
    ("anybody", "a process, a client"),
    ("everybody", "all processes, all clients"),
    ("those who", "processes that, clients that"),
    ("all who", "all processes that"),
    ("anew", "again"),
    ("past the cache", "bypass the cache"),
    ("past redis", "bypass Redis"),
    ("written past", "bypass"),
    ("writes past", "bypass"),
    ("reads past", "bypass"),
    ("go past", "bypass"),
    ("goes past", "bypass"),
    ("begun again", "retried"),
    ("patience", "timeout"),
    ("is away", "is unavailable"),
    ("are away", "are unavailable"),
    ("was away", "was unavailable"),
    ("been away", "been unavailable"),
    ("be away", "be unavailable"),
    ("as away", "as unavailable"),
];
/// What is in no name and no text of a source either.
const REFUSED_IN_CODE: &[&str] = &[
    "nobody",
    "somebody",
    "whoever",
    "patience",
    "past_the_cache",
    "past the cache",
    "begun_again",
];
/// A figure of the benchmark is quoted with its own words.
const SKIPPED: &[&str] = &["docs/benchmarks.md"];
/// Manifests, alerts and dashboards, whose texts operators read.
const FOR_OPERATORS: &str = "docker/";

#[test]
fn documents_and_comments_use_the_words_of_the_field() {
    let documents = read_pages().into_iter();
    let documents = documents.filter(|page| !SKIPPED.contains(&page.file.as_str()));
    let sources = sources().iter();
    let texts = sources.map(|(file, text)| match file.starts_with(FOR_OPERATORS) {
        true => blocks(file, text),
        false => comments(file, text),
    });
    let found: Vec<String> = documents
        .chain(texts)
        .flat_map(|page| refused(&page))
        .collect();
    assert_none(&found);
}

#[test]
fn names_and_texts_of_sources_use_the_words_of_the_field() {
    let sources = sources().iter();
    let sources = sources.filter(|(file, _)| file.ends_with(".rs") || file.ends_with(".lua"));
    let found: Vec<String> = sources
        .flat_map(|(file, text)| refused_in_code(file, text))
        .collect();
    assert_none(&found);
}

/// A line for each word that is in a line of code, also as a part of a name.
fn refused_in_code(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.to_lowercase();
        let words = REFUSED_IN_CODE.iter().filter(|word| line.contains(*word));
        found.extend(words.map(|word| format!("{file}:{number}: \"{word}\"")));
    }
    found
}

/// A line for each word of a page that is refused.
fn refused(page: &Page) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in page.paragraphs() {
        let text = paragraph.text.to_lowercase();
        for (word, instead) in WORDS {
            for at in places(&text, word) {
                let place = page.at(paragraph.line(at));
                found.push(format!("{place}: \"{word}\"; write: {instead}"));
            }
        }
    }
    found
}

/// Where the word is by itself, `_` being part of a word.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let is_alone = !before.is_some_and(is_part) && !after.is_some_and(is_part);
        is_alone.then_some(at)
    })
}

/// A file as a page, without what begins a comment. A text that is folded over several lines is one text.
fn blocks(file: &str, text: &str) -> Page {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches([' ', '#']).trim_end())
        .collect();
    Page::new(file, &lines.join("\n"))
}

/// The comments of a source as a page, each on its own lines; what is no comment is an empty line.
fn comments(file: &str, text: &str) -> Page {
    let mark = comment_mark(file, text);
    let comment = |line| {
        mark.and_then(|mark| comment_on(line, mark))
            .unwrap_or_default()
    };
    let lines: Vec<&str> = text.lines().map(comment).collect();
    Page::new(file, &lines.join("\n"))
}

/// What the comment on a line says, if there is nothing else on it.
fn comment_on<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let comment = line.trim_start().strip_prefix(mark)?;
    Some(comment.trim_start_matches(['/', '!']))
}

/// What begins a comment in a file; `None` where that is unknown.
fn comment_mark(file: &str, text: &str) -> Option<&'static str> {
    match file.rsplit(['.', '/']).next() {
        Some("rs" | "js") => Some("//"),
        Some("lua" | "sql") => Some("--"),
        Some("sh" | "py" | "yaml" | "yml" | "conf" | "toml" | "Dockerfile") => Some("#"),
        _ if text.starts_with("#!") => Some("#"),
        _ => None,
    }
}

#[test]
fn refused_words_in_names_and_texts_are_reported() {
    let text = "fn asks_nobody() {\n    panic!(\"Somebody\");\n}\nconst READ_PATIENCE: u8 = 1;\n";
    assert_eq!(
        refused_in_code("a.rs", text),
        [
            "a.rs:1: \"nobody\"",
            "a.rs:2: \"somebody\"",
            "a.rs:4: \"patience\""
        ]
    );
}

#[test]
fn refused_words_are_reported_with_their_lines() {
    let text = "# Nobody\n\nIt goes\npast the cache. `nobody` hears\nnobody_else.\n";
    assert_eq!(
        refused(&Page::new("page.md", text)),
        [
            "page.md:1: \"nobody\"; write: no process, no client",
            "page.md:4: \"past the cache\"; write: bypass the cache",
            "page.md:3: \"goes past\"; write: bypass",
        ]
    );
    let alert = "  # Nobody\n\n  description: >-\n    Redis is\n    away.\n";
    assert_eq!(
        refused(&blocks("a.yml", alert)),
        [
            "a.yml:1: \"nobody\"; write: no process, no client",
            "a.yml:4: \"is away\"; write: is unavailable",
        ]
    );
    let source = "/// It is\n/// away for whoever\nlet nobody = 1;\n// `patience`\n";
    assert_eq!(
        refused(&comments("a.rs", source)),
        [
            "a.rs:2: \"whoever\"; write: a process that",
            "a.rs:1: \"is away\"; write: is unavailable",
        ]
    );
    let script = "#!/bin/sh\nnobody # no\n# somebody\n";
    assert_eq!(
        refused(&comments("scripts/a", script)),
        ["scripts/a:3: \"somebody\"; write: a process, a client"]
    );
}
