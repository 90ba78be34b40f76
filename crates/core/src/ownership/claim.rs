//! Which processes use the database. A process with a memory cache does not notice the writes of
//! other processes. So it must be alone on its database: `docs/design/memory-cache-alone.md`.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::Engine;
use crate::engine::admitted::Admitted;
use crate::error::{Error, Result};
use crate::outage::admission::Admission;
use crate::store::claim::{Claim, Held, Usage};
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

/// The watcher's name in [`Admission`].
const SOURCE: &str = "claim";

/// A claim that is taken and not yet noted for other processes: the start may still be refused.
#[derive(Debug)]
pub struct Taken {
    claim: Box<dyn Claim>,
    usage: Usage,
    is_held: bool,
}

/// A claim that a task keeps.
#[derive(Debug)]
pub struct Claimed {
    admission: Arc<Admission>,
    // The claim ends with this task.
    _keeper: AbortOnDropHandle<()>,
}

impl Taken {
    /// Takes the claim. Another process that holds it may be about to end, so this waits until
    /// `by` at most.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when another process that must not run beside this one uses the
    /// database. For [`Usage::Alone`], also when the database is unavailable.
    pub async fn take(mut claim: Box<dyn Claim>, usage: Usage, by: Instant) -> Result<Taken> {
        let deadline = by.min(Instant::now() + timing::CLAIM_START_TIMEOUT);
        let is_held = loop {
            match claim.hold().await {
                Ok(Held::Yes) => break true,
                Ok(_) if Instant::now() < deadline => {
                    tokio::time::sleep(timing::CLAIM_START_INTERVAL).await
                }
                Ok(_) => {
                    return Err(Error::BadSetting {
                        key: "CACHE_URL",
                        reason: refusal(usage).into(),
                    });
                }
                // The database may have no connection left for the claim.
                Err(error) if usage == Usage::Together => {
                    let what = "cannot note in the database that it is used; retrying";
                    repeated::warning(what, &error.to_string(), 1);
                    break false;
                }
                Err(error) => return Err(error),
            }
        };
        Ok(Taken {
            claim,
            usage,
            is_held,
        })
    }

    /// Notes the claim for other processes, and keeps it from then on.
    ///
    /// # Errors
    /// As [`Taken::take`].
    pub async fn keep(mut self, by: Instant) -> Result<Claimed> {
        self.claim.serves();
        if self.is_held {
            self = Taken::take(self.claim, self.usage, by).await?;
        }
        let admission = Arc::new(Admission::default());
        let keeping = keep(self.claim, self.usage, admission.clone(), self.is_held);
        Ok(Claimed {
            admission,
            _keeper: AbortOnDropHandle::new(tokio::spawn(keeping)),
        })
    }
}

impl Claimed {
    /// Returns `engine` wrapped so that it answers only while the claim is unbroken.
    pub fn admits(&self, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        Arc::new(Admitted::new(engine, self.admission.clone()))
    }
}

fn refusal(usage: Usage) -> &'static str {
    match usage {
        Usage::Alone => {
            "with memory: this process must be the only one on its database, and another one uses it; \
             stop that one, or let both use one Redis. After a power loss or a cut network \
             the session of an ended process may hold the lock for up to a minute; then start again"
        }
        Usage::Together => {
            "a process that has memory: here uses the database, and would not hear of what this one writes; \
             stop that one, or let both use one Redis. After a power loss or a cut network \
             the session of an ended process may hold the lock for up to a minute; then start again"
        }
    }
}

/// What clients get while the claim cannot be held.
const HELD_BY_ANOTHER: &str = "another session holds the lock by which this process may use its cache; it is taken when it is free";

/// Keeps the claim until another process has used the database. Then cached values may be stale,
/// so only a restart helps. While another session holds the lock, this waits for the lock.
async fn keep(
    mut claim: Box<dyn Claim>,
    usage: Usage,
    admission: Arc<Admission>,
    mut was_held: bool,
) {
    let mut failing = false;
    loop {
        tokio::time::sleep(timing::CLAIM_INTERVAL).await;
        match claim.hold().await {
            Ok(Held::Yes) => {
                was_held = true;
                if admission.allow(SOURCE) {
                    tracing::info!(
                        "the lock is held again, and no other process has started meanwhile"
                    );
                }
                if std::mem::take(&mut failing) {
                    tracing::info!("the database knows again that this process uses it");
                }
            }
            Ok(Held::No) if was_held => {
                if admission.refuse(SOURCE, HELD_BY_ANOTHER) {
                    tracing::warn!("{HELD_BY_ANOTHER}");
                }
            }
            // IMPORTANT: a process that never held the lock has no count of starts to compare with.
            Ok(Held::No | Held::Lapsed) => break,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    telemetry::failed("claim", &error);
                    let what =
                        "cannot see whether this process is the only one that may use the database";
                    repeated::failed(what, &error, 1);
                }
            }
        }
    }
    let reason = claim.lapsed(usage);
    if admission.refuse(SOURCE, reason) {
        tracing::error!("{reason}");
    }
}

#[cfg(test)]
mod tests;
