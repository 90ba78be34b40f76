//! What this process has heard of each shard, by which it knows how much waits
//! without asking, and notices that a journal came back without its newest
//! entries.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::journal::Appended;
use crate::shard::Shard;
use crate::version::Version;

#[derive(Debug)]
pub(super) struct Seen {
    shards: Box<[OfShard]>,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct OfShard {
    depth: AtomicU64,
    /// The newest version that was appended from here.
    appended: AtomicU64,
    /// The newest that is known to be in the database.
    acknowledged: AtomicU64,
}

impl Seen {
    pub(super) fn new(shards: u16) -> Seen {
        Seen {
            shards: (0..shards).map(|_| OfShard::default()).collect(),
            lost: AtomicU64::new(0),
        }
    }

    fn of(&self, shard: Shard) -> Option<&OfShard> {
        self.shards.get(usize::from(shard.0))
    }

    pub(super) fn appended(&self, shard: Shard, answers: &[Result<Appended>], depth: Option<u64>) {
        let Some(seen) = self.of(shard) else { return };
        let newest = answers.iter().filter_map(|answer| match answer {
            Ok(Appended::At(version)) => Some(version.get()),
            _ => None,
        });
        seen.appended
            .fetch_max(newest.max().unwrap_or_default(), Ordering::AcqRel);
        if let Some(depth) = depth {
            seen.depth.store(depth, Ordering::Release);
        }
    }

    pub(super) fn acknowledged(&self, shard: Shard, through: Version, depth: u64) {
        let Some(seen) = self.of(shard) else { return };
        seen.acknowledged.fetch_max(through.get(), Ordering::AcqRel);
        seen.depth.store(depth, Ordering::Release);
    }

    pub(super) fn depth_is(&self, shard: Shard, depth: u64) {
        if let Some(seen) = self.of(shard) {
            seen.depth.store(depth, Ordering::Release);
        }
    }

    pub(super) fn depth(&self) -> u64 {
        let depths = self.shards.iter();
        depths.map(|seen| seen.depth.load(Ordering::Acquire)).sum()
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// Compares with the newest version that each shard's stream has had, and
    /// how many entries wait in it, when the server may have come back with old
    /// data. Returns how many entries are newly known to be lost, at most.
    pub(super) fn came_back(&self, last: &[(Version, u64)]) -> u64 {
        let mut lost = 0;
        for (seen, (newest, depth)) in self.shards.iter().zip(last) {
            let appended = seen.appended.load(Ordering::Acquire);
            let before = seen.depth.swap(*depth, Ordering::AcqRel);
            if appended > newest.get() && appended > seen.acknowledged.load(Ordering::Acquire) {
                // At least the one whose version is missing.
                lost += before.saturating_sub(*depth).max(1);
                seen.acknowledged.store(appended, Ordering::Release);
            }
        }
        self.lost.fetch_add(lost, Ordering::AcqRel);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn appended(seen: &Seen, shard: u16, version: u64, depth: u64) {
        let answer = Ok(Appended::At(Version::new(version).unwrap()));
        seen.appended(Shard(shard), &[answer], Some(depth));
    }

    #[test]
    fn what_was_appended_and_is_in_neither_journal_nor_database_is_lost() {
        let seen = Seen::new(3);
        appended(&seen, 0, 10, 4); // lost in part
        appended(&seen, 1, 11, 1); // drained before
        seen.acknowledged(Shard(1), version(11), 0);
        appended(&seen, 2, 12, 5); // still there
        assert_eq!(seen.depth(), 9);
        let last = [(version(7), 1), (version(0), 0), (version(12), 5)];
        assert_eq!(seen.came_back(&last), 3);
        assert_eq!((seen.lost(), seen.depth()), (3, 6));
        // Reported once.
        assert_eq!(seen.came_back(&last), 0);
        appended(&seen, 0, 20, 2);
        assert_eq!(seen.came_back(&[(version(7), 2)]), 1);
        assert_eq!(seen.lost(), 4);
    }
}
