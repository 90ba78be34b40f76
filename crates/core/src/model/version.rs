//! The one order of everything: versions, and the clock that issues them.
//!
//! A version is a hybrid logical clock in one number (Kulkarni et al.,
//! "Logical Physical Clocks", 2014, with the logical part folded into the
//! microseconds): the time of the write, raised to last + 1 where the clock
//! did not move. The newer version wins, everywhere, by [`Version`]'s `Ord`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// When a write took place in the order of all writes of its name, in
/// microseconds since the Unix epoch. `0` is older than every write and stands
/// for rows that no service has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// Older than every write.
    pub const ZERO: Version = Version(0);

    /// The largest version, 2^53 - 1 (the year 2255): Redis scripts compute
    /// with doubles, which are exact up to here.
    pub const MAX: Version = Version((1 << 53) - 1);

    /// The largest version that a row or a clock may have at a start, a year of microseconds
    /// below [`Version::MAX`]: every later write needs a larger one. A service issues less
    /// than one in a microsecond.
    pub const NEWEST_MAX: Version = Version(Self::MAX.0 - 365 * 24 * 3_600 * 1_000_000);

    /// `None` above [`Version::MAX`].
    pub fn new(microseconds: u64) -> Option<Version> {
        (microseconds <= Self::MAX.0).then_some(Version(microseconds))
    }

    /// The version after this one; `None` after [`Version::MAX`].
    pub fn next(self) -> Option<Version> {
        Version::new(self.0 + 1)
    }

    /// The version before this one; [`Version::ZERO`] has none before it.
    pub fn just_before(self) -> Version {
        Version(self.0.saturating_sub(1))
    }

    /// Microseconds since the Unix epoch.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version as a database's signed 64-bit column holds it.
    pub fn to_i64(self) -> i64 {
        // Never truncates: MAX is below i64::MAX.
        self.0 as i64
    }

    /// `None` for a negative number or one above [`Version::MAX`].
    pub fn from_i64(number: i64) -> Option<Version> {
        u64::try_from(number).ok().and_then(Version::new)
    }

    /// The version's time as RFC 3339 has it, in UTC, to the millisecond.
    pub fn to_rfc3339(self) -> String {
        let time = chrono::DateTime::from_timestamp_micros(self.to_i64()).unwrap_or_default();
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }

    /// Microseconds from this version's time to `now`, 0 when it lies ahead.
    pub fn age_us(self, now: Version) -> u64 {
        now.0.saturating_sub(self.0)
    }

    /// The wall clock as a version. Only [`Clock`] may issue it.
    pub fn now() -> Version {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let microseconds = since_epoch.map_or(0, |elapsed| elapsed.as_micros() as u64);
        Version(microseconds.min(Self::MAX.0))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Issues versions inside one process, strictly increasing whatever the wall
/// clock does. (With Redis, scripts do the same on Redis's own clock, so that
/// several processes share one sequence.)
///
/// A clock starts unseeded and issues nothing until [`Clock::raise`] has told
/// it the newest version that the database knows: after the wall clock went
/// back, a version below it would lose against data that is already stored.
#[derive(Debug, Default)]
pub struct Clock {
    // 0 = unseeded; otherwise the last version issued or seen, plus one.
    next_at_least: AtomicU64,
}

impl Clock {
    /// The next version, or `None` while the clock is unseeded.
    pub fn issue(&self) -> Option<Version> {
        self.issue_at(Version::now())
    }

    /// As [`Clock::issue`], with the wall clock given.
    pub fn issue_at(&self, now: Version) -> Option<Version> {
        let mut floor = self.next_at_least.load(Ordering::Acquire);
        loop {
            if floor == 0 {
                return None;
            }
            let version = floor.max(now.0);
            if version > Version::MAX.0 {
                return None;
            }
            match self.next_at_least.compare_exchange_weak(
                floor,
                version + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(Version(version)),
                Err(actual) => floor = actual,
            }
        }
    }

    /// Seeds the clock: everything issued from now on is newer than `floor`.
    pub fn raise(&self, floor: Version) {
        self.next_at_least.fetch_max(floor.0 + 1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unseeded_clock_issues_nothing() {
        let clock = Clock::default();
        assert_eq!(clock.issue(), None);
        clock.raise(Version::ZERO);
        assert!(clock.issue().is_some());
    }

    #[test]
    fn a_clock_above_the_last_version_issues_nothing_rather_than_wrapping() {
        let clock = Clock::default();
        clock.raise(Version::MAX);
        assert_eq!(clock.issue(), None);
    }

    proptest! {
        /// Whatever the wall clock does, and whatever is raised in between,
        /// each version is newer than all before it and than every floor.
        #[test]
        fn versions_only_grow(steps in prop::collection::vec((any::<bool>(), 0u64..1_000), 1..200)) {
            let clock = Clock::default();
            clock.raise(Version::ZERO);
            let mut newest = Version::ZERO;
            for (raise, number) in steps {
                let number = Version::new(number).unwrap();
                if raise {
                    clock.raise(number);
                    newest = newest.max(number);
                } else {
                    let issued = clock.issue_at(number).unwrap();
                    prop_assert!(issued > newest);
                    prop_assert!(issued >= number);
                    newest = issued;
                }
            }
        }
    }

    #[test]
    fn versions_issued_by_racing_threads_are_distinct() {
        let clock = Clock::default();
        clock.raise(Version::ZERO);
        let mut all: Vec<Version> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5_000)
                            .map(|_| clock.issue().unwrap())
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 20_000);
    }
}
