//! When a client that met an unavailable part comes back: the longer the part has been away, the later.
//!
//! How long it has been away is what the calls of this process tell: since the first that failed, as long as
//! none succeeds.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cache_core::error::Part;

/// A client comes back after a tenth of the time that the part has been away.
const PART_OF_OUTAGE: u64 = 10;
const RETRY_S_MIN: u64 = 1;
const RETRY_S_MAX: u64 = 30;
/// Calls that fail further apart than this are of two outages. Clients come back well before.
const GAP_MS_MAX: u64 = 2 * RETRY_S_MAX * 1000;

static CACHE: Outage = Outage::none();
static JOURNAL: Outage = Outage::none();
static DATABASE: Outage = Outage::none();
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Notes that a call of `part` failed. Returns the seconds after which a client comes back.
pub(crate) fn failed(part: Part) -> u64 {
    // Never 0, which stands for none.
    let now_ms = STARTED.elapsed().as_millis() as u64 + 1;
    outage(part).failed(now_ms)
}

/// Notes that a call of `part` succeeded.
pub(crate) fn answered(part: Part) {
    outage(part).end();
}

fn outage(part: Part) -> &'static Outage {
    match part {
        Part::Cache => &CACHE,
        Part::Journal => &JOURNAL,
        Part::Database => &DATABASE,
    }
}

/// Of one part, in milliseconds on some clock; 0 for none.
#[derive(Debug)]
struct Outage {
    began_ms: AtomicU64,
    failed_ms: AtomicU64,
}

impl Outage {
    const fn none() -> Outage {
        Outage {
            began_ms: AtomicU64::new(0),
            failed_ms: AtomicU64::new(0),
        }
    }

    fn failed(&self, now_ms: u64) -> u64 {
        let last_ms = self.failed_ms.swap(now_ms, Ordering::Relaxed);
        let mut began_ms = self.began_ms.load(Ordering::Relaxed);
        if began_ms == 0 || now_ms.saturating_sub(last_ms) > GAP_MS_MAX {
            began_ms = now_ms;
            self.began_ms.store(now_ms, Ordering::Relaxed);
        }
        let away_ms = now_ms.saturating_sub(began_ms);
        away_ms
            .div_ceil(PART_OF_OUTAGE * 1000)
            .clamp(RETRY_S_MIN, RETRY_S_MAX)
    }

    fn end(&self) {
        // Mostly so already, and then nothing is written that other threads read.
        if self.began_ms.load(Ordering::Relaxed) != 0 {
            self.began_ms.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_back_later_the_longer_a_part_is_away() {
        let outage = Outage::none();
        for (now_s, retry_s) in [(1, 1), (11, 1), (12, 2), (51, 5), (101, 10), (151, 15)] {
            assert_eq!(outage.failed(now_s * 1000), retry_s, "{now_s}");
        }
        for now_s in 151..1000 {
            assert!(outage.failed(now_s * 1000) <= RETRY_S_MAX);
        }
        assert_eq!(outage.failed(1_000_000), RETRY_S_MAX);
    }

    #[test]
    fn an_outage_ends_with_a_success_or_without_failures() {
        let outage = Outage::none();
        outage.failed(1);
        assert_eq!(outage.failed(50_000), 5);
        outage.end();
        assert_eq!(outage.failed(50_001), 1);
        assert_eq!(outage.failed(50_001 + GAP_MS_MAX), 6);
        assert_eq!(outage.failed(50_001 + 2 * GAP_MS_MAX + 1), 1);
    }
}
