//! The read lease: why a primary that was cut off, and replaced, is not read any more.
//!
//! Sentinels promote a replica while the former primary may still answer the processes beside it. So a process uses a
//! Redis only while its registration there counts, and with Sentinels a registration counts only if every replica
//! that may be promoted has it. So none of them was promoted before it. A process that finds a promoted server waits
//! for longer than a registration counts before it seeds the clocks there. Nothing is read or written without them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::cmd;
use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::redis::{Link, Redis, info, milliseconds};
use crate::timing;

/// What this process knows of the server that it uses, over all its links.
#[derive(Debug, Default)]
pub(super) struct ReadLease {
    registered: Mutex<Option<Registered>>,
    registering: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Registered {
    /// The run of the server where this process is registered.
    run: String,
    /// When it was registered there for the first time.
    since: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadLease {
    fn begin(&self, run: &str) {
        let mut registered = lock(&self.registered);
        if registered.as_ref().is_none_or(|known| known.run != run) {
            *registered = Some(Registered {
                run: run.to_owned(),
                since: Instant::now(),
            });
        }
    }

    /// For how long this process has been registered in this run, if it is.
    fn since(&self, run: &str) -> Option<Duration> {
        let registered = lock(&self.registered);
        let registered = registered.as_ref().filter(|known| known.run == run);
        registered.map(|known| known.since.elapsed())
    }

    fn is_of(&self, run: &str) -> bool {
        self.since(run).is_some()
    }
}

impl Redis {
    /// Waits until all replicas that may be promoted have the registration that was sent over `link`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when one does not confirm that in time.
    pub(super) async fn begin_lease(&self, link: &mut Link) -> Result<()> {
        if !self.opener.finder.may_change() {
            return Ok(());
        }
        let promotable = self.opener.finder.promotable();
        // IMPORTANT: after the replicas were read. Those of another primary confirm nothing of this one.
        if link.is_broken() {
            return Err(Error::unavailable(
                Part::Cache,
                "redis: another server is the primary",
            ));
        }
        if !promotable.is_empty() {
            let timeout = timing::REPLICAS_CONFIRM_TIMEOUT.min(self.timeout / 2);
            let confirmed = tokio::time::timeout(timeout, confirmation(link, &promotable, timeout));
            confirmed.await.unwrap_or_else(|_| {
                let replicas = promotable.join(", ");
                let reason = format!(
                    "redis: not all of the replicas {replicas} confirm that this is the primary"
                );
                Err(Error::unavailable(Part::Cache, reason))
            })?;
        }
        self.place.lease.begin(link.server_run());
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
        let registered = async {
            // For all that wait: the first registers.
            let _registering = self.place.lease.registering.lock().await;
            match self.place.lease.is_of(run) {
                true => Ok(()),
                false => ownership.register().await,
            }
        };
        match Box::pin(tokio::time::timeout(self.timeout, registered)).await {
            Ok(Ok(())) if self.place.lease.is_of(run) => Ok(()),
            Ok(Err(error)) => Err(error.of_part(part)),
            _ => Err(Error::unavailable(
                part,
                "redis: another server may be the primary",
            )),
        }
    }

    /// Returns when no process can rely on a registration at a primary before this one.
    ///
    /// # Errors
    /// [`Error::Unavailable`] until then.
    pub(super) fn no_lease_elsewhere(&self, part: Part, run: &str) -> Result<()> {
        let since = self.place.lease.since(run).unwrap_or_default();
        if !self.opener.finder.may_change() || since >= timing::REGISTRATION_LIFETIME {
            return Ok(());
        }
        Err(Error::unavailable(
            part,
            "redis: another server may have been the primary until now; waiting until no process reads from that one",
        ))
    }
}

/// Returns once each of these replicas has all that was written until now. Does not give up by itself.
async fn confirmation(link: &mut Link, promotable: &[String], timeout: Duration) -> Result<()> {
    let (written, _) = replication(link).await?;
    // It makes the replicas say what they have. Others may do that sooner than those that count.
    let mut wait = cmd("WAIT");
    wait.arg(promotable.len()).arg(milliseconds(timeout));
    link.command::<u32>(&wait).await?;
    loop {
        let (_, confirmed) = replication(link).await?;
        let has_all = |address| {
            confirmed
                .get(address)
                .is_some_and(|offset| *offset >= written)
        };
        if promotable.iter().all(has_all) {
            return Ok(());
        }
        tokio::time::sleep(timing::REPLICAS_CONFIRM_INTERVAL).await;
    }
}

/// The offset of all that was written, and by `HOST:PORT` of each replica the one that it has confirmed.
async fn replication(link: &mut Link) -> Result<(u64, HashMap<String, u64>)> {
    let said: String = link.command(cmd("INFO").arg("replication")).await?;
    Ok(read_replication(&said))
}

fn read_replication(said: &str) -> (u64, HashMap<String, u64>) {
    let written = info(said, "master_repl_offset").and_then(|offset| offset.parse().ok());
    let replicas = said.lines().filter(|line| line.starts_with("slave"));
    let confirmed = replicas.filter_map(|line| {
        let (_, fields) = line.split_once(':')?;
        let fields = fields.split(',').filter_map(|field| field.split_once('='));
        let fields: HashMap<&str, &str> = fields.collect();
        let address = format!("{}:{}", fields.get("ip")?, fields.get("port")?);
        Some((address, fields.get("offset")?.parse().unwrap_or_default()))
    });
    (written.unwrap_or(u64::MAX), confirmed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_replica_has_confirmed_is_read() {
        let info = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
            slave0:ip=10.0.0.1,port=6379,state=online,offset=14,lag=0\r\n\
            slave1:ip=::1,port=1,state=wait_bgsave,offset=0,lag=0\r\n\
            slave_expires_tracked_keys:0\r\nmaster_repl_offset:15\r\n";
        let (written, confirmed) = read_replication(info);
        assert_eq!(written, 15);
        let expected = [("10.0.0.1:6379".to_owned(), 14), ("::1:1".to_owned(), 0)];
        assert_eq!(confirmed, HashMap::from(expected));
        assert_eq!(read_replication("").0, u64::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_counts_from_the_first_registration_in_the_present_run() {
        let lease = ReadLease::default();
        let second = Duration::from_secs(1);
        assert_eq!(lease.since("a"), None);
        lease.begin("a");
        tokio::time::advance(second).await;
        lease.begin("a");
        assert_eq!(lease.since("a"), Some(second));
        assert_eq!(lease.since("b"), None);
        lease.begin("b");
        tokio::time::advance(second).await;
        assert_eq!(lease.since("b"), Some(second));
        assert!(!lease.is_of("a"));
    }
}
