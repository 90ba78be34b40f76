//! Commands of ours in the documents have packages, subcommands and options that exist.

use std::collections::HashSet;

use crate::assert_none;
use crate::pages::{Page, read_pages};
use crate::repository::{files_below, read, source_words, sources, words_of};

const COMMAND_LINE: &str = "crates/core/src/settings/command_line.rs";
/// Options of every program.
const COMMON: &[&str] = &["help", "version"];

#[test]
fn every_command_in_the_documents_exists() {
    let wrong: Vec<String> = read_pages().iter().flat_map(wrong_commands).collect();
    assert_none(&wrong);
}

fn wrong_commands(page: &Page) -> Vec<String> {
    let lines = page.code_lines().into_iter();
    let all = lines.chain(page.code_spans());
    let wrong = all.flat_map(|line| {
        let wrong = wrong_in(&line.text).into_iter();
        wrong.map(move |why| (line.line, why))
    });
    wrong
        .map(|(line, why)| format!("{}: {why}", page.at(line)))
        .collect()
}

fn wrong_in(line: &str) -> Vec<String> {
    // What stands far behind a command is about it.
    let line = line.trim().split("   ").next().unwrap_or(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let start = words.iter().position(|word| !is_assignment(word));
    let Some((program, arguments)) = start.and_then(|start| words[start..].split_first()) else {
        return Vec::new();
    };
    let mut wrong = Vec::new();
    let own = if *program == "cargo" {
        let package = arguments.iter().skip_while(|word| **word != "-p").nth(1);
        if let Some(package) = package
            && !packages().contains(*package)
        {
            wrong.push(format!("there is no package {package}"));
        }
        let own = arguments.iter().position(|word| *word == "--");
        own.map_or(&[][..], |at| &arguments[at + 1..])
    } else if is_ours(program) {
        arguments
    } else {
        return wrong;
    };
    wrong.extend(own.iter().filter_map(|word| unknown_option(word)));
    let is_service = |word: &&str| word.ends_with("-svc");
    if is_service(program) || (*program == "cargo" && arguments.iter().any(is_service)) {
        wrong.extend(unknown_subcommand(own));
    }
    wrong
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| name.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'))
}

fn is_ours(program: &str) -> bool {
    program.ends_with("-svc") || program.starts_with("scripts/")
}

/// The names of the workspace's packages.
fn packages() -> HashSet<String> {
    let manifests = files_below(&["crates"]).into_iter();
    let manifests = manifests.filter(|file| file.ends_with("/Cargo.toml"));
    let names = manifests.filter_map(|file| {
        let text = read(&file);
        let name = text.lines().find_map(|line| line.strip_prefix("name = "))?;
        Some(name.trim_matches('"').to_owned())
    });
    names.collect()
}

/// An option is a field of the command line's types, or stands in a script.
fn unknown_option(word: &str) -> Option<String> {
    let name = word.strip_prefix("--")?.split('=').next()?;
    let is_known = COMMON.contains(&name)
        || name.is_empty()
        || source_words().contains(name.replace('-', "_").as_str())
        || sources()
            .iter()
            .any(|(_, text)| text.contains(&format!("--{name}")));
    (!is_known).then(|| format!("there is no option --{name}"))
}

/// The first words after a service are subcommands, which are variants of the command line's types.
fn unknown_subcommand(arguments: &[&str]) -> Option<String> {
    let text = read(COMMAND_LINE);
    let variants: HashSet<&str> = words_of(&text).collect();
    let is_plain = |word: &&&str| word.bytes().all(|c| c.is_ascii_lowercase() || c == b'-');
    let mut subcommands = arguments.iter().take_while(|word| !word.starts_with("--"));
    let unknown =
        subcommands.find(|word| is_plain(word) && !variants.contains(pascal(word).as_str()));
    unknown.map(|word| format!("there is no subcommand {word}"))
}

/// `dry-run` as `DryRun`.
fn pascal(word: &str) -> String {
    let parts = word.split('-').map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_uppercase() + rest
    });
    parts.collect()
}

#[test]
fn wrong_commands_are_reported_with_their_lines() {
    let text = "`write-behind-svc journal salvage --to=FOLDER` `write-behind-svc lose`\n\n    \
                cargo run --release -p compare -- --live --no-such-option\n    \
                CACHE_URL=x cargo run -p none\n    \
                cargo run -p write-behind-svc -- migrate --dry-run\n    docker run --none\n";
    assert_eq!(
        wrong_commands(&Page::new("page.md", text)),
        [
            "page.md:3: there is no option --no-such-option",
            "page.md:4: there is no package none",
            "page.md:1: there is no subcommand lose",
        ]
    );
}
