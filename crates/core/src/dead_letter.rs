//! Dead letters: acknowledged writes that the database refuses.

use std::sync::Arc;

use crate::record::Record;
use crate::version::Version;

/// A write that was set aside, so that it does not hold up the others.
///
/// There is at most one a key, the newest. It ends when a newer write of its key
/// is in the database, when it is replayed, or when it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The write. That of an entry of the journal which could not be understood
    /// has a key that no record can have, beginning with [`NOT_A_KEY`], and the
    /// entry's bytes as its body.
    pub record: Record,
    /// What the database has against it.
    pub reason: Arc<str>,
    /// When it was set aside: microseconds since the epoch.
    pub set_aside_at: Version,
}

/// What the key of a dead letter begins with when it is none.
pub const NOT_A_KEY: char = ' ';

impl DeadLetter {
    /// Whether it is an entry of the journal that could not be understood.
    pub fn is_undecodable(&self) -> bool {
        self.record.key.as_str().starts_with(NOT_A_KEY)
    }
}
