//! When to stop, and by when to have stopped.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// SIGTERM, SIGINT and SIGHUP, caught from the moment that this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    // None where the process was started with SIGHUP ignored, as `nohup` does.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Begins to catch them.
    ///
    /// # Errors
    /// When the process cannot listen to signals.
    pub fn listen() -> io::Result<Signals> {
        let hang_up = match ignores(SignalKind::hangup()) {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up,
        })
    }

    /// Waits for the next one and says which it is.
    pub async fn next(&mut self) -> &'static str {
        let hung_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hung_up => "SIGHUP",
        }
    }

    /// A deadline that a SIGINT from now on brings forward.
    pub fn deadline(mut self, time: Duration) -> Deadline {
        let (hurry, is_hurried) = watch::channel(false);
        let deadline = Deadline {
            at: Instant::now() + time,
            is_hurried,
        };
        tokio::spawn(async move {
            tokio::select! {
                _ = self.interrupt.recv() => {
                    tracing::warn!("SIGINT again: stopping at once");
                    hurry.send_replace(true);
                }
                () = hurry.closed() => {}
            }
        });
        deadline
    }

    /// Does `work` in a task of its own; `None` when a signal comes first.
    pub async fn unless_stopped<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let work = tokio::spawn(work);
        tokio::select! {
            done = work => match done {
                Ok(done) => Some(done),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            name = self.next() => {
                tracing::info!(signal = name, "stopping before the start is complete");
                None
            }
        }
    }
}

/// Whether this process was started with a signal ignored. To catch it would undo that.
fn ignores(kind: SignalKind) -> bool {
    // Bit 0 is signal 1: proc_pid_status(5).
    let bit = kind.as_raw_value().cast_unsigned().saturating_sub(1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask.checked_shr(bit).is_some_and(|mask| mask & 1 == 1))
}

/// By when a stop is to be over.
#[derive(Clone, Debug)]
pub struct Deadline {
    at: Instant,
    is_hurried: watch::Receiver<bool>,
}

impl Deadline {
    /// One that stays as it is.
    pub fn fixed(time: Duration) -> Deadline {
        Deadline {
            at: Instant::now() + time,
            is_hurried: watch::channel(false).1,
        }
    }

    /// The time that is left.
    pub fn left(&self) -> Duration {
        match *self.is_hurried.borrow() {
            true => Duration::ZERO,
            false => self.at.saturating_duration_since(Instant::now()),
        }
    }

    /// Does `work` until so much time is left; `None` when it has not ended by then.
    pub async fn within<T>(&self, reserve: Duration, work: impl Future<Output = T>) -> Option<T> {
        let end = self.at.checked_sub(reserve).unwrap_or(self.at);
        let in_time = tokio::time::timeout_at(end, work);
        self.unless_hurried(in_time).await?.ok()
    }

    /// Does `work`, whatever time is left; `None` when the deadline is brought forward first.
    pub async fn unless_hurried<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut is_hurried = self.is_hurried.clone();
        let hurried = async {
            if is_hurried.wait_for(|is_hurried| *is_hurried).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = hurried => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_ends_first_is_not_stopped() {
        let mut signals = Signals::listen().unwrap();
        assert_eq!(signals.unless_stopped(async { 7 }).await, Some(7));
    }

    #[tokio::test]
    #[should_panic(expected = "broken")]
    async fn a_panic_of_the_work_is_not_taken_for_a_stop() {
        let mut signals = Signals::listen().unwrap();
        signals.unless_stopped(async { panic!("broken") }).await;
    }

    #[tokio::test]
    async fn a_deadline_ends_what_does_not_end() {
        let deadline = Deadline::fixed(Duration::from_millis(20));
        assert_eq!(deadline.within(Duration::ZERO, async { 7 }).await, Some(7));
        let never = std::future::pending::<()>();
        assert_eq!(deadline.within(Duration::ZERO, never).await, None);
        assert_eq!(deadline.left(), Duration::ZERO);
    }
}
