//! Says whether this process may use its cache now or must bypass it: the process's
//! side of the protocol in [`crate::bypass::protocol`].

mod heartbeat;
pub mod protocol;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bypass::protocol::{Member, Membership};
use crate::cache::Cache;
use crate::error::{Error, Part, Result};
use crate::model::epoch::Epoch;
use crate::timing;

use heartbeat::Heartbeats;

/// How a process takes part in the protocol.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// A name that no other process has.
    pub process: String,
    /// How long the process trusts the cache after a heartbeat, and so how long
    /// others wait for it when it has died.
    pub lease: Duration,
}

/// The right to use the cache. A value that was taken from the cache is current if the
/// permit still holds afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The epoch in which a write under this permit must be committed; `None` if the cache
    /// is never bypassed.
    pub fence: Option<Epoch>,
}

/// Registers `holder` as relying on the cache for good. Returns the present epoch once
/// every other process knows of `holder`, or has had the time of its lease to learn of it.
///
/// # Errors
/// When the database is unavailable, or the cache is being bypassed.
pub async fn rely(membership: &dyn Membership, holder: &str) -> Result<Epoch> {
    let before = membership.rely(holder, false).await?;
    let began = Instant::now();
    let is_told = |member: &Member| member.process == holder && member.trusts;
    let mut view = before.clone();
    while !before.members.iter().any(is_told)
        && view.members.iter().any(|member| {
            let before = before
                .members
                .iter()
                .find(|old| old.process == member.process);
            let lease = Duration::from_millis(member.lease_ms).mul_f64(heartbeat::GRACE);
            // The answer to the member's next heartbeat contains the new state. The
            // heartbeat after that is sent with this knowledge.
            let has_heard = before.is_none_or(|before| member.beats >= before.beats + 2);
            !member.for_good && !has_heard && began.elapsed() <= lease
        })
    {
        tokio::time::sleep(timing::RELIANCE_INTERVAL).await;
        view = membership.rely(holder, false).await?;
    }
    Ok(membership.rely(holder, true).await?.epoch)
}

/// What this process may do now.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Use the cache.
    Trusts(Permit),
    /// Write to the database alone, fenced by this epoch.
    Bypasses(Epoch),
    /// Read from the database and write nothing. The error says why.
    Neither(Error),
}

#[derive(Clone, Debug)]
struct AccessState {
    epoch: Epoch,
    /// Until when the cache is trusted; without end while a process relies on it.
    trusted: Option<Until>,
    /// Whether no process trusts the cache any more, so that the database may be
    /// written alone.
    bypasses: bool,
    /// Whether a process relies on the cache for good, so that no process may bypass it.
    relied_upon: bool,
    /// Until when another process that begins to rely on the cache waits for this process
    /// to learn of that.
    heard_until: Instant,
    /// The error of [`Mode::Neither`].
    problem: Error,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Then(Instant),
    ForEver,
}

impl AccessState {
    fn mode(&self) -> Mode {
        let trusts = match self.trusted {
            Some(Until::ForEver) => true,
            Some(Until::Then(then)) => Instant::now() < then,
            None => false,
        };
        if trusts {
            let fence = Some(self.epoch);
            Mode::Trusts(Permit { fence })
        } else if self.bypasses {
            Mode::Bypasses(self.epoch)
        } else {
            Mode::Neither(self.problem.clone())
        }
    }
}

/// Says how this process may use the cache now.
#[derive(Debug)]
pub struct Access(Option<Shared>);

#[derive(Debug)]
struct Shared {
    state: watch::Sender<AccessState>,
    calls: Arc<Calls>,
    membership: Arc<dyn Membership>,
    process: String,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// Requests to the heartbeat task.
#[derive(Debug, Default)]
struct Calls {
    cut_off: AtomicBool,
    /// A read of the cache has failed or timed out.
    suspect: AtomicBool,
    stop: AtomicBool,
    look: Notify,
}

impl Access {
    /// Returns the access to a cache that is always used and never bypassed. Callers get
    /// the cache's errors.
    pub fn always() -> Arc<Access> {
        Arc::new(Access(None))
    }

    /// Registers this process as a user of `cache`, whether the cache can be reached
    /// or not.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn join(
        membership: Arc<dyn Membership>,
        cache: Arc<dyn Cache>,
        settings: AccessSettings,
    ) -> Result<Arc<Access>> {
        let calls = Arc::new(Calls::default());
        let state = watch::Sender::new(AccessState {
            epoch: Epoch::default(),
            trusted: None,
            bypasses: false,
            relied_upon: false,
            heard_until: Instant::now(),
            problem: Error::unavailable(Part::Cache, "it was never there"),
        });
        let process = settings.process.clone();
        let mut keeper = Heartbeats::new(
            membership.clone(),
            cache,
            settings,
            state.clone(),
            calls.clone(),
        );
        keeper.begin().await?;
        Ok(Arc::new(Access(Some(Shared {
            state,
            calls,
            membership,
            process,
            keeper: Mutex::new(Some(tokio::spawn(keeper.run()))),
        }))))
    }

