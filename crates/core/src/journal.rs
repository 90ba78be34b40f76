//! The journal: acknowledged writes that the database does not have yet.

pub mod file;
pub mod redis_stream;

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::health::PartHealth;
use crate::record::{Key, Record, Write};
use crate::shard::Shard;
use crate::version::Version;

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The write is in the journal at this version.
    At(Version),
    /// The write's condition does not hold; nothing was written.
    ConditionFailed,
    /// Whether the condition holds cannot be told, since the cache does not
    /// hold the key; nothing was written. Fill the cache and try again.
    Unknown,
}

/// How much waits in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardStats {
    /// Which shard.
    pub shard: Shard,
    /// Entries that wait.
    pub depth: u64,
    /// Bytes that they take in the journal, as far as it can tell.
    pub bytes: u64,
    /// The version of the oldest entry that waits.
    pub oldest: Option<Version>,
    /// The newest version ever appended to the shard, as far as is known.
    pub newest: Option<Version>,
    /// Microseconds since the oldest waiting entry was appended, by the clock
    /// that issued its version; 0 when none waits.
    pub oldest_age_us: u64,
}

/// A journal: append-only, in the order of versions within a shard.
#[async_trait]
pub trait Journal: Debug + Send + Sync + 'static {
    /// Number of shards, at least 1.
    fn shards(&self) -> u16;

    /// The shard that holds `key`.
    fn shard_of(&self, key: &Key) -> Shard;

    /// Whether journal and cache live in one server, so that [`Journal::append`]
    /// checks conditions and puts the values into the cache, and
    /// [`Journal::acknowledge`] marks them clean, each in one atomic step.
    /// Where not, the engine does both, and calls `append` from one task only.
    fn holds_cache(&self) -> bool;

    /// Issues a version to each write, in order, and makes the batch durable.
    /// On return the writes may be acknowledged.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] before [`Journal::raise`]. After any
    /// error some of the batch may be in the journal.
    async fn append(&self, writes: &[Write]) -> Result<Vec<Appended>>;

    /// The oldest waiting entries of a shard that are newer than `after`, at
    /// most `max` of them, oldest first.
    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>>;

    /// Removes the shard's entries up to and including version `through`, all
    /// of which the database has. `flushed` is the newest of them of each key.
    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()>;

    /// Seeds the version clock: what it issues from now on is newer than
    /// `floor` and than all that the journal holds.
    async fn raise(&self, floor: Version) -> Result<()>;

    /// How much waits, shard by shard.
    async fn stats(&self) -> Result<Vec<ShardStats>>;

    /// Whether the journal takes appends. Reads only.
    async fn health(&self) -> PartHealth;
}
