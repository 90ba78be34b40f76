//! Shards in which cached entries may have been evicted that only the journal has.
//!
//! Such an entry's absence means nothing: the database has something older, and a
//! clean entry may have been filled from that. Until what waited in the shard's
//! journal is in the database, only its dirty entries are served.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::model::shard::Shard;
use crate::model::version::Version;

/// By shard, up to which version what waits must be drained; 0 where all is well.
#[derive(Debug)]
pub(crate) struct Evictions(Box<[AtomicU64]>);

impl Evictions {
    pub(crate) fn none(shards: u16) -> Evictions {
        Evictions((0..shards).map(|_| AtomicU64::new(0)).collect())
    }

    /// Entries of `shard` up to `until` may have been evicted from the cache.
    pub(crate) fn suspect(&self, shard: Shard, until: Version) {
        if let Some(held) = self.0.get(usize::from(shard.0)) {
            held.store(until.get().max(1), Ordering::Release);
        }
    }

    /// The oldest entry that waits in `shard` is this one, or none does.
    pub(crate) fn waits(&self, shard: Shard, oldest: Option<Version>) {
        let Some(held) = self.0.get(usize::from(shard.0)) else {
            return;
        };
        let until = held.load(Ordering::Acquire);
        if until != 0 && oldest.is_none_or(|oldest| oldest.get() > until) {
            // Unless it has become suspect once more meanwhile.
            let _ = held.compare_exchange(until, 0, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    pub(crate) fn is_suspect(&self, shard: Shard) -> bool {
        let held = self.0.get(usize::from(shard.0));
        held.is_some_and(|until| until.load(Ordering::Acquire) != 0)
    }

    /// The error for a caller that needs a name's value in such a shard.
    pub(crate) fn refusal(&self) -> Error {
        let reason =
            "the newest value may have been evicted from Redis and is on its way to the database";
        Error::NotAdmitted(reason.into())
    }

    pub(crate) fn is_any_suspect(&self) -> bool {
        let mut shards = self.0.iter();
        shards.any(|until| until.load(Ordering::Acquire) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_suspect_until_what_waited_is_drained() {
        let version = |number| Version::new(number).unwrap();
        let evictions = Evictions::none(16);
        evictions.suspect(Shard(3), version(10));
        assert!(evictions.is_suspect(Shard(3)) && !evictions.is_suspect(Shard(4)));
        evictions.waits(Shard(3), Some(version(10)));
        assert!(evictions.is_any_suspect());
        evictions.waits(Shard(3), Some(version(11)));
        assert!(!evictions.is_any_suspect());
        evictions.suspect(Shard(15), Version::MAX);
        evictions.waits(Shard(15), Some(version(11)));
        assert!(evictions.is_suspect(Shard(15)));
        evictions.waits(Shard(15), None);
        assert!(!evictions.is_any_suspect());
        evictions.suspect(Shard(0), Version::ZERO);
        assert!(evictions.is_suspect(Shard(0)));
    }
}