    /// What this process may do now.
    pub fn mode(&self) -> Mode {
        match &self.0 {
            None => Mode::Trusts(Permit { fence: None }),
            Some(shared) => shared.state.borrow().mode(),
        }
    }

    /// The right to use the cache, if there is one now.
    pub fn permit(&self) -> Option<Permit> {
        match self.mode() {
            Mode::Trusts(permit) => Some(permit),
            Mode::Bypasses(_) | Mode::Neither(_) => None,
        }
    }

    /// Whether `permit` still holds.
    pub fn holds(&self, permit: Permit) -> bool {
        self.0.is_none() || self.permit() == Some(permit)
    }

    /// Fails if this process must not read the database alone, since the cache may
    /// have what the database does not.
    ///
    /// # Errors
    /// Why not.
    pub fn may_bypass(&self) -> Result<()> {
        let relied_upon = || Error::unavailable(Part::Cache, "others rely on it");
        let Some(shared) = &self.0 else {
            return Err(relied_upon());
        };
        let state = shared.state.borrow();
        if state.relied_upon {
            return Err(relied_upon());
        }
        // IMPORTANT: after `heard_until` another process may have begun to rely on the
        // cache without waiting for this one.
        match Instant::now() < state.heard_until {
            true => Ok(()),
            false => Err(state.problem.clone()),
        }
    }

    /// Reports that the cache did not answer a read. The heartbeat task soon checks
    /// whether the cache has to be left. The database answers the read.
    pub fn suspect(&self) {
        if let Some(shared) = &self.0
            && !shared.calls.suspect.swap(true, Ordering::AcqRel)
        {
            shared.calls.look.notify_one();
        }
    }

    /// Reports that the cache failed with `error` when it was used under `permit`. Waits
    /// until writes may bypass the cache, or may use it under another permit.
    ///
    /// # Errors
    /// `error`, when the wait takes too long, or when a process relies on the cache.
    pub async fn cut_off(&self, permit: Permit, error: &Error) -> Result<()> {
        let Some(shared) = &self.0 else {
            return Err(error.clone());
        };
        let mut changes = shared.state.subscribe();
        {
            let state = changes.borrow_and_update();
            if state.relied_upon {
                return Err(error.clone());
            }
            if Some(state.epoch) == permit.fence {
                shared.calls.cut_off.store(true, Ordering::Release);
                shared.calls.look.notify_one();
            }
        }
        let left = changes.wait_for(|state| {
            state.relied_upon
                || match state.mode() {
                    Mode::Trusts(now) => now != permit,
                    Mode::Bypasses(_) => true,
                    Mode::Neither(_) => false,
                }
        });
        match tokio::time::timeout(timing::EPOCH_CHANGE_TIMEOUT, left).await {
            Ok(Ok(state)) if !state.relied_upon => Ok(()),
            _ => Err(error.clone()),
        }
    }

    /// Waits until this process may write. With `ended`, the epoch must be another one.
    ///
    /// # Errors
    /// The reason why this process may not write, when the wait takes too long.
    pub async fn writable(&self, ended: Option<Epoch>) -> Result<()> {
        let Some(shared) = &self.0 else {
            return Ok(());
        };
        let mut changes = shared.state.subscribe();
        shared.calls.look.notify_one();
        let writable = changes.wait_for(|state| {
            ended != Some(state.epoch) && !matches!(state.mode(), Mode::Neither(_))
        });
        if matches!(
            tokio::time::timeout(timing::EPOCH_CHANGE_TIMEOUT, writable).await,
            Ok(Ok(_))
        ) {
            return Ok(());
        }
        match self.mode() {
            Mode::Neither(problem) => Err(problem),
            _ => Err(Error::Fenced),
        }
    }

    /// Stops using the cache, and tells the other processes through the database.
    pub async fn leave(&self) {
        let Some(shared) = &self.0 else {
            return;
        };
        // IMPORTANT: the heartbeat task ends before the member is removed. A heartbeat
        // afterwards would add the member again.
        shared.calls.stop.store(true, Ordering::Release);
        shared.calls.look.notify_one();
        if let Some(keeper) = shared.keeper.lock().await.take() {
            let _ = keeper.await;
        }
        shared.state.send_modify(|state| {
            state.trusted = None;
            state.bypasses = false;
            state.problem = Error::Stopping;
        });
        if let Err(error) = shared.membership.leave(&shared.process).await {
            tracing::warn!(%error, "cannot report that this process no longer uses the cache; others wait for its lease once");
        }
    }
}
