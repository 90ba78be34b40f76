//! The database: where every record ends up.

pub mod claim;
pub mod inspect;
pub mod mysql;
pub mod sqlite;

mod binding;
mod broken;
mod calls;
mod ceiling;
mod durability;
mod headroom;
mod judge;
mod locks;
mod members;
mod newest;
mod page;
mod row;
mod schema;
mod tombstones;
mod transaction;
mod upsert;

pub use judge::{Proposal, judge};
pub use locks::Locks;
pub use page::{POSITION_BYTES_MAX, Page, ROWS_PASSED_MAX};
pub use schema::Adoption;
pub use tombstones::{Purge, Purged};

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::model::dataset::Dataset;
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::back_off::Recovery;
use crate::outage::health::PartHealth;

/// Where records stand among the other writes of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// They were ordered when they were appended to a journal, conditions and all:
    /// one that is older than its row came before it.
    Drained,
    /// The same, and an operator has decided that they take place although a newer delete
    /// may have been purged.
    Replayed,
    /// A cache issued their versions in an epoch, if there are epochs. They are fenced
    /// off in another epoch, and when one of them is as old as what may have been purged.
    /// So they are when one is older than a row that [`Store::transact`] judged without
    /// it: then it must come after the row, at a newer version.
    Issued(Option<Epoch>),
}

impl Origin {
    /// The epoch, if it must be that one.
    pub fn fence(self) -> Option<Epoch> {
        match self {
            Origin::Drained | Origin::Replayed => None,
            Origin::Issued(fence) => fence,
        }
    }
}

/// How the connections to a database are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Open ones that wait for a call.
    pub idle: usize,
    /// Those that a call has, or that are being opened for one.
    pub used: usize,
    /// Most there may be now.
    pub max: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// Records by their keys, and [`Error::BrokenRow`] for a row that breaks the rules.
pub type Loaded = HashMap<Key, Result<Record>>;

