//! What the database has of one name, for an operator. Reads only, and takes no lock.

use async_trait::async_trait;
use bytes::Bytes;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Text};

use crate::error::{Error, Result};
use crate::model::dataset::Dataset;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::version::Version;

/// What finds the data of a database in Redis.
#[derive(Clone, Debug)]
pub struct Names {
    /// Which data it is.
    pub dataset: Dataset,
    /// The epoch of the cache.
    pub epoch: Epoch,
    /// Whether write-through bypasses the cache in it.
    pub is_bypassed: bool,
    /// Tombstones of versions up to this one may have been removed.
    pub purged_through: Version,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Zero where no service has written the row.
    pub version: Version,
    /// The value.
    pub value: StoredValue,
}

/// The value of a row.
#[derive(Clone, Debug)]
pub enum StoredValue {
    /// A record, or a tombstone.
    Body(Option<Bytes>),
    /// It breaks a rule of the records, and reads of it fail for this reason.
    Broken(String),
}

/// A database that is open for reading.
#[async_trait]
pub trait Reader: Send {
    /// What finds its data in Redis.
    ///
    /// # Errors
    /// When the database is unavailable, or has no tables.
    async fn names(&mut self) -> Result<Names>;

    /// The row of `key`.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn row(&mut self, key: &Key) -> Result<Option<Stored>>;
}

/// The row that was read as `record`.
///
/// # Errors
/// Whatever else but a broken row.
pub(super) fn stored(record: Result<Record>) -> Result<Stored> {
    match record {
        Ok(Record { version, body, .. }) => Ok(Stored {
            version,
            value: StoredValue::Body(body),
        }),
        Err(Error::BrokenRow { field, rule }) => Ok(Stored {
            version: Version::ZERO,
            value: StoredValue::Broken(format!("{field} {rule}")),
        }),
        Err(error) => Err(error),
    }
}

/// The identity and the number of shards, with the row of the epoch.
#[derive(Debug, QueryableByName)]
pub(super) struct NamesRow {
    #[diesel(sql_type = Text)]
    pub(super) identity: String,
    #[diesel(sql_type = Integer)]
    pub(super) shards: i32,
    #[diesel(sql_type = BigInt)]
    pub(super) epoch: i64,
    #[diesel(sql_type = Integer)]
    pub(super) bypassed: i32,
    #[diesel(sql_type = BigInt)]
    pub(super) purged_through: i64,
}

pub(super) const NAMES: &str = "SELECT identity, shards, epoch, bypassed, purged_through \
     FROM users_identity, cache_binding, cache_epoch \
     WHERE users_identity.id = 1 AND cache_binding.id = 1 AND cache_epoch.id = 1";

impl NamesRow {
    /// # Errors
    /// When the number of shards is impossible.
    pub(super) fn read(self) -> Result<Names> {
        Ok(Names {
            dataset: Dataset::new(self.identity, self.shards)?,
            epoch: Epoch::new(u64::try_from(self.epoch).unwrap_or_default()),
            is_bypassed: self.bypassed != 0,
            purged_through: Version::from_i64(self.purged_through).unwrap_or_default(),
        })
    }
}
