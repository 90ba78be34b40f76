//! Who else uses the database. A process whose cache is in its memory hears nothing of what
//! others write, so it must be the only one: `docs/design/memory-cache-alone.md`.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::engine::Engine;
use crate::engine::admitted::Admitted;
use crate::error::{Error, Result};
use crate::telemetry;

/// How long a start waits for another process, which may be about to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often it is looked whether the claim is held still.
const LOOK: Duration = Duration::from_secs(1);

/// Under which name requests are refused.
const SOURCE: &str = "claim";

/// How a process uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Its cache is in its memory.
    Alone,
    /// Its cache is one that others may use.
    Together,
}

/// What a look at a claim finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is held.
    Yes,
    /// It cannot be, since a process uses the database that must not beside this one.
    No,
    /// It was lost for a while, and such a process was there meanwhile.
    Lapsed,
}

/// The right to use a database, which ends with this value and with the process.
#[async_trait]
pub trait Claim: Debug + Send + 'static {
    /// Looks whether it is held, and takes it where it is not.
    ///
    /// # Errors
    /// When the database is unavailable; then it may be lost.
    async fn hold(&mut self) -> Result<Held>;
}

/// A claim that is looked after.
#[derive(Debug)]
pub struct Claimed {
    admission: Arc<Admission>,
    keeper: JoinHandle<()>,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // The claim ends with it.
        self.keeper.abort();
    }
}

impl Claimed {
    /// Takes the claim, and looks after it from then on.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when a process is there that must not be beside this one. When
    /// the database is unavailable, for one that must be alone.
    pub async fn take(mut claim: impl Claim, usage: Usage) -> Result<Claimed> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match claim.hold().await {
                Ok(Held::Yes) => break,
                Ok(_) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                Ok(_) => {
                    return Err(Error::BadSetting {
                        key: "CACHE_URL",
                        reason: refusal(usage).into(),
                    });
                }
                // There may be no connection left for it.
                Err(error) if usage == Usage::Together => {
                    tracing::warn!(%error, "cannot say in the database that it is used; trying again");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let admission = Arc::new(Admission::default());
        let keeper = tokio::spawn(keep(claim, usage, admission.clone()));
        Ok(Claimed { admission, keeper })
    }

    /// `engine`, while this holds.
    pub fn admits(&self, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        Arc::new(Admitted::new(engine, self.admission.clone()))
    }
}

fn refusal(usage: Usage) -> &'static str {
    match usage {
        Usage::Alone => {
            "with memory: this process must be the only one on its database, and another one uses it; \
             stop that one, or let both use one Redis"
        }
        Usage::Together => {
            "a process that has memory: here uses the database, and would not hear of what this one writes; \
             stop that one, or let both use one Redis"
        }
    }
}

/// Until another process has been there: nothing that is cached can be relied on then, so
/// only a start mends it.
async fn keep(mut claim: impl Claim, usage: Usage, admission: Arc<Admission>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(LOOK).await;
        match claim.hold().await {
            Ok(Held::Yes) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("the database knows again that this process uses it");
                }
            }
            Ok(Held::No | Held::Lapsed) => break,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    telemetry::failed("claim", &error);
                    tracing::warn!(%error, "cannot see whether this process is the only one that may use the database");
                }
            }
        }
    }
    let reason = match usage {
        Usage::Alone => {
            "another process has used the database beside this one, whose cache is in its memory; it must be started again"
        }
        Usage::Together => {
            "a process whose cache is in its memory has used the database beside this one; it must be started again"
        }
    };
    if admission.refuse(SOURCE, reason) {
        tracing::error!("{reason}");
    }
}

#[cfg(test)]
mod tests;
