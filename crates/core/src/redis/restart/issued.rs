//! The newest version that this process knows to be issued, by shard.
//!
//! An older clock belongs to older data, which another program has put in place of those that this
//! process has used (`SWAPDB`, or `REPLICAOF` and back), in the same run of the server. Then the
//! shard counts as unseeded.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::redis::parse_version;

/// By shard.
#[derive(Debug)]
pub(crate) struct Issued(Box<[AtomicU64]>);

impl Issued {
    pub(crate) fn none(shards: u16) -> Issued {
        Issued((0..shards).map(|_| AtomicU64::new(0)).collect())
    }

    /// The newest version that is known to be issued. To be read before the server is asked.
    pub(crate) fn newest(&self, shard: Shard) -> Version {
        let newest = self.0.get(usize::from(shard.0));
        let newest = newest.map_or(0, |newest| newest.load(Ordering::Acquire));
        Version::new(newest).unwrap_or_default()
    }

    /// Notes that this version was issued.
    pub(crate) fn saw(&self, shard: Shard, version: Version) {
        if let Some(newest) = self.0.get(usize::from(shard.0))
            // Mostly known already. Then nothing is written that other threads read.
            && newest.load(Ordering::Relaxed) < version.get()
        {
            newest.fetch_max(version.get(), Ordering::AcqRel);
        }
    }

    /// Whether a shard's clock, as the server has it, is at or above `known`: the newest version
    /// that was known before the server was asked.
    pub(crate) fn is_known_to(&self, clock: Option<&[u8]>, known: Version, shard: Shard) -> bool {
        match clock.and_then(clock_of) {
            Some(clock) if clock >= known => {
                self.saw(shard, clock);
                true
            }
            _ => false,
        }
    }
}

/// The version of a clock, by the same rule as `clock.lua`.
fn clock_of(clock: &[u8]) -> Option<Version> {
    const DIGITS: usize = 16;
    let clock = parse_version(clock).filter(|_| clock.len() == DIGITS)?;
    (clock <= Version::NEWEST_MAX).then_some(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_have_the_same_bound() {
        let bound = format!("local newest_max = '{}'", Version::NEWEST_MAX);
        assert!(include_str!("../forms.lua").contains(&bound), "{bound}");
    }

    #[test]
    fn an_older_clock_and_one_of_another_form_do_not_count() {
        let issued = Issued::none(2);
        let (shard, zero) = (Shard(1), Version::ZERO);
        let knows = |clock: &str, known| issued.is_known_to(Some(clock.as_bytes()), known, shard);
        assert!(!issued.is_known_to(None, zero, shard));
        assert!(knows("0000000000000007", zero));
        assert_eq!(issued.newest(shard).get(), 7);
        assert_eq!(issued.newest(Shard(0)), zero);
        assert!(knows("0000000000000006", zero), "asked before that");
        assert!(!knows("0000000000000006", issued.newest(shard)));
        for other in [
            "8",
            "x",
            "",
            "000000000000000x",
            "8975663254740992",
            "9007199254740990",
            "9999999999999999",
        ] {
            assert!(!knows(other, zero), "{other}");
        }
        assert_eq!(issued.newest(shard).get(), 7);
    }
}
