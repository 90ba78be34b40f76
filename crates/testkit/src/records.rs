//! Names and occupations that something between the route and the disk may get wrong.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The most characters that a name or an occupation has.
pub const CHARACTERS_MAX: usize = 255;

/// Names that are allowed, and each of them another user's than all the others.
pub fn valid_names() -> Vec<String> {
    let mut names: Vec<String> = VALID_NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.extend([
        // The longest: of one byte, of two UTF-16 units and four bytes, and of clusters.
        "x".repeat(CHARACTERS_MAX),
        "😀".repeat(CHARACTERS_MAX),
        "e\u{301}".repeat(CHARACTERS_MAX / 2),
        // Equal but for the last character, for an index on a prefix.
        format!("{}a", "x".repeat(CHARACTERS_MAX - 1)),
        format!("{}A", "x".repeat(CHARACTERS_MAX - 1)),
        "%".repeat(CHARACTERS_MAX),
        "'".repeat(CHARACTERS_MAX),
    ]);
    names
}

const VALID_NAMES: &[&str] = &[
    "John Doe",
    // Equal by case, accent or width in one collation or another.
    "john",
    "John",
    "JOHN",
    "jöhn",
    "ｊｏｈｎ",
    "Straße",
    "Strasse",
    "STRASSE",
    "STRAẞE",
    "i",
    "I",
    "ı",
    "İ",
    "i\u{307}",
    "ſ",
    "s",
    "ﬁ",
    "fi",
    "Σ",
    "σ",
    "ς",
    "あ",
    "ア",
    "ｱ",
    "は",
    "ば",
    "ぱ",
    "æ",
    "ae",
    "o",
    "ø",
    "①",
    "1",
    "１",
    "1.0",
    "01",
    // Equal after normalisation.
    "é",
    "e\u{301}",
    "Å",
    "A\u{30a}",
    "\u{212b}",
    "Ω",
    "\u{2126}",
    "각",
    "\u{1100}\u{1161}\u{11a8}",
    "q\u{307}\u{323}",
    "q\u{323}\u{307}",
    // Characters that are not seen, inside and at the end.
    "a b",
    "a  b",
    "a\u{a0}b",
    "a\u{2003}b",
    "a\u{3000}b",
    "a\u{2028}b",
    "a\u{2029}b",
    "ab",
    "a\u{200b}b",
    "ab\u{200b}",
    "\u{200b}",
    "a\u{200d}b",
    "a\u{ad}b",
    "\u{feff}ab",
    "a\u{feff}b",
    "\u{2060}",
    "\u{180e}",
    // Right to left, and what turns the direction.
    "שלום",
    "مرحبا بالعالم",
    "a\u{202e}b",
    "\u{200f}ab",
    // Emoji: of four bytes, with a modifier, joined, flags, as text and as picture.
    "😀",
    "👍",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "👨👩👧👦",
    "🇩🇪",
    "🇪🇩",
    "❤",
    "❤\u{fe0f}",
    "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    // The edges of the encodings.
    "\u{ff}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
    "𝄞",
    "漢字",
    "𠮷野家",
    "Z\u{351}\u{36b}\u{343}a\u{36a}\u{302}l\u{346}g\u{34f}o",
    // Characters with a meaning in a URL.
    "/",
    "//",
    "a/b",
    "/users",
    "%",
    "%2F",
    "%2f",
    "%252F",
    "a%2Fb",
    "%00",
    "%zz",
    "?",
    "a?after=b&limit=1",
    "#",
    "&",
    "=",
    "+",
    "a+b",
    ";",
    ":",
    "@",
    ".",
    "..",
    "../..",
    "%2E%2E",
    "batch",
    "http://127.0.0.1/",
    // In JSON and in header fields.
    "\"",
    "\"quoted\"",
    "\\",
    "\\\\",
    "\\u0041",
    "\\n",
    "{}",
    "{\"name\":\"x\"}",
    "[]",
    "null",
    "true",
    "NaN",
    "-0",
    "1e999",
    "*",
    "W/\"1\"",
    // In SQL.
    "'",
    "''",
    "O'Brien",
    "Robert'); DROP TABLE users;--",
    "' OR '1'='1",
    "a'--",
    "_",
    "%_%",
    "`users`",
    "/* x */",
    "$1",
    ":name",
    "NULL",
    // In Redis: patterns, hash tags, commands.
    "a*",
    "a?",
    "[a-z]",
    "h[^e]llo",
    "{a}",
    "{a}b",
    "}{",
    "{",
    "FLUSHALL",
    "$3",
    "*1",
    // In a shell, a template, a page and a log.
    "$(reboot)",
    "`reboot`",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "&lt;",
    "%s%n",
    "~",
    "-",
    "--help",
    "|",
    "__proto__",
];

