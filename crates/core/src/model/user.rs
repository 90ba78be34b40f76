//! The user record, and the rules that every one keeps.

mod body;
mod schema;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use body::write_json;

/// Most characters (Unicode scalar values) that a name or occupation has.
pub const TEXT_MAX_CHARS: usize = 255;
/// The largest age, in years.
pub const AGE_MAX: u8 = 150;

/// A user, identified by its name byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// 1 to 255 characters; no control characters, no white space at either end.
    pub name: String,
    /// Years, 0 to 150.
    pub age: u8,
    /// 1 to 255 characters.
    pub occupation: String,
}

/// A user whose texts are those of what it was read from, where they have no escapes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BorrowedUser<'a> {
    /// As [`User::name`].
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// As [`User::age`].
    pub age: u8,
    /// As [`User::occupation`].
    #[serde(borrow)]
    pub occupation: Cow<'a, str>,
}

/// Whether `name` may identify a user.
///
/// # Errors
/// What is wrong with it, in words that complete "name …".
pub fn check_name(name: &str) -> Result<(), &'static str> {
    check_length(name)?;
    check_characters(name)?;
    check_ends(name)
}

/// Every reason why `name` may not identify a user, in the same words.
pub fn name_faults(name: &str) -> Vec<&'static str> {
    let checks = [check_length, check_characters, check_ends];
    checks
        .iter()
        .filter_map(|check| check(name).err())
        .collect()
}

/// Whether `occupation` may stand in a record.
///
/// # Errors
/// What is wrong with it, in words that complete "occupation …".
pub fn check_occupation(occupation: &str) -> Result<(), &'static str> {
    check_length(occupation)
}

/// Every reason why `occupation` may not stand in a record, in the same words.
pub fn occupation_faults(occupation: &str) -> Vec<&'static str> {
    check_occupation(occupation).err().into_iter().collect()
}

/// Whether `age` may stand in a record.
///
/// # Errors
/// What is wrong with it, in words that complete "age …".
pub fn check_age(age: i128) -> Result<u8, &'static str> {
    u8::try_from(age)
        .ok()
        .filter(|age| *age <= AGE_MAX)
        .ok_or("must be a whole number from 0 to 150")
}

fn check_length(text: &str) -> Result<(), &'static str> {
    // Every character has at least one byte, so most texts need no counting.
    let short_enough = text.len() <= TEXT_MAX_CHARS || text.chars().count() <= TEXT_MAX_CHARS;
    if text.is_empty() || !short_enough {
        return Err("must have 1 to 255 characters");
    }
    Ok(())
}

fn check_characters(name: &str) -> Result<(), &'static str> {
    match name.chars().any(char::is_control) {
        true => Err("must not contain control characters"),
        false => Ok(()),
    }
}

fn check_ends(name: &str) -> Result<(), &'static str> {
    match name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        true => Err("must not begin or end with white space"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_fault_exactly_if_it_is_refused() {
        let long = format!(" {}", "\n".repeat(255));
        for (name, faults) in [
            ("a", 0),
            ("", 1),
            (" a", 1),
            ("\0", 1),
            ("a\n", 2),
            (&long, 3),
        ] {
            let found = name_faults(name);
            assert_eq!(found.len(), faults, "{name:?}");
            assert_eq!(check_name(name).err(), found.first().copied());
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(check_name(&"😀".repeat(255)).is_ok());
        assert!(check_name(&"😀".repeat(256)).is_err());
        assert!(check_name(&"a".repeat(255)).is_ok());
        assert!(check_name(&"a".repeat(256)).is_err());
        assert!(check_name("").is_err());
    }

    #[test]
    fn names_that_databases_would_fold_together_are_refused_or_distinct() {
        for padded in [" a", "a ", "a\u{a0}", "\u{3000}a"] {
            assert!(check_name(padded).is_err(), "{padded:?}");
        }
        for control in ["a\0b", "a\nb", "\u{7f}", "a\u{85}b"] {
            assert!(check_name(control).is_err(), "{control:?}");
        }
        for fine in [
            "a  b",
            "a\u{200b}b",
            "\u{feff}",
            "é",
            "e\u{301}",
            "a/b%2F",
            ".",
        ] {
            assert!(check_name(fine).is_ok(), "{fine:?}");
        }
    }

    #[test]
    fn age_has_both_ends() {
        assert_eq!(check_age(0), Ok(0));
        assert_eq!(check_age(150), Ok(150));
        for outside in [-1, 151, 256, 1 << 63, i128::MAX, i128::MIN] {
            assert!(check_age(outside).is_err(), "{outside}");
        }
    }
}
