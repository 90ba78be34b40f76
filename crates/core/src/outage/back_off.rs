//! Back-off after failures, which ends early when the part recovers.

use std::time::Duration;

use crate::timing;
use tokio::sync::watch;

/// Announces that an unavailable part works again. All clones are the same announcer.
#[derive(Clone, Debug, Default)]
pub struct Recovery(watch::Sender<()>);

impl Recovery {
    /// Ends the back-offs that wait for this.
    pub fn announce(&self) {
        self.0.send_replace(());
    }

    /// What is announced from now on.
    pub fn watch(&self) -> Recoveries {
        Recoveries(self.0.subscribe())
    }
}

/// The announcements of a [`Recovery`].
#[derive(Debug)]
pub struct Recoveries(watch::Receiver<()>);

impl Recoveries {
    /// Ignores what was announced before.
    pub fn forget(&mut self) {
        self.0.mark_unchanged();
    }

    /// Returns once something was announced that was neither forgotten nor returned for. Loses
    /// nothing when it is cut off.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// A pause of between half of `most` and all of it, so that processes that were started together do not
/// act together.
pub fn jittered(most: Duration) -> Duration {
    most.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Pauses that double from one failure to the next, with jitter.
#[derive(Debug)]
pub struct BackOff {
    min: Duration,
    max: Duration,
    next: Duration,
    ended_early: bool,
}

impl BackOff {
    /// The first pause is `min` at most, each is `max` at most.
    pub fn new(min: Duration, max: Duration) -> BackOff {
        BackOff {
            min,
            max,
            next: min,
            ended_early: false,
        }
    }

    /// Begins again with the shortest pause.
    pub fn reset(&mut self) {
        self.next = self.min;
        self.ended_early = false;
    }

    /// Pauses, until a recovery is announced at most.
    pub async fn pause(&mut self, recoveries: &mut Recoveries) {
        let pause = jittered(self.next);
        self.next = (self.next * 2).min(self.max);
        let at_least = match self.ended_early {
            true => timing::EARLY_END_BACKOFF_MIN.min(pause),
            false => Duration::ZERO,
        };
        tokio::time::sleep(at_least).await;
        let ended = tokio::time::timeout(pause - at_least, recoveries.next());
        self.ended_early = ended.await.is_ok();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const MIN: Duration = Duration::from_secs(10);
    const MAX: Duration = Duration::from_secs(40);

    async fn pause(back_off: &mut BackOff, recoveries: &mut Recoveries) -> Duration {
        let began = Instant::now();
        back_off.pause(recoveries).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_maximum() {
        let recovery = Recovery::default();
        let mut recoveries = recovery.watch();
        let mut back_off = BackOff::new(MIN, MAX);
        for longest in [MIN, 2 * MIN, MAX, MAX] {
            let paused = pause(&mut back_off, &mut recoveries).await;
            // The clock of the runtime counts whole milliseconds.
            let longest = longest + Duration::from_millis(1);
            assert!(paused <= longest && paused >= longest / 2 - Duration::from_millis(1));
        }
        back_off.reset();
        assert!(pause(&mut back_off, &mut recoveries).await <= MIN + Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_recovery_ends_a_pause_and_the_next_one_has_a_minimum() {
        let recovery = Recovery::default();
        let mut recoveries = recovery.watch();
        let mut back_off = BackOff::new(MIN, MAX);
        // Also one that is announced before the pause begins.
        recovery.announce();
        assert_eq!(pause(&mut back_off, &mut recoveries).await, Duration::ZERO);
        recovery.announce();
        let minimum = pause(&mut back_off, &mut recoveries).await;
        assert_eq!(minimum, timing::EARLY_END_BACKOFF_MIN);
        recovery.announce();
        recoveries.forget();
        assert!(pause(&mut back_off, &mut recoveries).await > timing::EARLY_END_BACKOFF_MIN);
    }
}
