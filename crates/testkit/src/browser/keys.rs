//! Key presses as WebDriver wants them.

use serde_json::{Value, json};

/// The keys that have no character of their own, and the code point that stands for each.
const NAMED: &[(&str, char)] = &[
    ("Backspace", '\u{E003}'),
    ("Tab", '\u{E004}'),
    ("Enter", '\u{E007}'),
    ("Shift", '\u{E008}'),
    ("Control", '\u{E009}'),
    ("Alt", '\u{E00A}'),
    ("Escape", '\u{E00C}'),
    ("Space", ' '),
    ("PageUp", '\u{E00E}'),
    ("PageDown", '\u{E00F}'),
    ("End", '\u{E010}'),
    ("Home", '\u{E011}'),
    ("ArrowLeft", '\u{E012}'),
    ("ArrowUp", '\u{E013}'),
    ("ArrowRight", '\u{E014}'),
    ("ArrowDown", '\u{E015}'),
    ("Delete", '\u{E017}'),
];

/// The actions that press and release each of `keys`.
#[track_caller]
pub(super) fn actions(keys: &[&str]) -> Value {
    let mut actions = Vec::new();
    for chord in keys {
        let held: Vec<char> = match *chord {
            "+" => vec!['+'],
            chord => chord.split('+').map(key).collect(),
        };
        let down = held.iter().map(|key| ("keyDown", key));
        let up = held.iter().rev().map(|key| ("keyUp", key));
        let both = down.chain(up);
        actions.extend(both.map(|(kind, key)| json!({"type": kind, "value": key})));
    }
    json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})
}

#[track_caller]
fn key(name: &str) -> char {
    let named = NAMED.iter().find(|(named, _)| *named == name);
    let mut characters = name.chars();
    match (named, characters.next(), characters.next()) {
        (Some((_, key)), ..) => *key,
        (None, Some(character), None) => character,
        _ => panic!("no key {name:?}"),
    }
}
