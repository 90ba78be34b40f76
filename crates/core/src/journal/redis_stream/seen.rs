//! What this process knows of each shard from earlier answers. By that it knows how
//! much waits without asking, and notices that a journal has lost entries (`loss.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Result;
use crate::journal::redis_stream::pending::Pending;
use crate::model::decision::Decision;
use crate::model::shard::Shard;
use crate::model::version::Version;

#[derive(Debug)]
pub(super) struct Seen {
    shards: Box<[OfShard]>,
    lost: AtomicU64,
    /// The run of the server from which all this is; empty while it is unknown what
    /// the server still has.
    run: Mutex<String>,
}

/// What a shard's stream is found to be when it may have lost entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The newest version that was appended from here before it was looked at.
    pub(super) appended: Version,
    /// The newest version that it has ever had.
    pub(super) newest: Version,
    /// How many entries wait in it.
    pub(super) depth: u64,
    /// How many of them are newer than what is known to be in the database.
    pub(super) still: u64,
    /// What was pending of this process before it was looked at.
    pub(super) before: Pending,
    /// What of that is still there, where that was looked for.
    pub(super) kept: Option<Pending>,
    /// By which the stream is told from one that was made in its place.
    pub(super) made: Bytes,
}

#[derive(Debug, Default)]
struct OfShard {
    depth: AtomicU64,
    /// The newest version that was appended from here.
    appended: AtomicU64,
    /// The newest that is known to be in the database.
    acknowledged: AtomicU64,
    /// Those that were appended from here and are not known to be there.
    pending: Mutex<Pending>,
    /// By which the stream is known; none before it was looked at.
    made: Mutex<Option<Bytes>>,
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

    /// The newest version that was appended to the shard from here.
    pub(super) fn appended_to(&self, shard: Shard) -> Version {
        self.of(shard)
            .map(|seen| version(&seen.appended))
            .unwrap_or_default()
    }

