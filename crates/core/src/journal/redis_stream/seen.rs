//! What this process has heard of each shard, by which it knows how much waits
//! without asking, and notices that a journal came back without its newest
//! entries.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::journal::Appended;
use crate::shard::Shard;
use crate::version::Version;

#[derive(Debug)]
pub(super) struct Seen {
    shards: Box<[OfShard]>,
    lost: AtomicU64,
    /// The run of the server that all this was heard in; none while it is not known
    /// what the server still has.
    run: Mutex<String>,
}

/// What a shard's stream is found to be after the server has come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The newest version that it has ever had.
    pub(super) newest: Version,
    /// How many entries wait in it.
    pub(super) depth: u64,
    /// How many of them are newer than what is known to be in the database.
    pub(super) still: u64,
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
            run: Mutex::default(),
        }
    }

    /// The newest version that was appended to each shard from here.
    pub(super) fn newest_appended(&self) -> Vec<Version> {
        let newest = self.shards.iter().map(|seen| version(&seen.appended));
        newest.collect()
    }

    /// The newest version that is known to be in the database, where something
    /// newer was appended than the shard's stream has ever had.
    pub(super) fn misses(&self, shard: Shard, newest: Version) -> Option<Version> {
        let seen = self.of(shard)?;
        let acknowledged = version(&seen.acknowledged);
        let appended = version(&seen.appended);
        (appended > newest && appended > acknowledged).then_some(acknowledged)
    }

    /// A stream in which nothing waits that is older than `oldest`: of what was
    /// `appended` before it was asked, all older ones are in the database.
    pub(super) fn waits(
        &self,
        run: &str,
        shard: Shard,
        appended: Version,
        oldest: Option<Version>,
        depth: u64,
    ) {
        let Some(seen) = self.of(shard) else { return };
        seen.depth.store(depth, Ordering::Release);
        // In another run they may just as well be lost.
        if *self.run() == run {
            let before = oldest.map_or(u64::MAX, |oldest| oldest.get().saturating_sub(1));
            seen.acknowledged
                .fetch_max(appended.get().min(before), Ordering::AcqRel);
        }
    }

    /// From now on, until [`Seen::came_back`], what waits in the streams says nothing:
    /// the server has been emptied or started anew, maybe in the same run, and its
    /// clocks may be there again before what is lost was counted.
    pub(super) fn comes_back(&self) {
        self.run().clear();
    }

    fn run(&self) -> MutexGuard<'_, String> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, shard: Shard) -> Option<&OfShard> {
        self.shards.get(usize::from(shard.0))
    }

    pub(super) fn appended(&self, shard: Shard, answers: &[Result<Appended>], depth: u64) {
        let Some(seen) = self.of(shard) else { return };
        let newest = answers.iter().filter_map(|answer| match answer {
            Ok(Appended::At(version)) => Some(version.get()),
            _ => None,
        });
        seen.appended
            .fetch_max(newest.max().unwrap_or_default(), Ordering::AcqRel);
        seen.depth.store(depth, Ordering::Release);
    }

    pub(super) fn acknowledged(&self, shard: Shard, through: Version, depth: u64) {
        let Some(seen) = self.of(shard) else { return };
        seen.acknowledged.fetch_max(through.get(), Ordering::AcqRel);
        seen.depth.store(depth, Ordering::Release);
    }

    pub(super) fn depth(&self) -> u64 {
        let depths = self.shards.iter();
        depths.map(|seen| seen.depth.load(Ordering::Acquire)).sum()
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// Compares with what each shard's stream is in this run of the server, which
    /// may have come back with old data. Returns how many entries are newly known
    /// to be lost, at most.
    pub(super) fn came_back(&self, run: &str, found: &[Found]) -> u64 {
        let mut lost = 0;
        for (place, (seen, found)) in self.shards.iter().zip(found).enumerate() {
            let before = seen.depth.swap(found.depth, Ordering::AcqRel);
            if self.misses(Shard(place as u16), found.newest).is_some() {
                // At least the one whose version is missing. What waits again
                // although the database has it makes up for nothing.
                lost += before.saturating_sub(found.still).max(1);
                let appended = seen.appended.load(Ordering::Acquire);
                seen.acknowledged.store(appended, Ordering::Release);
            }
        }
        self.lost.fetch_add(lost, Ordering::AcqRel);
        run.clone_into(&mut self.run());
        lost
    }
}

fn version(number: &AtomicU64) -> Version {
    Version::new(number.load(Ordering::Acquire)).unwrap_or(Version::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn appended(seen: &Seen, shard: u16, version: u64, depth: u64) {
        let answer = Ok(Appended::At(Version::new(version).unwrap()));
        seen.appended(Shard(shard), &[answer], depth);
    }

    #[test]
    fn what_was_appended_and_is_in_neither_journal_nor_database_is_lost() {
        let seen = Seen::new(3);
        appended(&seen, 0, 10, 4); // lost in part
        appended(&seen, 1, 11, 1); // drained before
        seen.acknowledged(Shard(1), version(11), 0);
        appended(&seen, 2, 12, 5); // still there
        assert_eq!(seen.depth(), 9);
        let found = |newest, depth, still| Found {
            newest: version(newest),
            depth,
            still,
        };
        let after = [found(7, 1, 1), found(0, 0, 0), found(12, 5, 5)];
        assert_eq!(seen.came_back("b", &after), 3);
        assert_eq!((seen.lost(), seen.depth()), (3, 6));
        // Reported once.
        assert_eq!(seen.came_back("b", &after), 0);
        appended(&seen, 0, 20, 2);
        assert_eq!(seen.came_back("c", &[found(7, 2, 2)]), 1);
        assert_eq!(seen.lost(), 4);
        // As many again, but others.
        appended(&seen, 0, 30, 5);
        assert_eq!(seen.came_back("d", &[found(29, 5, 0)]), 5);
    }

    #[test]
    fn what_others_have_drained_is_known_by_what_waits_in_the_same_run() {
        let seen = Seen::new(1);
        let nothing = [Found {
            newest: Version::ZERO,
            depth: 0,
            still: 0,
        }];
        seen.came_back("a", &nothing);
        let waits = |run, oldest: Option<u64>| {
            let before = seen.newest_appended()[0];
            seen.waits(run, Shard(0), before, oldest.map(version), 1);
        };
        appended(&seen, 0, 10, 1);
        waits("b", None);
        assert_eq!(seen.misses(Shard(0), version(9)), Some(version(0)));
        waits("a", Some(10));
        assert_eq!(seen.misses(Shard(0), version(8)), Some(version(9)));
        waits("a", Some(11));
        assert_eq!(seen.misses(Shard(0), version(8)), None);
        appended(&seen, 0, 12, 1);
        waits("a", None);
        assert_eq!(seen.misses(Shard(0), version(8)), None);
        assert_eq!(seen.came_back("b", &nothing), 0);
        // Emptied in the same run, and somebody looks before it is counted.
        appended(&seen, 0, 14, 1);
        seen.comes_back();
        seen.waits("b", Shard(0), seen.newest_appended()[0], None, 0);
        assert_eq!(seen.misses(Shard(0), version(13)), Some(version(12)));
        assert_eq!(seen.came_back("b", &nothing), 1);
    }
}
