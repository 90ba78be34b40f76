//! Text from outside: in a terminal, in HTML and in SVG.

/// So that it is text and nothing else, also within an attribute's quotes. Control characters,
/// which XML does not have, become spaces.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Without what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    let visible = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    text.chars().map(visible).collect()
}
