//! The form of a cached entry in Redis.
//!
//! ```text
//! <version, 16 digits> <state> <rest>
//!
//! state  rest                          meaning                                        expiry
//! C      body, empty = tombstone       clean: it came from the database               yes
//! D      body, empty = tombstone       dirty: only the journal has it                 none
//!                                      clean: it is drained, the database has it too  yes
//! ?      nothing, or 16 digits         in doubt: a write at this version is under way;
//!                                      one at the second, older version has settled   none
//! E      16 digits, body               dirty, and a write at the second version is
//!                                      under way                                      none
//! F      ticket                        a reader is filling the key                    yes
//! ```
//!
//! A dirty entry becomes clean by its expiry alone, so nothing is written again when it is drained:
//! `docs/design/clean-entries.md`. A mark of doubt ends by its version, the time at which its write began
//! (`doubt.lua`). The scripts in `cache/redis/` and `journal/redis_stream/` read and write
//! the same form (`forms.lua`).

use bytes::Bytes;

use crate::model::version::Version;

const DIGITS: usize = 16;

/// A parsed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Held(Version, Option<Bytes>),
    /// The version of the write that is under way, and what is dirty.
    InDoubt(Version, Option<(Version, Option<Bytes>)>),
    Filling,
}

impl Entry {
    /// `None` when the bytes have no such form.
    pub(crate) fn parse(bytes: &Bytes) -> Option<Entry> {
        let version = parse_version(bytes.get(..DIGITS)?)?;
        let rest = || bytes.slice(DIGITS + 1..);
        let body = |body: Bytes| (!body.is_empty()).then_some(body);
        Some(match bytes.get(DIGITS)? {
            b'C' | b'D' => Entry::Held(version, body(rest())),
            b'?' => Entry::InDoubt(version, None),
            b'E' => {
                let doubt = parse_version(bytes.get(DIGITS + 1..2 * DIGITS + 1)?)?;
                Entry::InDoubt(doubt, Some((version, body(bytes.slice(2 * DIGITS + 1..)))))
            }
            b'F' => Entry::Filling,
            _ => return None,
        })
    }
}

/// Version and body of an entry that came from the journal, also where another write is
/// under way; a tombstone's body is empty. It may have been drained since.
pub(crate) fn dirty_value(bytes: &Bytes) -> Option<(Version, Bytes)> {
    let version = parse_version(bytes.get(..DIGITS)?)?;
    match bytes.get(DIGITS)? {
        b'D' => Some((version, bytes.slice(DIGITS + 1..))),
        b'E' if bytes.len() > 2 * DIGITS => Some((version, bytes.slice(2 * DIGITS + 1..))),
        _ => None,
    }
}

/// A version as entries and scripts write it.
pub(crate) fn encode_version(version: Version) -> String {
    format!("{:016}", version.get())
}

/// The version in decimal digits.
pub(crate) fn parse_version(digits: &[u8]) -> Option<Version> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits)
        .ok()?
        .parse()
        .ok()
        .and_then(Version::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Entry> {
        Entry::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn only_dirty_entries_have_a_dirty_value() {
        let dirty = |text: &str| dirty_value(&Bytes::copy_from_slice(text.as_bytes()));
        let version = Version::new(7).unwrap();
        assert_eq!(dirty("0000000000000007D{}"), Some((version, "{}".into())));
        let doubted = dirty("0000000000000007E0000000000000009{}");
        assert_eq!(doubted, Some((version, "{}".into())));
        for other in [
            "0000000000000007C{}",
            "0000000000000007?",
            "0000000000000000F1",
            "",
        ] {
            assert_eq!(dirty(other), None, "{other}");
        }
    }

    #[test]
    fn every_state_parses_and_nothing_else_does() {
        let version = Version::new(7).unwrap();
        let doubt = Version::new(9).unwrap();
        let body = Some(Bytes::from("{}"));
        assert_eq!(
            parse("0000000000000007C{}"),
            Some(Entry::Held(version, body.clone()))
        );
        assert_eq!(parse("0000000000000007D"), Some(Entry::Held(version, None)));
        assert_eq!(
            parse("0000000000000009?"),
            Some(Entry::InDoubt(doubt, None))
        );
        assert_eq!(
            parse("0000000000000007E0000000000000009{}"),
            Some(Entry::InDoubt(doubt, Some((version, body))))
        );
        assert_eq!(
            parse("0000000000000007E0000000000000009"),
            Some(Entry::InDoubt(doubt, Some((version, None))))
        );
        assert_eq!(parse("0000000000000000F12"), Some(Entry::Filling));
        for other in [
            "",
            "7C{}",
            "000000000000000xC{}",
            "0000000000000007X{}",
            "0000000000000007E1",
            "0000000000000007E000000000000000x{}",
            "+000000000000007C{}",
            "9007199254740992C{}",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
