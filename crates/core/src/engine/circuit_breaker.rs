//! A circuit breaker: after a failure no caller tries for a while, and then one
//! does. (Nygard, "Release It!", 2007, section 5.2.)

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A breaker for one thing that may fail.
#[derive(Debug)]
pub(crate) struct Breaker {
    began: Instant,
    pause: Duration,
    // Microseconds after `began` until which all calls are refused; 0 while all are
    // admitted.
    open_until_us: AtomicU64,
}

impl Breaker {
    /// Returns a closed breaker. A failure opens it for `pause`.
    pub(crate) fn new(pause: Duration) -> Breaker {
        Breaker {
            began: Instant::now(),
            pause,
            open_until_us: AtomicU64::new(0),
        }
    }

    /// Whether the caller may try now.
    pub(crate) fn admits(&self) -> bool {
        let open_until = self.open_until_us.load(Ordering::Acquire);
        if open_until == 0 {
            return true;
        }
        let now = self.now_us();
        // One of the callers that come now tries. The others are refused until it
        // succeeds or another pause is over.
        let next = now + self.pause.as_micros() as u64;
        now >= open_until
            && self
                .open_until_us
                .compare_exchange(open_until, next, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    /// A try has failed.
    pub(crate) fn failed(&self) {
        let until = self.now_us() + self.pause.as_micros() as u64;
        self.open_until_us.store(until.max(1), Ordering::Release);
    }

    /// A try has succeeded.
    pub(crate) fn succeeded(&self) {
        // Mostly closed already. Then nothing is written, so the cache line stays
        // shared.
        if self.open_until_us.load(Ordering::Relaxed) != 0 {
            self.open_until_us.store(0, Ordering::Release);
        }
    }

    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_breaker_admits_one_caller_after_its_pause() {
        let pause = Duration::from_millis(50);
        let breaker = Breaker::new(pause);
        assert!(breaker.admits() && breaker.admits());
        let failed_at = Instant::now();
        breaker.failed();
        let mut admitted = 0;
        while failed_at.elapsed() < pause * 2 {
            if breaker.admits() {
                admitted += 1;
                assert!(failed_at.elapsed() >= pause);
                assert!(!breaker.admits(), "two at the same time");
                breaker.succeeded();
                assert!(breaker.admits() && breaker.admits());
                break;
            }
        }
        assert_eq!(admitted, 1);
    }
}
