//! `docs/design/code-map.md` has every module of the two libraries.

use crate::assert_none;
use crate::repository::{files_below, read};

/// Folders whose files have a place in the map, too.
const ROOMS: &[&str] = &[
    "commands",
    "concurrency",
    "engine",
    "model",
    "ownership",
    "process",
    "watched",
];
const MAP: &str = "docs/design/code-map.md";

#[test]
fn every_module_is_in_the_code_map() {
    let map = read(MAP);
    let mut missing = Vec::new();
    for folder in ["crates/core/src", "crates/http/src"] {
        let section = section(&map, folder);
        for file in files_below(&[folder]) {
            let name = &file[folder.len() + 1..];
            let (room, name) = name.rsplit_once('/').unwrap_or(("", name));
            let has_place = room.is_empty() || ROOMS.contains(&room);
            let is_module = name.ends_with(".rs") && name != "lib.rs";
            let is_listed = |form: &str| section.contains(&format!("{form}{name}`"));
            if has_place && is_module && !is_listed("`") && !is_listed(&format!("`{room}/")) {
                missing.push(format!("{file} is not in {MAP}, under {folder}"));
            }
        }
    }
    assert_none(&missing);
}

/// What is under the heading, up to the next one of its level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = format!("\n## {heading}\n");
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("{MAP} has no section {heading}"));
    rest.split("\n## ").next().unwrap_or(rest)
}
