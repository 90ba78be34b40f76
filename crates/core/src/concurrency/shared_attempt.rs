//! Runs something once that several callers want done at the same time.

use std::future::Future;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// Allows one attempt at a time. Holds when the last failed attempt ended, and its
/// error.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Option<(Instant, Error)>>);

impl Attempts {
    /// Returns `done()`, or runs `attempt` if that is nothing; one caller at a
    /// time. Callers that waited for a failed attempt share its error.
    ///
    /// # Errors
    /// What the attempt failed with, this one or the one that was waited for.
    pub(crate) async fn unless_done<T>(
        &self,
        done: impl Fn() -> Option<T>,
        attempt: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let came = Instant::now();
        let mut failed = self.0.lock().await;
        match (done(), &*failed) {
            (Some(done), _) => Ok(done),
            (None, Some((ended, error))) if *ended > came => Err(error.clone()),
            (None, _) => attempt.await.inspect_err(|error| {
                *failed = Some((Instant::now(), error.clone()));
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Part;
    use std::cell::Cell;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn waiting_callers_share_a_failure_and_later_ones_retry() {
        let (attempts, tries, done) = (Attempts::default(), Cell::new(0), Cell::new(None));
        let attempt = || {
            attempts.unless_done(|| done.get(), async {
                tries.set(tries.get() + 1);
                tokio::time::sleep(Duration::from_secs(1)).await;
                match tries.get() {
                    1 => Err(Error::unavailable(Part::Cache, "unavailable")),
                    number => {
                        done.set(Some(number));
                        Ok(number)
                    }
                }
            })
        };
        let (one, other, third) = tokio::join!(attempt(), attempt(), attempt());
        assert!(one.is_err() && other.is_err() && third.is_err());
        assert_eq!(tries.get(), 1);
        let (one, other) = tokio::join!(attempt(), attempt());
        assert_eq!((one.unwrap(), other.unwrap()), (2, 2));
        assert_eq!(tries.get(), 2);
    }
}
