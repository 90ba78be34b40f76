//! A rule says which files never name which paths.

use std::fmt;

use crate::paths::named_paths;
use crate::sources::Source;

/// One row of the table. Every column but the last is a list separated by white space.
#[derive(Debug)]
pub(crate) struct Rule {
    files: &'static str,
    but_not: &'static str,
    never: &'static str,
    except: &'static str,
    because: &'static str,
}

/// A row of the table.
pub(crate) const fn rule(
    files: &'static str,
    but_not: &'static str,
    never: &'static str,
    except: &'static str,
    because: &'static str,
) -> Rule {
    Rule {
        files,
        but_not,
        never,
        except,
        because,
    }
}

/// A path that a rule refuses.
#[derive(Debug)]
pub(crate) struct Offence {
    file: String,
    written: String,
    meaning: String,
    because: &'static str,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crates/{} names {}", self.file, self.written)?;
        if self.meaning != self.written {
            write!(f, " ({})", self.meaning)?;
        }
        write!(f, ": {}", self.because)
    }
}

/// What in the source breaks the rules.
pub(crate) fn offences(rules: &[Rule], source: &Source) -> Vec<Offence> {
    let holds_for = |rule: &&Rule| {
        any_matches(rule.files, &source.file) && !any_matches(rule.but_not, &source.file)
    };
    let rules: Vec<&Rule> = rules.iter().filter(holds_for).collect();
    let mut offences = Vec::new();
    for path in named_paths(source) {
        for rule in &rules {
            let refused = path
                .meanings
                .iter()
                .find(|meaning| rule.refuses(source, meaning));
            if let Some(meaning) = refused {
                offences.push(Offence {
                    file: source.file.clone(),
                    written: path.written.join("::"),
                    meaning: meaning.join("::"),
                    because: rule.because,
                });
            }
        }
    }
    offences
}

impl Rule {
    fn refuses(&self, source: &Source, path: &[String]) -> bool {
        let refused = |start| begins_with(path, start) && !is_own(source, start, path);
        let excepted = |start| begins_with(path, start);
        self.never.split_whitespace().any(refused) && !self.except.split_whitespace().any(excepted)
    }
}

/// Whether the file is itself below the refused start, and the path is one of its own top module.
fn is_own(source: &Source, start: &str, path: &[String]) -> bool {
    let top_module = source.module.get(..2);
    begins_with(&source.module, start) && top_module.is_some_and(|own| path.starts_with(own))
}

fn begins_with(path: &[String], start: &str) -> bool {
    let mut names = path.iter();
    start
        .split("::")
        .all(|name| names.next().is_some_and(|found| found == name))
}

fn any_matches(patterns: &str, file: &str) -> bool {
    patterns
        .split_whitespace()
        .any(|pattern| matches(pattern, file))
}

/// Whether the pattern is the whole of the file's name, `*` standing for anything.
fn matches(pattern: &str, file: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == file,
        Some((start, rest)) => file.strip_prefix(start).is_some_and(|tail| {
            let cuts = tail.char_indices().map(|(at, _)| at);
            cuts.chain([tail.len()])
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}
