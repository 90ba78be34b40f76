//! Escaping characters that would change how a line of text is read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with control characters, separators of lines and marks of direction as JSON escapes. So
/// a text within JSON keeps its meaning.
pub fn controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_escaped) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            other if is_escaped(other) => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(other));
            }
            other => escaped.push(other),
        }
    }
    escaped.into()
}

fn is_escaped(character: char) -> bool {
    let is_separator = matches!(character, '\u{2028}' | '\u{2029}');
    let sets_direction = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || is_separator || sets_direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_others_stay() {
        let plain = "Jo\u{1f600} é \\ \"x\" \u{a0}";
        assert!(matches!(controls(plain), Cow::Borrowed(text) if text == plain));
        let text = "a\n\r\t\0\u{1b}[0m\u{7f}\u{9b}\u{2028}\u{2029}\u{202e}\u{2066}b";
        let escaped = controls(text);
        assert!(!escaped.contains(is_escaped), "{escaped}");
        let read: String = serde_json::from_str(&format!("\"{escaped}\"")).unwrap();
        assert_eq!(read, text);
    }
}
