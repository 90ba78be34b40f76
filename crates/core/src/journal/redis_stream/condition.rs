//! The form of a write's condition in the arguments of the append script.
//!
//! ```text
//! nothing                    none
//! +                          the key has a value
//! -                          it has none
//! = <versions, by commas>    it has a value, at one of these versions
//! ! <versions, by commas>    it has none, or one at another version
//! ```
//!
//! Versions have 16 digits each, as in a cached entry, so that to find one in
//! the text is to find it in the list.

use std::borrow::Cow;

use crate::model::record::Condition;
use crate::model::version::Version;
use crate::redis::encode_version;

pub(super) fn encode(condition: &Condition) -> Cow<'static, str> {
    match condition {
        Condition::Always => "".into(),
        Condition::Exists => "+".into(),
        Condition::Absent => "-".into(),
        Condition::Is(versions) => list('=', versions).into(),
        Condition::IsNot(versions) => list('!', versions).into(),
    }
}

fn list(sign: char, versions: &[Version]) -> String {
    let versions: Vec<String> = versions.iter().copied().map(encode_version).collect();
    format!("{sign}{}", versions.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_has_its_sign_and_every_version_its_digits() {
        let versions: Vec<Version> = [7, 0].into_iter().filter_map(Version::new).collect();
        let none: &[Version] = &[];
        for (condition, form) in [
            (Condition::Always, ""),
            (Condition::Exists, "+"),
            (Condition::Absent, "-"),
            (Condition::Is(none.into()), "="),
            (Condition::IsNot(none.into()), "!"),
            (
                Condition::Is(versions.as_slice().into()),
                "=0000000000000007,0000000000000000",
            ),
            (Condition::IsNot([Version::MAX].into()), "!9007199254740991"),
        ] {
            assert_eq!(encode(&condition), form);
        }
    }
}
