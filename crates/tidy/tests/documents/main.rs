//! The documents, checked against each other and against the sources: links and anchors, the names of files,
//! tests, settings, metrics and options, the map of the code, the rights at Redis, and the words.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod code_map;
mod commands;
mod links;
mod names;
mod pages;
mod redis_commands;
mod repository;
mod sizes;
mod words;

/// Fails with all of them, one a line.
#[track_caller]
fn assert_none(found: &[String]) {
    let report: String = found.iter().map(|line| format!("\n  {line}")).collect();
    assert!(found.is_empty(), "{report}");
}