/// A database that holds one row a key.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Brings each record into the database unless that has the same or a
    /// newer version of its key: all of them, in one transaction, or none.
    /// Each key occurs at most once.
    ///
    /// # Errors
    /// [`crate::error::Error::Fenced`] when none of it took place and none will:
    /// see [`Origin::Issued`].
    /// [`crate::error::Error::Refused`] when the database would refuse one of
    /// the records whenever it is tried: nothing was committed, and without
    /// that record the others may be.
    /// [`crate::error::Error::Locked`] when another transaction has locked a row and
    /// does not release it within about a second: nothing was committed.
    /// After any other error it is unknown whether the transaction was committed;
    /// applying the same records again is safe.
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()>;

    /// Judges each write upon the row that it would replace, in the order given,
    /// and does those that it should; all in one transaction that holds the rows.
    /// With a fence, only in that epoch of the cache.
    ///
    /// # Errors
    /// As [`Store::apply`]; but after an unknown outcome, doing it again may judge
    /// otherwise.
    async fn transact(&self, proposals: &[Proposal], fence: Option<Epoch>)
    -> Result<Vec<Decision>>;

    /// Which of `keys` [`Store::apply`] would wait for, after it has failed with
    /// [`crate::error::Error::Locked`]. Waits for no row.
    ///
    /// # Errors
    /// [`crate::error::Error::Locked`] when all of the table is locked.
    async fn locks(&self, _keys: &[Key]) -> Result<Locks> {
        Ok(Locks::default())
    }

    /// The record of `key`, a tombstone included; `None` if there never was one, or its
    /// tombstone was purged.
    ///
    /// # Errors
    /// [`crate::error::Error::BrokenRow`] for one that another program has written and
    /// that breaks the rules.
    async fn load(&self, key: &Key) -> Result<Option<Record>>;

    /// The records of `keys`, as far as there are rows of them: as [`Store::load`] of each, in
    /// few statements.
    ///
    /// # Errors
    /// When the database is unavailable. That a row is broken is told of that row alone.
    async fn load_many(&self, keys: &[Key]) -> Result<Loaded> {
        let mut loaded = Loaded::with_capacity(keys.len());
        for key in keys {
            match self.load(key).await {
                Ok(Some(record)) => drop(loaded.insert(key.clone(), Ok(record))),
                Ok(None) => {}
                Err(error @ Error::BrokenRow { .. }) => {
                    loaded.insert(key.clone(), Err(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(loaded)
    }

    /// The versions of `keys`, as far as there are rows of them: tombstones and rows
    /// that break the rules included.
    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>>;

    /// Live records in the order of their keys' bytes, from the first one
    /// after `after` on, at most `limit`; rows that break the rules are left out.
    /// `after` is a position: any text will do.
    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page>;

    /// A version at or above every one that the database has or has had, a few seconds ahead
    /// at most; [`Version::ZERO`] if there never was one. Never decreases.
    async fn newest_version(&self) -> Result<Version>;

    /// The newest version that this process has brought into the database.
    fn newest_written(&self) -> Version {
        Version::ZERO
    }

    /// Whether the database has, or has had and purged, a row of a version from `from` to `to`.
    /// May look at all rows.
    async fn has_between(&self, from: Version, _to: Version) -> Result<bool> {
        Ok(self.newest_version().await? >= from)
    }

    /// The floor: tombstones of versions up to this one may have been purged. A write at
    /// or below it makes no row where its key has none: an issued one is fenced off, a
    /// drained user is refused, and a delete has nothing to do.
    async fn purged_through(&self) -> Result<Version>;

    /// Removes the oldest tombstones above the floor, in one short transaction that
    /// raises it.
    ///
    /// # Errors
    /// When the database is unavailable, or others hold the rows. Doing it again is safe.
    async fn purge(&self, purge: Purge) -> Result<Purged>;

    /// Which data this is, the same for every process that opens it.
    fn dataset(&self) -> &Dataset;

    /// A name for this database's data, made when its tables were made: what a cache holds
    /// of one database must never be taken for another's. 16 hexadecimal digits.
    fn identity(&self) -> &str {
        &self.dataset().identity
    }

    /// Fails if the database is known to take no writes now. Asks nothing.
    ///
    /// # Errors
    /// [`crate::error::Error::NotWritten`] while the database is known to be unavailable.
    fn admits_writes(&self) -> Result<()> {
        Ok(())
    }

    /// How its connections are used now.
    fn connections(&self) -> Connections {
        Connections::default()
    }

    /// Checks that the database takes writes. Changes nothing.
    ///
    /// # Errors
    /// When it is unavailable or read-only.
    async fn takes_writes(&self) -> Result<()> {
        self.newest_version().await.map(drop)
    }

    /// Has `recovery` announced whenever an outage of the database ends, as far as its calls are
    /// watched.
    fn on_recovery(&self, _recovery: &Recovery) {}

    /// Whether the database answers. Reads only.
    async fn health(&self) -> PartHealth;
}

/// The versions that `store` has of `keys`. A key that it has no row of counts as one
/// that was deleted as late as a tombstone may have been purged.
///
/// # Errors
/// When the database is unavailable.
pub async fn versions_of(store: &dyn Store, keys: &[Key]) -> Result<HashMap<Key, Version>> {
    let mut versions = store.versions(keys).await?;
    if keys.iter().any(|key| !versions.contains_key(key)) {
        // IMPORTANT: afterwards, so that it covers what had been purged when it was not found.
        let floor = store.purged_through().await?;
        for key in keys.iter().filter(|_| floor > Version::ZERO) {
            versions.entry(key.clone()).or_insert(floor);
        }
    }
    Ok(versions)
}

#[async_trait]
impl StoredVersions for Arc<dyn Store> {
    async fn newest(&self) -> Result<Version> {
        self.newest_version().await
    }

    async fn of(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        versions_of(&**self, keys).await
    }
}
