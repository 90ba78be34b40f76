//! The read lease: why a primary that was cut off, and replaced, is not read any more.
//!
//! Sentinels promote a replica while the former primary may still answer the processes beside it. So a process uses a
//! Redis only while its registration there counts, and with Sentinels a registration counts only if every replica
//! that may be promoted has it. So none of them was promoted before it. A process that finds a promoted server waits
//! for longer than a registration counts before it seeds the clocks there. Nothing is read or written without them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::cmd;
use tokio::time::Instant;

use crate::binding::LIFETIME;
use crate::error::{Error, Part, Result};
use crate::redis::{Link, Redis, milliseconds};

/// How long the replicas may take to confirm a registration.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);

/// What this process knows of the server that it uses, over all its links.
#[derive(Debug, Default)]
pub(super) struct ReadLease {
    met: Mutex<Option<(String, Instant)>>,
    /// The run of the server where this process is registered.
    registered_in: Mutex<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadLease {
    /// How long ago this process has met this run for the first time, unless it has met another one since.
    fn met_since(&self, run: &str) -> Duration {
        let mut met = lock(&self.met);
        match &*met {
            Some((known, at)) if known == run => at.elapsed(),
            _ => {
                *met = Some((run.to_owned(), Instant::now()));
                Duration::ZERO
            }
        }
    }

    fn is_of(&self, run: &str) -> bool {
        *lock(&self.registered_in) == run
    }
}

impl Redis {
    /// Waits until all replicas that may be promoted have the registration that was sent over `link`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when one does not confirm that in time.
    pub(super) async fn begin_lease(&self, link: &mut Link) -> Result<()> {
        let replicas = self.opener.finder.replicas();
        if replicas > 0 {
            let timeout = CONFIRM_TIMEOUT.min(self.timeout / 2);
            let mut wait = cmd("WAIT");
            wait.arg(replicas).arg(milliseconds(timeout));
            let confirmed: u32 = link.command(&wait).await?;
            if confirmed < replicas {
                let reason = format!(
                    "redis: {confirmed} of {replicas} replicas confirm that this is the primary"
                );
                return Err(Error::unavailable(Part::Cache, reason));
            }
        }
        link.server_run()
            .clone_into(&mut lock(&self.place.lease.registered_in));
        Ok(())
    }

    /// Checks that this process is registered at the server of a connection, and not at the one before or after it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not.
    pub(super) async fn leased(&self, part: Part, run: &str) -> Result<()> {
        let ownership = self.place.ownership.get();
        let Some(ownership) = ownership.filter(|_| self.opener.finder.may_change()) else {
            return Ok(());
        };
        if self.place.lease.is_of(run) {
            return Ok(());
        }
        let registered = Box::pin(tokio::time::timeout(self.timeout, ownership.register()));
        match registered.await {
            Ok(Ok(())) if self.place.lease.is_of(run) => Ok(()),
            Ok(Err(error)) => Err(error),
            _ => Err(Error::unavailable(part, "redis: another server may be the primary")),
        }
    }

    /// Returns when no process can rely on a registration at a primary before this one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] until then.
    pub(super) fn no_lease_elsewhere(&self, part: Part, run: &str) -> Result<()> {
        if !self.opener.finder.may_change() || self.place.lease.met_since(run) >= LIFETIME {
            return Ok(());
        }
        Err(Error::unavailable(
            part,
            "redis: another server may have been the primary until now; waiting until no process reads from that one",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_counts_from_the_first_meeting_with_the_present_run() {
        let lease = ReadLease::default();
        let second = Duration::from_secs(1);
        assert_eq!(lease.met_since("a"), Duration::ZERO);
        tokio::time::advance(second).await;
        assert_eq!(lease.met_since("a"), second);
        assert_eq!(lease.met_since("b"), Duration::ZERO);
        tokio::time::advance(second).await;
        assert_eq!(lease.met_since("b"), second);
        // It was promoted, demoted and promoted again.
        assert_eq!(lease.met_since("a"), Duration::ZERO);
    }
}
