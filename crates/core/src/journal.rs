//! The journal: acknowledged writes that the database does not have yet.

pub mod dead_letters;
pub mod file;
pub mod redis_stream;

use async_trait::async_trait;

use crate::error::Result;
use crate::journal::dead_letters::DeadLetters;
use crate::model::dead_letter::DeadLetter;
use crate::model::decision::Decision;
use crate::model::record::{Key, Record, Write};
use crate::model::shard::{Shard, ShardStats};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::Version;
use crate::outage::back_off::Recovery;
use crate::outage::health::PartHealth;

/// About how many bytes an entry takes in a stream of Redis besides its key and body.
const ENTRY_OVERHEAD_BYTES: u64 = 50;

/// What the journal has of a name.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// The entries that wait, oldest first.
    pub entries: Vec<Record>,
    /// The dead letter.
    pub dead_letter: Option<DeadLetter>,
    /// Entries, or bytes of a file, that cannot be understood; some may be of this name.
    pub unreadable: u64,
}

/// A journal: append-only, in the order of versions within a shard.
#[async_trait]
pub trait Journal: DeadLetters {
    /// Number of shards, at least 1.
    fn shards(&self) -> u16;

    /// The shard that holds `key`.
    fn shard_of(&self, key: &Key) -> Shard;

    /// Whether journal and cache live in one server, so that [`Journal::append`]
    /// checks conditions and puts the values into the cache, and
    /// [`Journal::acknowledge`] marks them clean, each in one atomic step.
    /// Where not, the engine does both, and calls `append` from one task only.
    fn holds_cache(&self) -> bool;

    /// Whether [`Journal::append`] blocks the thread that it runs on, as long as
    /// a disk takes.
    fn append_blocks(&self) -> bool {
        false
    }

    /// Issues a version to each write, in order, and makes the batch durable.
    /// A write that was answered [`Decision::Written`] may be acknowledged.
    ///
    /// # Errors
    /// By write. [`crate::error::Error::Unseeded`] before [`Journal::raise`],
    /// [`crate::error::Error::Full`] and [`crate::error::Error::NotWritten`]: it
    /// is not in the journal. After any other it may be.
    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>>;

    /// Entries that wait in all shards. What is appended and acknowledged through this value is counted
    /// at once, the work of other processes when this one next asks.
    fn depth(&self) -> u64;

    /// The sum of [`ShardStats::bytes`] over all shards now; `None` where only the server knows it.
    fn bytes(&self) -> Option<u64> {
        None
    }

    /// About how many bytes an entry takes besides its key and body.
    fn entry_overhead_bytes(&self) -> u64 {
        ENTRY_OVERHEAD_BYTES
    }

    /// Acknowledged writes that are lost since the journal's server restarted without its newest
    /// entries: at most so many, as far as this process can know.
    fn lost(&self) -> u64 {
        0
    }

    /// The oldest waiting entries of a shard that are newer than `after`, at
    /// most `max` of them, oldest first. With a version, continues what was read of the
    /// shard before.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] when it cannot continue, since the journal's server
    /// has restarted, perhaps with other entries: read from the beginning.
    /// [`crate::error::Error::Corrupt`] when one of them cannot be understood;
    /// [`DeadLetters::set_aside_undecodable`] gets it out of the way.
    /// [`crate::error::Error::Unseeded`] when the shard's entries are lost:
    /// [`Journal::raise`] brings back what the cache has of them yet.
    async fn read(&self, shard: Shard, after: Version, max: usize) -> Result<Vec<Record>>;

    /// After [`Journal::read`] of the shard, whose answer this is about:
    /// removes the shard's entries up to and including version `through`, all
    /// of which the database has or which are set aside. `flushed` is the newest
    /// of them of each key; an older dead letter of such a key ends.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] when the journal's server has restarted since, perhaps with
    /// other entries: read again.
    async fn acknowledge(
        &self,
        shard: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()>;

    /// Seeds the version clock: what it issues from now on is newer than all
    /// that the database has and than all that the journal holds.
    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()>;

    /// Of a journal that runs: as [`Journal::raise`], without looking for what is lost.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] where [`Journal::raise`] is needed.
    async fn raise_clocks(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.raise(stored).await
    }

    /// How much waits, shard by shard.
    async fn stats(&self) -> Result<Vec<ShardStats>>;

    /// Checks that the journal would take an append now. What it writes is gone at once.
    ///
    /// # Errors
    /// When it would not.
    async fn takes_appends(&self) -> Result<()> {
        Ok(())
    }

    /// Has `recovery` announced whenever an outage of the journal ends, as far as its calls are watched.
    fn on_recovery(&self, _recovery: &Recovery) {}

    /// Whether the journal takes appends. Reads only.
    async fn health(&self) -> PartHealth;
}
