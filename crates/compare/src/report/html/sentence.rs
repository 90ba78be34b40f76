//! A sentence as HTML.

use crate::pattern::Pattern;
use crate::report::escape::escape;

/// What must not be at the beginning of a line, away from its figure.
const UNITS: [&str; 5] = ["ms", "s", "µs", "%", "times"];

/// The names of the patterns in their colours, and every figure on one line with its unit.
pub(super) fn html(sentence: &str) -> String {
    let mut text = escape(&unbroken(sentence));
    for pattern in Pattern::BOTH {
        let name = pattern.name();
        let class = super::class(pattern);
        text = text.replace(name, &format!("<span class=\"name {class}\">{name}</span>"));
    }
    text
}

fn unbroken(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    for word in sentence.split(' ') {
        let unit = word.trim_end_matches(|character: char| ".,;:)".contains(character));
        let after_figure = text.ends_with(|character: char| character.is_ascii_digit());
        if !text.is_empty() {
            text.push(match after_figure && UNITS.contains(&unit) {
                true => '\u{a0}',
                false => ' ',
            });
        }
        text.push_str(word);
    }
    text
}
