//! Waiting at start for servers that come up at the same time.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Does `attempt` until it succeeds, fails for a reason that waiting does not
/// mend, or `deadline` has come.
///
/// # Errors
/// What the last attempt failed with.
pub async fn within<T, F>(deadline: Duration, mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let deadline = Instant::now() + deadline;
    let mut pause = PAUSE_MIN;
    loop {
        match attempt().await {
            Err(error @ Error::Unavailable { lasting: false, .. })
                if Instant::now() + pause < deadline =>
            {
                tracing::warn!(%error, retry_in_ms = pause.as_millis() as u64, "waiting for a part to come up");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Part;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn waits_for_what_is_away_and_not_for_what_is_corrupt() {
        let tries = Cell::new(0);
        let comes_up = within(Duration::from_secs(30), async || {
            tries.set(tries.get() + 1);
            if tries.get() < 4 {
                Err(Error::unavailable(Part::Database, "away"))
            } else {
                Ok(tries.get())
            }
        });
        assert_eq!(comes_up.await.unwrap(), 4);
        let corrupt = within(Duration::from_secs(30), async || {
            Err::<(), _>(Error::corrupt(Part::Journal, "x"))
        });
        assert!(matches!(corrupt.await, Err(Error::Corrupt { .. })));
        let distrusted = within(Duration::from_secs(30), async || {
            tries.set(tries.get() + 1);
            Err::<(), _>(Error::distrusted(Part::Database, "x"))
        });
        assert!(distrusted.await.is_err());
        assert_eq!(tries.get(), 5);
        let began = Instant::now();
        let never = within(Duration::from_secs(5), async || {
            Err::<(), _>(Error::unavailable(Part::Cache, "x"))
        });
        assert!(never.await.is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