    /// The newest version that is known to be in the database, where the newest
    /// version `appended` before the shard's stream was looked at is newer than all
    /// that the stream has ever had.
    pub(super) fn misses(
        &self,
        shard: Shard,
        appended: Version,
        newest: Version,
    ) -> Option<Version> {
        let acknowledged = version(&self.of(shard)?.acknowledged);
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
            let before = oldest.map_or(appended, Version::just_before);
            let drained = appended.min(before);
            seen.acknowledged.fetch_max(drained.get(), Ordering::AcqRel);
            lock(&seen.pending).drained(drained);
        }
    }

    /// Ignores what waits in the streams, until [`Seen::came_back`]. The server has
    /// restarted or was emptied, maybe in the same run, and its clocks may be there
    /// again before the lost entries are counted.
    pub(super) fn comes_back(&self) {
        self.run().clear();
    }

    fn run(&self) -> MutexGuard<'_, String> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, shard: Shard) -> Option<&OfShard> {
        self.shards.get(usize::from(shard.0))
    }

    /// A batch was answered. Answers of several batches come in any order.
    pub(super) fn appended(&self, shard: Shard, answers: &[Result<Decision>], depth: u64) {
        let Some(seen) = self.of(shard) else { return };
        let mut pending = lock(&seen.pending);
        let acknowledged = version(&seen.acknowledged);
        let before = seen.appended.load(Ordering::Acquire);
        let mut newest = 0;
        for answer in answers {
            if let Ok(Decision::Written(version)) = answer {
                newest = newest.max(version.get());
                // It may have been drained before it was answered.
                if *version > acknowledged {
                    pending.push(*version);
                }
            }
        }
        seen.appended.fetch_max(newest, Ordering::AcqRel);
        // The depth of an older batch does not count the newer ones.
        if newest > before {
            seen.depth.store(depth, Ordering::Release);
        }
        drop(pending);
    }

    pub(super) fn acknowledged(&self, shard: Shard, through: Version, depth: u64) {
        let Some(seen) = self.of(shard) else { return };
        seen.acknowledged.fetch_max(through.get(), Ordering::AcqRel);
        lock(&seen.pending).drained(through);
        seen.depth.store(depth, Ordering::Release);
    }

    /// What was appended from here and is not known to be in the database.
    pub(super) fn pending(&self, shard: Shard) -> Pending {
        let pending = self.of(shard).map(|seen| lock(&seen.pending).clone());
        pending.unwrap_or_default()
    }

    /// Whether another stream has taken the place of the one that was known, which
    /// was lost with all its entries. The first that is looked at is the known one.
    pub(super) fn was_remade(&self, shard: Shard, made: &Bytes) -> bool {
        let Some(seen) = self.of(shard) else {
            return false;
        };
        lock(&seen.made).get_or_insert_with(|| made.clone()) != made
    }

    pub(super) fn depth(&self) -> u64 {
        let depths = self.shards.iter();
        depths.map(|seen| seen.depth.load(Ordering::Acquire)).sum()
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    /// Compares with what the shard's stream is now. Returns how many entries are
    /// newly known to be lost, at most.
    pub(super) fn count_lost(&self, shard: Shard, found: Found) -> u64 {
        let Some(seen) = self.of(shard) else { return 0 };
        let before = seen.depth.swap(found.depth, Ordering::AcqRel);
        let mut lost = 0;
        if self.misses(shard, found.appended, found.newest).is_some() {
            // At least the one whose version is missing. What waits again
            // although the database has it makes up for nothing.
            lost = before.saturating_sub(found.still).max(1);
            let appended = found.appended.get();
            seen.acknowledged.fetch_max(appended, Ordering::AcqRel);
        }
        if let Some(kept) = found.kept {
            // Exact for what this process has appended; the depth is of all, but only
            // as last heard.
            lost = lost.max(found.before.count() - kept.count().min(found.before.count()));
            let mut pending = lock(&seen.pending);
            if let Some(newest) = found.before.newest() {
                pending.drained(newest);
            }
            pending.put_back(kept);
        }
        *lock(&seen.made) = Some(found.made);
        self.lost.fetch_add(lost, Ordering::AcqRel);
        lost
    }

    /// Whether what was lost has been counted in this run of the server.
    pub(super) fn is_counted_in(&self, run: &str) -> bool {
        *self.run() == run
    }

    /// What was lost has been counted in this run of the server.
    pub(super) fn came_back(&self, run: &str) {
        run.clone_into(&mut self.run());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let answer = Ok(Decision::Written(Version::new(version).unwrap()));
        seen.appended(Shard(shard), &[answer], depth);
    }

    #[test]
    fn the_depth_is_that_of_the_newest_batch() {
        let seen = Seen::new(1);
        appended(&seen, 0, 20, 2);
        appended(&seen, 0, 10, 1);
        assert_eq!((seen.depth(), seen.appended_to(Shard(0))), (2, version(20)));
        assert_eq!(seen.pending(Shard(0)).count(), 2);
    }

    #[test]
    fn what_was_drained_before_it_was_answered_is_not_pending() {
        let seen = Seen::new(1);
        seen.acknowledged(Shard(0), version(20), 0);
        appended(&seen, 0, 20, 1);
        appended(&seen, 0, 21, 1);
        assert_eq!(seen.pending(Shard(0)).count(), 1);
    }

    /// Of streams at which nothing was appended meanwhile.
    fn count_lost(seen: &Seen, found: &[Found]) -> u64 {
        let lost = found.iter().cloned().zip(0..).map(|(found, shard)| {
            let appended = seen.appended_to(Shard(shard));
            seen.count_lost(Shard(shard), Found { appended, ..found })
        });
        lost.sum()
    }

    fn misses(seen: &Seen, newest: u64) -> Option<Version> {
        seen.misses(Shard(0), seen.appended_to(Shard(0)), version(newest))
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
            ..Found::default()
        };
        let after = [found(7, 1, 1), found(0, 0, 0), found(12, 5, 5)];
        assert_eq!(count_lost(&seen, &after), 3);
        assert_eq!((seen.lost(), seen.depth()), (3, 6));
        // Reported once.
        assert_eq!(count_lost(&seen, &after), 0);
        appended(&seen, 0, 20, 2);
        assert_eq!(count_lost(&seen, &[found(7, 2, 2)]), 1);
        assert_eq!(seen.lost(), 4);
        // As many again, but others.
        appended(&seen, 0, 30, 5);
        assert_eq!(count_lost(&seen, &[found(29, 5, 0)]), 5);
    }

    #[test]
    fn what_is_appended_while_a_stream_is_looked_at_is_not_lost() {
        let seen = Seen::new(1);
        appended(&seen, 0, 10, 1);
        let found = Found {
            appended: seen.appended_to(Shard(0)),
            newest: version(10),
            depth: 1,
            ..Found::default()
        };
        appended(&seen, 0, 20, 2);
        assert_eq!(seen.misses(Shard(0), found.appended, found.newest), None);
        assert_eq!(seen.count_lost(Shard(0), found), 0);
        // It is still known as one that may be lost.
        assert_eq!(misses(&seen, 10), Some(version(0)));
    }

    #[test]
    fn what_others_have_drained_is_known_by_what_waits_in_the_same_run() {
        let seen = Seen::new(1);
        let nothing = [Found::default()];
        seen.came_back("a");
        let waits = |run, oldest: Option<u64>| {
            let before = seen.newest_appended()[0];
            seen.waits(run, Shard(0), before, oldest.map(version), 1);
        };
        appended(&seen, 0, 10, 1);
        waits("b", None);
        assert_eq!(misses(&seen, 9), Some(version(0)));
        waits("a", Some(10));
        assert_eq!(misses(&seen, 8), Some(version(9)));
        waits("a", Some(11));
        assert_eq!(misses(&seen, 8), None);
        appended(&seen, 0, 12, 1);
        waits("a", None);
        assert_eq!(misses(&seen, 8), None);
        assert_eq!(count_lost(&seen, &nothing), 0);
        // The server is emptied within a run, and its streams are read before the loss
        // is counted.
        appended(&seen, 0, 14, 1);
        seen.comes_back();
        seen.waits("b", Shard(0), seen.newest_appended()[0], None, 0);
        assert_eq!(misses(&seen, 13), Some(version(12)));
        assert_eq!(count_lost(&seen, &nothing), 1);
    }

    /// However small the depth was in the last answer.
    #[test]
    fn what_this_process_has_pending_is_counted_exactly() {
        let seen = Seen::new(1);
        let made = |made: &'static str, kept: &[u64], seen: &Seen| {
            let mut still = Pending::default();
            for number in kept {
                still.push(version(*number));
            }
            Found {
                appended: seen.appended_to(Shard(0)),
                newest: version(40),
                depth: kept.len() as u64,
                before: seen.pending(Shard(0)),
                kept: Some(still),
                made: Bytes::from_static(made.as_bytes()),
                ..Found::default()
            }
        };
        assert_eq!(seen.count_lost(Shard(0), made("a", &[], &seen)), 0);
        for number in 1..=9 {
            appended(&seen, 0, number, 0);
        }
        seen.acknowledged(Shard(0), version(2), 0);
        assert!(!seen.was_remade(Shard(0), &Bytes::from_static(b"a")));
        assert!(seen.was_remade(Shard(0), &Bytes::from_static(b"b")));
        assert_eq!(seen.count_lost(Shard(0), made("b", &[5, 9], &seen)), 5);
        assert!(!seen.was_remade(Shard(0), &Bytes::from_static(b"b")));
        assert_eq!(seen.pending(Shard(0)).count(), 2);
        assert_eq!(seen.count_lost(Shard(0), made("c", &[9], &seen)), 1);
        assert_eq!(seen.lost(), 6);
    }
}