/// Names that are refused, each with the reason.
pub fn invalid_names() -> Vec<(String, &'static str)> {
    let mut names: Vec<(String, &'static str)> = INVALID_NAMES
        .iter()
        .map(|(name, reason)| ((*name).to_owned(), *reason))
        .collect();
    names.extend([
        ("x".repeat(CHARACTERS_MAX + 1), "too long"),
        ("😀".repeat(CHARACTERS_MAX + 1), "too long"),
        ("x".repeat(100_000), "far too long"),
        (" ".repeat(CHARACTERS_MAX), "only white space"),
    ]);
    names
}

const INVALID_NAMES: &[(&str, &str)] = &[
    ("", "empty"),
    (" ", "only white space"),
    (" a", "leading white space"),
    ("a ", "trailing white space, which PAD SPACE would ignore"),
    ("\u{a0}a", "a leading no-break space"),
    ("a\u{a0}", "a trailing no-break space"),
    ("a\u{3000}", "a trailing ideographic space"),
    ("\u{2003}a", "a leading em space"),
    ("a\u{2028}", "a trailing line separator"),
    ("\u{1680}a", "a leading ogham space mark"),
    ("\t", "a control character"),
    ("a\tb", "a control character: tab"),
    ("a\nb", "a control character: line feed"),
    ("a\r\nb", "control characters: carriage return, line feed"),
    ("a\n", "a control character at the end"),
    ("\0", "a control character: NUL"),
    ("a\0b", "a control character: NUL"),
    ("a\0", "a control character: NUL at the end"),
    ("a\u{1b}[31mb", "a control character: escape"),
    ("a\u{7f}b", "a control character: delete"),
    ("a\u{80}b", "a control character of the second set"),
    (
        "a\u{85}b",
        "a control character of the second set: next line",
    ),
    ("a\u{9f}b", "a control character of the second set"),
];

/// Any name that is allowed: 1 to 255 characters, no control character, no white space at either end.
pub fn valid_name() -> impl Strategy<Value = String> {
    let inside = || any_character_or_a_difficult_one().prop_filter("control", |c| !c.is_control());
    let at_an_end = || inside().prop_filter("white space", |c| !c.is_whitespace());
    let middle = prop_oneof![
        4 => vec(inside(), 0..10),
        1 => vec(inside(), 0..=CHARACTERS_MAX - 2),
    ];
    let several = (at_an_end(), middle, at_an_end())
        .prop_map(|(first, middle, last)| [vec![first], middle, vec![last]].concat());
    prop_oneof![
        1 => at_an_end().prop_map(String::from),
        8 => several.prop_map(String::from_iter),
        3 => select(valid_names()),
    ]
}

/// Any occupation that is allowed: 1 to 255 characters, whichever they are.
pub fn valid_occupation() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => vec(any_character_or_a_difficult_one(), 1..10),
        1 => vec(any_character_or_a_difficult_one(), 1..=CHARACTERS_MAX),
    ]
    .prop_map(String::from_iter)
}

fn any_character_or_a_difficult_one() -> impl Strategy<Value = char> {
    const DIFFICULT: &str = "aA eé\u{301}ßıİ \u{a0}\u{200b}\u{200d}\u{feff}\u{2028}\0\t\n\r\u{7f}\u{85}\
        \u{1f}😀👨\u{fffd}\u{ffff}\u{10ffff}/%?#&+=;:.,'\"`\\*[]{}<>$_-~|";
    prop_oneof![
        3 => any::<char>(),
        1 => proptest::char::range(' ', '~'),
        1 => select(Vec::from_iter(DIFFICULT.chars())),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn is_allowed(name: &str) -> bool {
        (1..=CHARACTERS_MAX).contains(&name.chars().count())
            && !name.contains(char::is_control)
            && !name.starts_with(char::is_whitespace)
            && !name.ends_with(char::is_whitespace)
    }

    #[test]
    fn the_lists_keep_what_they_say() {
        let names = valid_names();
        for name in &names {
            assert!(is_allowed(name), "{name:?}");
        }
        assert_eq!(HashSet::<&String>::from_iter(&names).len(), names.len());
        for (name, reason) in invalid_names() {
            assert!(!is_allowed(&name), "{name:?}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn a_generated_name_is_allowed(name in valid_name()) {
            prop_assert!(is_allowed(&name));
        }

        #[test]
        fn a_generated_occupation_has_1_to_255_characters(occupation in valid_occupation()) {
            prop_assert!((1..=CHARACTERS_MAX).contains(&occupation.chars().count()));
        }
    }
}
