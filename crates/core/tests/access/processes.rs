//! Processes on one database, and what must hold of them at every instant.

use std::sync::Arc;
use std::time::Duration;

use cache_core::bypass::{Access, AccessSettings, Mode, Permit};
use cache_core::error::Result;
use cache_core::model::epoch::Epoch;
use tokio::time::Instant;

use crate::fakes::{Database, FakeCache, Line, unavailable};

pub(crate) const LEASE: Duration = Duration::from_secs(1);
/// How often a process says something.
pub(crate) const BEAT: Duration = Duration::from_millis(50);
/// How often one says something that waits for others.
pub(crate) const CLOSING: Duration = Duration::from_millis(10);
/// How often it is looked whether something has come about.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const EVENTUALLY: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) access: Arc<Access>,
    pub(crate) line: Arc<Line>,
    pub(crate) cache: Arc<FakeCache>,
}

impl Process {
    pub(crate) async fn join(database: &Arc<Database>, name: &str) -> Process {
        let (line, cache) = (Line::new(database.clone()), FakeCache::new());
        Process::join_by(line, cache, name, LEASE).await.unwrap()
    }

    pub(crate) async fn join_by(
        line: Arc<Line>,
        cache: Arc<FakeCache>,
        name: &str,
        lease: Duration,
    ) -> Result<Process> {
        let settings = AccessSettings {
            process: name.to_owned(),
            lease,
        };
        let access = Access::join(line.clone(), cache.clone(), settings).await?;
        Ok(Process {
            name: name.to_owned(),
            access,
            line,
            cache,
        })
    }

    pub(crate) fn permit(&self) -> Permit {
        self.access.permit().unwrap()
    }

    pub(crate) fn trusts(&self) -> bool {
        self.access.permit().is_some()
    }

    /// The epoch in which it bypasses the cache.
    pub(crate) fn bypasses(&self) -> Option<u64> {
        match self.access.mode() {
            Mode::Bypasses(epoch) => Some(epoch.get()),
            _ => None,
        }
    }

    pub(crate) fn trusts_in(&self, epoch: u64) -> bool {
        self.access.permit().and_then(|permit| permit.fence) == Some(Epoch::new(epoch))
    }

    /// Reports that its cache has failed; whether it may go on without.
    pub(crate) async fn is_cut_off(&self) -> Result<()> {
        let permit = self.permit();
        self.cache.answers(false);
        self.access.cut_off(permit, &unavailable()).await
    }
}

/// A database and three processes that trust their caches.
pub(crate) async fn three() -> (Arc<Database>, [Process; 3]) {
    let database = Arc::new(Database::default());
    let processes = [
        Process::join(&database, "a").await,
        Process::join(&database, "b").await,
        Process::join(&database, "c").await,
    ];
    eventually(|| processes.iter().all(|process| process.trusts_in(0))).await;
    (database, processes)
}

/// Waits until `holds`; how long that took.
#[track_caller]
pub(crate) fn eventually(
    mut holds: impl FnMut() -> bool,
) -> impl std::future::Future<Output = Duration> {
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < EVENTUALLY, "never: {caller}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        began.elapsed()
    }
}

/// Looks all the time, for `duration`, that `holds`.
#[track_caller]
pub(crate) fn throughout(
    duration: Duration,
    mut holds: impl FnMut() -> bool,
) -> impl std::future::Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let began = Instant::now();
        while began.elapsed() < duration {
            assert!(holds(), "not after {:?}: {caller}", began.elapsed());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Asserts what must always hold. No process takes values from a cache that another
/// one bypasses, or uses in a later epoch. The cache was told the epoch in which it
/// is used.
pub(crate) fn assert_safe(processes: &[Process]) {
    let modes: Vec<Mode> = processes
        .iter()
        .map(|process| process.access.mode())
        .collect();
    for (process, mode) in processes.iter().zip(&modes) {
        let Mode::Trusts(Permit { fence: Some(epoch) }) = mode else {
            continue;
        };
        assert_eq!(process.cache.epoch(), Some(*epoch), "of {}", process.name);
        for (other, mode) in processes.iter().zip(&modes) {
            match mode {
                // A process that does not know yet that its epoch is over: its
                // writes are refused, and what it reads from the database is
                // current.
                Mode::Bypasses(past) if past < epoch => {}
                Mode::Trusts(Permit { fence: Some(same) }) if same == epoch => {}
                Mode::Neither(_) => {}
                mode => panic!(
                    "{} trusts its cache in {epoch} while {} is {mode:?}",
                    process.name, other.name
                ),
            }
        }
    }
}
