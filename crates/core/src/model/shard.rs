//! Shards: the independent sequences over which keys are spread.

use crate::model::version::Version;

/// The number of a shard. A key is always in the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);

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
    /// The version of the oldest entry that the journal holds: older where it cannot forget an entry
    /// that is acknowledged yet, and might give it again.
    pub oldest_held: Option<Version>,
    /// The newest version ever appended to the shard, as far as is known.
    pub newest: Option<Version>,
    /// Microseconds since the oldest waiting entry was appended, by the clock
    /// that issued its version; 0 when none waits.
    pub oldest_age_us: u64,
    /// Entries acknowledged by all processes that share the journal, since an arbitrary moment: only the
    /// difference of two readings has a meaning.
    pub drained: u64,
    /// Dead letters.
    pub dead: u64,
    /// Refused writes that are held back for want of room among the dead letters.
    pub held_back: u64,
    /// About how many bytes those take in the journal.
    pub held_back_bytes: u64,
}
