//! Words that the documents do not use, since the field has its own for each of them.
//!
//! `WORDS_IN_COMMENTS=1 cargo test -p test-support --test documents words` reports comments of the sources
//! as well.

use std::env;

use crate::assert_none;
use crate::pages::{Paragraph, read_pages};
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
/// A figure of the benchmark is quoted with its own words.
const SKIPPED: &[&str] = &["docs/benchmarks.md"];
/// Manifests, alerts and dashboards, whose texts operators read.
const FOR_OPERATORS: &str = "docker/";

#[test]
fn the_documents_use_the_words_of_the_field() {
    let mut found = Vec::new();
    for page in read_pages() {
        if !SKIPPED.contains(&page.file.as_str()) {
            found.extend(refused(&page.file, &page.paragraphs()));
        }
    }
    for (file, text) in sources() {
        if file.starts_with(FOR_OPERATORS) {
            found.extend(refused(file, &blocks(text)));
        }
    }
    if env::var_os("WORDS_IN_COMMENTS").is_some() {
        for (file, text) in sources() {
            found.extend(refused(file, &comments(file, text)));
        }
    }
    assert_none(&found);
}

fn refused(file: &str, paragraphs: &[Paragraph]) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in paragraphs {
        let text = paragraph.text.to_lowercase();
        for (word, instead) in WORDS {
            for at in places(&text, word) {
                let line = paragraph.line(at);
                found.push(format!("{file}:{line}: \"{word}\"; write: {instead}"));
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

/// The blocks of a file, between empty lines. A text that is folded over several lines is one text.
fn blocks(text: &str) -> Vec<Paragraph> {
    let mut blocks = vec![Paragraph::default()];
    for (number, line) in text.lines().enumerate() {
        match line.trim_start_matches([' ', '#']).trim_end() {
            "" => blocks.push(Paragraph::default()),
            line => blocks
                .last_mut()
                .unwrap()
                .push(number + 1, &format!("{line} ")),
        }
    }
    blocks
}

/// The comments of a source; those on lines that follow each other are one text.
fn comments(file: &str, text: &str) -> Vec<Paragraph> {
    let mark = match file.rsplit('.').next() {
        Some("rs") => "//",
        Some("lua" | "sql") => "--",
        _ => return Vec::new(),
    };
    let mut comments = vec![Paragraph::default()];
    for (number, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix(mark) {
            Some(comment) => {
                let comment = comment.trim_start_matches(['/', '!']);
                comments.last_mut().unwrap().push(number + 1, comment);
            }
            None if comments.last().unwrap().text.is_empty() => {}
            None => comments.push(Paragraph::default()),
        }
    }
    comments
}

#[test]
fn refused_words_are_reported_with_their_lines() {
    let text = "# Nobody\n\nIt goes\npast the cache. `nobody` hears\nnobody_else.\n";
    let page = crate::pages::Page::new("page.md", text);
    assert_eq!(
        refused("page.md", &page.paragraphs()),
        [
            "page.md:1: \"nobody\"; write: no process, no client",
            "page.md:4: \"past the cache\"; write: bypass the cache",
            "page.md:3: \"goes past\"; write: bypass",
        ]
    );
    let alert = "  # Nobody\n\n  description: >-\n    Redis is\n    away.\n";
    assert_eq!(
        refused("a.yml", &blocks(alert)),
        [
            "a.yml:1: \"nobody\"; write: no process, no client",
            "a.yml:4: \"is away\"; write: is unavailable",
        ]
    );
    let source = "/// It is\n/// away for whoever\nlet nobody = 1;\n";
    assert_eq!(
        refused("a.rs", &comments("a.rs", source)),
        [
            "a.rs:2: \"whoever\"; write: a process that",
            "a.rs:1: \"is away\"; write: is unavailable",
        ]
    );
}
