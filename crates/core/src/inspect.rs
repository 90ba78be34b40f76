//! What every part holds of one name, and which value a reader gets: `conclusion.rs` says what follows,
//! and `report.rs` prints both.

mod conclusion;
mod report;

#[cfg(test)]
mod tests;

use crate::cache::Cached;
use crate::journal::Waiting;
use crate::model::version::Version;
use crate::store::inspect::Stored;

pub(crate) use report::Report;

/// Why a part was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) reason: String,
    /// Whether a running service keeps others out of its files.
    pub(crate) is_in_use: bool,
}

/// What a part said.
pub(crate) type Said<T> = std::result::Result<T, Unread>;

/// What the cache said.
#[derive(Clone, Debug)]
pub(crate) enum CacheSaid {
    /// It is in the memory of a service.
    InMemory,
    /// It is in a server.
    Shared(Said<Cached>),
}

/// What all parts said.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) name: String,
    /// Whether the service bypasses a cache that is unavailable.
    pub(crate) may_bypass: bool,
    /// Whether the cache is bypassed now.
    pub(crate) is_bypassed: bool,
    pub(crate) purged_through: Version,
    pub(crate) cache_at: String,
    pub(crate) cache: CacheSaid,
    pub(crate) journal_at: String,
    /// Nothing where there is no journal.
    pub(crate) journal: Option<Said<Waiting>>,
    pub(crate) database_at: String,
    pub(crate) row: Said<Option<Stored>>,
}

impl Findings {
    /// Whether every part was read. A cache in a service's memory is none that could be.
    pub(crate) fn is_complete(&self) -> bool {
        !matches!(self.cache, CacheSaid::Shared(Err(_)))
            && !matches!(self.journal, Some(Err(_)))
            && self.row.is_ok()
    }
}
