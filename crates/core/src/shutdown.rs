//! When to stop.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, caught from the moment that this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to catch them.
    ///
    /// # Errors
    /// When the process cannot listen to signals.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and says which it is.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
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
}
