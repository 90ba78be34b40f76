//! What became of a write: the one answer of journals, databases and batches.

use crate::model::version::Version;

/// What became of a write that did not fail.
///
/// An engine adds how safe it is ([`crate::engine::Durability`]) when it answers. What failed is an
/// error beside it: [`crate::error::Error::Locked`], for one, was certainly not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is written at this version, or something newer is.
    Written(Version),
    /// Its condition does not hold, and nothing was written.
    ConditionFailed,
    /// Nothing was written. It may be once it is tried again:
    /// - a journal cannot judge its condition, since the cache does not hold the key. Fill the cache first.
    /// - the database has a newer row than its version, and judged without it. It needs a newer version.
    /// - the epoch that it was to take place in has ended. It belongs into the present one.
    Retry,
}

impl Decision {
    /// The version at which it is written, if it is.
    pub fn version(self) -> Option<Version> {
        match self {
            Decision::Written(version) => Some(version),
            Decision::ConditionFailed | Decision::Retry => None,
        }
    }
}
