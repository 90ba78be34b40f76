//! Records for tests.

use crate::model::record::{Key, Record};
use crate::model::version::Version;

pub(super) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// A tombstone.
pub(super) fn record(key: &str, number: u64) -> Record {
    Record {
        key: Key::from(key),
        version: version(number),
        body: None,
    }
}
