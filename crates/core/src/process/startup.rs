//! Waiting at start for servers that come up at the same time.

use std::future::Future;

use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::telemetry::repeated;
use crate::timing;

/// Whether waiting may mend what an attempt failed for.
fn may_pass(error: &Error) -> bool {
    matches!(
        error,
        Error::Unavailable { lasting: false, .. }
            | Error::NotWritten { .. }
            | Error::Unseeded(_)
            | Error::Locked
    )
}

/// Does `attempt` until it succeeds, fails for a reason that waiting does not
/// mend, or `deadline` has come. What is waited for is logged once.
///
/// IMPORTANT: an attempt is not cut off at the deadline, since it may be in the middle
/// of what must not be, as a migration. It is told when that is, so that it ends by then
/// what may be cut off: [`until`].
///
/// # Errors
/// What the last attempt failed with.
pub async fn within<T, F>(deadline: Instant, mut attempt: impl FnMut(Instant) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut pause = timing::STARTUP_BACKOFF_MIN;
    loop {
        let outcome = attempt(deadline).await;
        let left = deadline.saturating_duration_since(Instant::now());
        match outcome {
            Err(error) if may_pass(&error) && left > timing::LAST_STARTUP_ATTEMPT_TIMEOUT => {
                repeated::warning("waiting for a part to come up", &error.to_string(), 1);
                tokio::time::sleep(pause.min(left - timing::LAST_STARTUP_ATTEMPT_TIMEOUT)).await;
                pause = (pause * 2).min(timing::STARTUP_BACKOFF_MAX);
            }
            outcome => return outcome,
        }
    }
}

/// What `part` answers, if it does by `deadline`: one that takes a connection and then says
/// nothing would be waited for for ever. Only for what may be cut off anywhere, as the
/// opening of a connection.
///
/// # Errors
/// What `answer` failed with, or that there was none.
pub async fn until<T>(
    deadline: Instant,
    part: Part,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout_at(deadline, answer)
        .await
        .unwrap_or_else(|_| Err(Error::unavailable(part, "no answer in time")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_the_unavailable_and_not_for_the_corrupt() {
        let tries = Cell::new(0);
        let in_time = || Instant::now() + Duration::from_secs(30);
        let comes_up = within(in_time(), async |_| {
            tries.set(tries.get() + 1);
            if tries.get() < 4 {
                Err(Error::unavailable(Part::Database, "unavailable"))
            } else {
                Ok(tries.get())
            }
        });
        assert_eq!(comes_up.await.unwrap(), 4);
        let corrupt = within(in_time(), async |_| {
            Err::<(), _>(Error::corrupt(Part::Journal, "x"))
        });
        assert!(matches!(corrupt.await, Err(Error::Corrupt { .. })));
        let distrusted = within(in_time(), async |_| {
            tries.set(tries.get() + 1);
            Err::<(), _>(Error::distrusted(Part::Database, "x"))
        });
        assert!(distrusted.await.is_err());
        assert_eq!(tries.get(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_waited_for_until_the_deadline() {
        for seconds in [1, 5, 30] {
            for error in [
                Error::unavailable(Part::Cache, "x"),
                Error::not_written(Part::Database, "x"),
                Error::Unseeded(Part::Journal),
                Error::Locked,
            ] {
                let (began, length) = (Instant::now(), Duration::from_secs(seconds));
                let never = within(began + length, async |_| Err::<(), _>(error.clone()));
                assert_eq!(never.await.unwrap_err().to_string(), error.to_string());
                // Milliseconds are the resolution of the runtime's clock.
                let resolution = Duration::from_millis(1);
                let ended = began.elapsed();
                assert!(
                    ended + timing::LAST_STARTUP_ATTEMPT_TIMEOUT + resolution >= length,
                    "{ended:?}"
                );
                assert!(ended <= length + resolution, "{ended:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_knows_the_deadline_and_is_cut_off_only_where_it_wants_to_be() {
        let began = Instant::now();
        let mute = within(began + Duration::from_secs(5), async |by| {
            until(by, Part::Database, std::future::pending::<Result<()>>()).await
        });
        let said = mute.await.unwrap_err().to_string();
        assert_eq!(said, "the database is unavailable: no answer in time");
        assert_eq!(began.elapsed(), Duration::from_secs(5));

        let long = within(Instant::now() + Duration::from_secs(5), async |by| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(Instant::now() > by)
        });
        assert!(long.await.unwrap());
    }
}
