//! The cache: the newest version of each name, as far as it is held.

pub mod memory;
pub mod redis;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::health::PartHealth;

/// What a cache holds of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// This is the key's current record (perhaps a tombstone).
    Hit(Record),
    /// A write is on its way to the database: the current record is the newer
    /// of the database's and the given one.
    InDoubt(Option<Record>),
    /// Nothing is held: the database has the current record.
    Miss,
}

/// The right to fill one key, taken before the database is read. Any write of
/// the key, and the loss of the ticket itself, makes it void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillTicket(pub u64);

/// The answer to [`Cache::begin_fill`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FillStart {
    /// Read the database, then call [`Cache::fill`].
    Granted(FillTicket),
    /// Another reader holds the ticket: read the database and leave it at that.
    Busy,
    /// The key is no longer missing.
    Found(Lookup),
}

/// The outcome of [`Cache::refill`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refill {
    /// The record is held.
    Stored,
    /// The record is not held; this is.
    Kept(Lookup),
}

/// A write that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The version that it was issued.
    pub version: Version,
    /// What was held of the key that the database may not have yet: a dirty record.
    pub dirty: Option<Record>,
    /// The newest write that was in flight already.
    pub doubt: Option<Version>,
}

/// A write that has begun and did not take place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The key of the write.
    pub key: Key,
    /// The version that it was issued.
    pub version: Version,
    /// The newest write that was in flight before it.
    pub doubt: Option<Version>,
}

/// How long entries stay.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A record that the database holds too.
    pub clean: Duration,
    /// The knowledge that the database has no such key.
    pub absent: Duration,
    /// A mark of a write on its way to the database, should its writer die.
    pub in_doubt: Duration,
    /// A ticket to fill, should its reader die.
    pub fill: Duration,
}

impl Lifetimes {
    /// How long a clean `record` stays.
    pub fn of(&self, record: &Record) -> Duration {
        // A row of an adopted table has this version too, and is there.
        if record.version == Version::ZERO && record.body.is_none() {
            self.absent
        } else {
            self.clean
        }
    }
}

/// The cached entry of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// The shard has no version clock in this run of the server, so nothing is read from it yet.
    Unseeded,
    /// Nothing.
    Nothing,
    /// A value or a tombstone.
    Held {
        /// Its version.
        version: Version,
        /// `None` is a tombstone.
        body: Option<Bytes>,
        /// When it expires; never where only the journal has it.
        expires_in: Option<Duration>,
        /// Whether the database has it, too.
        is_clean: bool,
    },
    /// A write is under way, or it ended with an unknown outcome.
    InDoubt {
        /// The version at which the newest such write began.
        since: Version,
        /// What was written before and is in the journal.
        before: Option<(Version, Option<Bytes>)>,
    },
    /// A reader has asked the database and is about to cache the answer.
    Filling,
    /// An entry of another program.
    Unknown,
}

/// A cache. Everything it is given carries a version and the newer wins.
///
/// An entry is *dirty* while only the journal holds it durably: it has no
/// expiry and is never evicted. All others have a lifetime.
#[async_trait]
pub trait Cache: Debug + Send + Sync + 'static {
    /// What is held of `key`.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] before [`Cache::raise`], where other processes use the
    /// cache, too: its entries may be older than what they have written.
    async fn get(&self, key: &Key) -> Result<Lookup>;

    /// Asks for the right to fill `key`, which [`Cache::get`] did not find.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] before [`Cache::raise`], from a cache
    /// that others use too: what it lacks may be waiting in the journal.
    async fn begin_fill(&self, key: &Key) -> Result<FillStart>;

    /// Fills the cache with a record that was read from the database, unless `ticket` was voided
    /// by a write of the key. Returns whether the record is held.
    async fn fill(&self, ticket: FillTicket, record: &Record) -> Result<bool>;

    /// Gives a ticket back unused.
    async fn abandon_fill(&self, key: &Key, ticket: FillTicket) -> Result<()>;

    /// Holds `record`, read from the database, in place of `held`, if that is still held
    /// and clean. A record that is older may only be one that another program has put
    /// there: then `held` must have been clean before the database was read.
    async fn refill(&self, held: &Record, record: &Record) -> Result<Refill>;

    /// Forgets what is held clean of `key`, and voids a ticket to fill it. What is dirty or
    /// in doubt stays.
    async fn forget(&self, key: &Key) -> Result<()>;

    /// As [`Cache::forget`] of every key. After an error, of some.
    async fn forget_all(&self) -> Result<()>;

    /// Holds records that only the journal has, unless something newer is held.
    async fn put_dirty(&self, records: &[Record]) -> Result<()>;

    /// Gives the named versions a lifetime, where they are still the ones held.
    async fn mark_clean(&self, flushed: &[(Key, Version)]) -> Result<()>;

    /// Issues a version to each key, in order, and marks the keys in doubt
    /// until [`Cache::settle`] or the mark's lifetime ends.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] before [`Cache::raise`].
    async fn begin_write(&self, keys: &[Key]) -> Result<Vec<Begun>>;

    /// Ends the doubt about writes of which it is certain that they did not take
    /// place, and never will; a doubt that was there before comes back.
    async fn withdraw(&self, writes: &[Withdrawn]) -> Result<()>;

    /// Holds records that the database has committed, one a key, unless something newer
    /// is held, and ends the doubt that their versions began. Where nothing is
    /// held any more, not even that doubt, nothing is put: a newer write may
    /// have settled and been forgotten meanwhile.
    async fn settle(&self, records: &[Record]) -> Result<()>;

    /// Forgets a version that will never be in the database, where it is still
    /// the one held.
    async fn discard(&self, key: &Key, version: Version) -> Result<()>;

    /// Seeds the version clock: what it issues from now on is newer than all
    /// that the database has.
    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()>;

    /// Changes to another epoch: nothing that was held before is held any more. If the server is
    /// in another run than the given one, the cache is unavailable from then on. (A cache that
    /// is never bypassed has one epoch and one run.)
    fn enter_epoch(&self, _: Epoch, _run: Option<&str>) {}

    /// Checks that the cache takes writes, and returns the run of its server. What it writes for
    /// that is removed at once.
    ///
    /// # Errors
    /// When the cache takes no writes.
    async fn probe(&self) -> Result<String> {
        Ok(String::new())
    }

    /// Whether the cache answers. Reads only.
    async fn health(&self) -> PartHealth;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absence_has_the_lifetime_of_absence() {
        let lifetimes = Lifetimes {
            clean: Duration::from_secs(1),
            absent: Duration::from_secs(2),
            in_doubt: Duration::from_secs(3),
            fill: Duration::from_secs(4),
        };
        let absent = Record::absent(Key::from("a"));
        let adopted = Record {
            body: Some("x".into()),
            ..absent.clone()
        };
        assert_eq!(lifetimes.of(&absent), lifetimes.absent);
        assert_eq!(lifetimes.of(&adopted), lifetimes.clean);
    }
}
