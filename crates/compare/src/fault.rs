//! Disturbing a service's database while a workload runs, and putting it right again.

mod delay_line;
mod lock;
mod proxy;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::Result;
use crate::report::FaultSpan;
use crate::workload::{Fault, FaultKind};

use lock::Locker;
use proxy::Proxy;

/// Takes a database away from its service, and puts it back. Clones move the same one.
///
/// *MySQL and MariaDB* are behind a proxy. An outage ends all connections, and each new one at
/// once. A slow-down brings everything that the service sends to the server later; how much it
/// sends at a time is not limited.
///
/// *SQLite* is a file, so there is no connection to cut. The lever takes the lock that every
/// writing transaction needs. During an outage nothing is written and all that is there can still
/// be read; a transaction waits for as long as the service lets it (10 s) and fails then. During
/// a slow-down the lock is kept for the given time before each turn of the service, which is the
/// time that it takes the service to commit once. A transaction that comes while the lock is free
/// is not delayed at all. One that just missed its turn waits until it looks again, which SQLite
/// does after 100 ms at the latest.
#[derive(Clone, Debug)]
pub struct Lever(Arc<Moves>);

#[derive(Debug)]
enum Moves {
    Proxy(Proxy),
    Locker(Locker),
}

/// How a database is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    None,
    Outage,
    SlowDown(Duration),
}

impl Lever {
    /// Puts a proxy before the server at that host and port. The lever has no effect on
    /// connections that do not use [`Lever::proxy`].
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn before_server(host: &str, port: u16) -> Result<Lever> {
        let proxy = Proxy::start(host, port).await?;
        Ok(Lever(Arc::new(Moves::Proxy(proxy))))
    }

    /// Reaches into a SQLite file, which must be there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn on_file(file: &Path) -> Result<Lever> {
        Ok(Lever(Arc::new(Moves::Locker(Locker::start(file)?))))
    }

    /// Where the proxy listens, if there is one.
    pub fn proxy(&self) -> Option<SocketAddr> {
        match &*self.0 {
            Moves::Proxy(proxy) => Some(proxy.address()),
            Moves::Locker(_) => None,
        }
    }

    /// Takes the database away. Returns when it is.
    ///
    /// # Errors
    /// When the SQLite file's lock was not free in 10 s.
    pub async fn outage(&self) -> Result<()> {
        self.disturb(Disturbance::Outage).await
    }

    /// Makes it slower by `delay`. Returns when it is.
    ///
    /// # Errors
    /// When the SQLite file's lock was not free in 10 s.
    pub async fn slow_down(&self, delay: Duration) -> Result<()> {
        self.disturb(Disturbance::SlowDown(delay)).await
    }

    /// Puts it right again. Returns when it is.
    ///
    /// # Errors
    /// When the SQLite file does not answer as it should.
    pub async fn restore(&self) -> Result<()> {
        self.disturb(Disturbance::None).await
    }

    /// Does what a fault says, at its times, which count from `began`. Returns when it really
    /// was, in seconds from then. If it is dropped meanwhile, the database is put right again.
    ///
    /// # Errors
    /// As [`Lever::outage`].
    pub async fn inject(&self, fault: &Fault, began: Instant) -> Result<FaultSpan> {
        let _restored = RestoredAtTheEnd(self);
        sleep_until(began + fault.from).await;
        match fault.kind {
            FaultKind::Outage => self.outage().await?,
            FaultKind::SlowDown { delay } => self.slow_down(delay).await?,
        }
        let from_s = began.elapsed().as_secs_f64();
        sleep_until(began + fault.until).await;
        let until_s = began.elapsed().as_secs_f64();
        self.restore().await?;
        Ok(FaultSpan {
            what: self.in_words(fault.kind),
            from_s,
            until_s,
        })
    }

    /// What a fault does to this database, as a report has it.
    pub fn in_words(&self, kind: FaultKind) -> String {
        match (kind, &*self.0) {
            (FaultKind::Outage, Moves::Proxy(_)) => "database away".to_owned(),
            (FaultKind::Outage, Moves::Locker(_)) => "database not writable".to_owned(),
            (FaultKind::SlowDown { delay }, _) => {
                format!("database {} ms slower", delay.as_secs_f64() * 1e3)
            }
        }
    }

    async fn disturb(&self, disturbance: Disturbance) -> Result<()> {
        match &*self.0 {
            Moves::Proxy(proxy) => {
                proxy.disturb(disturbance);
                Ok(())
            }
            Moves::Locker(locker) => locker.disturb(disturbance).await,
        }
    }
}

/// Restores the network or the lock on drop, also on cancellation. Idempotent.
struct RestoredAtTheEnd<'a>(&'a Lever);

impl Drop for RestoredAtTheEnd<'_> {
    fn drop(&mut self) {
        match &*self.0.0 {
            Moves::Proxy(proxy) => proxy.disturb(Disturbance::None),
            Moves::Locker(locker) => locker.begin_to_disturb(Disturbance::None),
        }
    }
}
