//! What every part holds of one name, and which value a reader gets: `conclusion.rs` says what follows,
//! and `report.rs` prints both.

mod conclusion;
mod report;

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::cache::Cached;
use crate::journal::Waiting;
use crate::model::version::Version;
use crate::store::inspect::{Stored, StoredValue};

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

impl Findings {
    /// Puts what is shown of each body in its place.
    pub(crate) fn show(&mut self, shown: Shown) {
        let name = &self.name;
        let show = |body: &mut Option<Bytes>| {
            if let Some(body) = body
                && let Some(text) = shown(name, body)
            {
                *body = text.into();
            }
        };
        match &mut self.cache {
            CacheSaid::Shared(Ok(Cached::Held { body, .. })) => show(body),
            CacheSaid::Shared(Ok(Cached::InDoubt {
                before: Some((_, body)),
                ..
            })) => show(body),
            _ => {}
        }
        if let Some(Ok(Waiting {
            entries,
            dead_letter,
            ..
        })) = &mut self.journal
        {
            entries.iter_mut().for_each(|entry| show(&mut entry.body));
            if let Some(letter) = dead_letter {
                show(&mut letter.record.body);
            }
        }
        if let Ok(Some(Stored {
            value: StoredValue::Body(body),
            ..
        })) = &mut self.row
        {
            show(body);
        }
    }
}

/// The JSON of the record of this name and body, if it is one.
pub(crate) type Shown = fn(&str, &[u8]) -> Option<Vec<u8>>;
