//! The ACL in `docs/permissions.md` has every command of Redis that the services use.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::repository::{read, sources};

const PAGE: &str = "docs/permissions.md";
const USERS: &str = "crates/core/src/";
/// What stands before the name of a command, in Rust and in scripts.
const CALLS: &[&str] = &["cmd(\"", "redis.call('", "redis.pcall('"];

#[test]
fn the_acl_has_every_command_that_is_used() {
    let page = read(PAGE);
    let allowed = allowed(&page);
    let sources = sources().iter();
    let of_services = sources.filter(|(file, _)| file.starts_with(USERS));
    let used: BTreeSet<String> = of_services.flat_map(|(_, text)| commands(text)).collect();
    assert!(used.contains("xadd") && used.contains("hscan"), "{used:?}");
    let missing = used
        .iter()
        .filter(|command| !allowed.contains(command.as_str()));
    let missing: Vec<String> = missing
        .map(|command| format!("{command} is not in {PAGE}"))
        .collect();
    assert_none(&missing);
}

/// The commands that the page allows, without their subcommands.
fn allowed(page: &str) -> BTreeSet<&str> {
    let words = page.split(|c: char| c.is_whitespace() || c == '`');
    let rules = words.filter_map(|word| word.strip_prefix('+'));
    rules.filter_map(|rule| rule.split('|').next()).collect()
}

/// The commands that a source calls by name, in lower case.
fn commands(text: &str) -> Vec<String> {
    let after_calls = CALLS.iter().flat_map(|call| text.split(call).skip(1));
    let names = after_calls.map(|rest| {
        let name = rest.split(|c: char| !c.is_ascii_alphabetic()).next();
        name.unwrap_or_default().to_lowercase()
    });
    names.filter(|name| !name.is_empty()).collect()
}
