//! The task that probes a part, and tells of an outage that goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};
use crate::outage::health::PartHealth;

use super::Outage;
use super::calls::Calls;
use super::state::By;
use crate::telemetry::repeated;
use crate::timing;

/// What can be asked for both kinds of call.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// Whether it answers.
    async fn health(&self) -> PartHealth;

    /// Whether it takes writes. Changes nothing that stays.
    ///
    /// # Errors
    /// When it does not.
    async fn takes_writes(&self) -> Result<()>;
}

/// Probes until the returned value is dropped.
pub(crate) fn start(outage: Arc<Outage>, probe: impl Probe) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut said_at = None;
        loop {
            outage.probe(&probe).await;
            said_at = match (outage.is_down(), said_at) {
                (false, _) => None,
                (true, None) => Some(Instant::now()),
                (true, Some(at)) if at.elapsed() >= timing::REPEATED_LOG_INTERVAL => {
                    outage.summarize().await;
                    Some(Instant::now())
                }
                (true, said_at) => said_at,
            };
            repeated::flush();
            let pause = match outage.is_failing.load(Ordering::Acquire) {
                // It has taken its time.
                true if outage.refuses_any() => Duration::ZERO,
                true => timing::FAILING_PROBE_INTERVAL,
                false => timing::PROBE_INTERVAL,
            };
            let _ = tokio::time::timeout(pause, outage.wake.notified()).await;
        }
    }))
}

impl Outage {
    async fn probe(&self, probe: &impl Probe) {
        let began = Instant::now();
        self.probed.send_modify(|probed| probed.begun += 1);
        let none = |_| {
            Error::unavailable(
                self.part,
                format!("no answer in {:?}", timing::PROBE_TIMEOUT),
            )
        };
        let health = async {
            let asked = tokio::time::timeout(timing::PROBE_TIMEOUT, probe.health()).await;
            let health = asked.map_err(none);
            let answers = match &health {
                Ok(PartHealth {
                    up: false, problem, ..
                }) => {
                    let problem = problem.as_deref().unwrap_or("it does not answer");
                    Err(Error::unavailable(self.part, problem))
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error.clone()),
            };
            self.probed_for(Calls::Reads, began, answers);
            health
        };
        let writes = async {
            let asked = tokio::time::timeout(timing::PROBE_TIMEOUT, probe.takes_writes()).await;
            let taken = asked.map_err(none).flatten();
            self.probed_for(Calls::Writes, began, taken);
        };
        let (health, ()) = tokio::join!(health, writes);
        self.probed.send_modify(|probed| {
            probed.ended = probed.begun;
            match health {
                Ok(health) => probed.health = Some(health),
                // What it said before is still where it is.
                Err(_) => {
                    if let Some(health) = &mut probed.health {
                        health.problem = None;
                    }
                }
            }
        });
    }

    fn probed_for(&self, calls: Calls, began: Instant, answer: Result<()>) {
        match answer {
            Err(error) if error.is_of_a_part() => {
                self.failed((calls, By::Probe), began, &error, 1);
                let refuses = began.elapsed() >= timing::SLOW_PROBE_TIMEOUT
                    && self.state().is_unavailable(calls);
                self.refuses.of(calls).store(refuses, Ordering::Release);
            }
            Err(error) if error.is_neutral() => {}
            _ => self.succeeded(calls, By::Probe, Instant::now()),
        }
    }
}
