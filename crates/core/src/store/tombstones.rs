//! Removing tombstones, and writes that come after that.
//!
//! `cache_epoch.purged_through` is the floor: each tombstone of a version up to it may
//! have been removed. It is raised by the transaction that removes them, which holds
//! that row exclusively. Every write holds it shared and has read it.
//! `sql/tombstones.rs` has the statements.

use crate::error::{Error, Part, Result};
use crate::model::version::Version;

/// Which tombstones to remove.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// What the floor has to be, since another process may be at it too.
    pub floor: Version,
    /// Up to which version.
    pub through: Version,
    /// How many tombstones to look at, the oldest first.
    pub rows_max: usize,
    /// A holder that must not rely on the cache for good, by its name in `cache_members`.
    pub unless_relied_on_by: Option<&'static str>,
}

/// What was done of a [`Purge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// The floor is at `floor` now.
    Through {
        /// Where it is.
        floor: Version,
        /// How many tombstones were removed.
        removed: usize,
        /// Whether there is nothing left to look at.
        is_all: bool,
    },
    /// Another transaction has locked a tombstone, which stays, as do all above it.
    HeldUp {
        /// Where the floor is.
        floor: Version,
        /// How many tombstones were removed.
        removed: usize,
    },
    /// Nothing: another process has raised the floor, or must do so.
    Elsewhere,
}

/// What a transaction of a purge step did: up to which version, and how many tombstones
/// were removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Removed {
    pub(super) through: i64,
    pub(super) count: usize,
}

/// A tombstone: its name, and its place in the order in which they are removed. That is its
/// version where a service has written it.
pub(super) type Tombstone = (String, i64);

/// Why a drained write is refused that is at or below the floor and has no row.
pub(super) const NOT_KNOWN: &str = "it waited in a journal while tombstones as new as it were \
    removed; whether a newer delete of this name came is not known";

/// The floor as the database has it.
pub(super) fn to_floor(number: i64) -> Result<Version> {
    let out_of_range = || Error::corrupt(Part::Database, "cache_epoch has a floor out of range");
    Version::from_i64(number).ok_or_else(out_of_range)
}
