//! The ceiling: no service has written a version above it.
//!
//! `cache_epoch.reserved_through` is a bound that is reserved ahead, as timestamp oracles reserve theirs. Each
//! statement that writes records names the ceiling that it was built with, and takes place only
//! while that is the ceiling. So the newest version is known without an index on versions, and
//! a row above the ceiling is another program's. `docs/design/ceiling.md` has the reasons.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::version::Version;

/// How far ahead of the newest version the ceiling is raised, in microseconds. Clocks are as far
/// ahead of the time after a start, so it is not more than makes raising rare.
const AHEAD: i64 = 2_000_000;
/// The same where versions are ahead of the wall clock already. They grow by one a write then.
const AHEAD_MIN: i64 = 1 << 16;

/// How often a write is attempted at most, each time because another process has raised the
/// ceiling meanwhile.
pub(super) const ATTEMPTS_MAX: u32 = 16;

/// What this process knows of the ceiling, and of what it has written itself.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    /// As it was when it was last read. It may have been raised since.
    known: AtomicI64,
    written: AtomicI64,
}

impl Ceiling {
    pub(super) fn known(&self) -> i64 {
        self.known.load(Ordering::Acquire)
    }

    /// It is `ceiling`. One that is lower than what was known is taken, too: the database may
    /// have been restored.
    pub(super) fn learn(&self, ceiling: i64) {
        self.known.store(ceiling, Ordering::Release);
    }

    /// The newest version that this process has brought into the database.
    pub(super) fn newest_written(&self) -> Version {
        Version::from_i64(self.written.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// What is committed has versions up to `newest`.
    pub(super) fn wrote(&self, newest: i64) {
        debug_assert!(newest > 0, "a write has a version");
        self.written.fetch_max(newest, Ordering::AcqRel);
    }
}

/// Where to raise the ceiling to for a write of version `newest` at the time `now`.
///
/// Clocks start above the ceiling, so it must not race ahead where they are started again and
/// again: beyond two seconds ahead of the time, it is raised by a little only.
pub(super) fn above(newest: i64, now: i64) -> i64 {
    debug_assert!(newest <= Version::MAX.to_i64(), "no version is larger");
    let ahead = now.saturating_add(AHEAD).saturating_sub(newest);
    newest
        .saturating_add(ahead.clamp(AHEAD_MIN, AHEAD))
        .min(Version::MAX.to_i64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_raised_seconds_ahead() {
        let now = Version::now().to_i64();
        assert_eq!(above(now, now), now + AHEAD);
        assert_eq!(above(7, now), 7 + AHEAD);
        assert_eq!(above(now + 1_000, now), now + AHEAD);
    }

    #[test]
    fn a_ceiling_ahead_of_the_time_grows_no_faster() {
        let now = Version::now().to_i64();
        let mut ceiling = above(now, now);
        for _ in 0..10 {
            // A clock that starts above the ceiling, and issues.
            ceiling = above(ceiling + 1, now);
        }
        assert!(ceiling < now + 2 * AHEAD, "{}", ceiling - now);
    }

    #[test]
    fn no_ceiling_is_above_the_largest_version() {
        let max = Version::MAX.to_i64();
        assert_eq!(above(max, 0), max);
        assert_eq!(above(max - 1, max), max);
    }
}
