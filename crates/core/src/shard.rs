//! Shards: the independent sequences over which keys are spread.

/// The number of a shard. A key is always in the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);
