//! The task that sends a process's heartbeats and decides how the process may use
//! the cache.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::bypass::protocol::{Member, Membership, Statement, View};
use crate::bypass::{AccessSettings, AccessState, Calls, Mode, Until};
use crate::cache::Cache;
use crate::error::{Error, Part, Result};
use crate::process::fault_point;
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

/// How many times a lease is renewed while it lasts.
const RENEWALS: u32 = 20;
/// For how many times its lease the others wait for a silent process. The speeds of two
/// machines' clocks differ by less than a tenth.
pub(super) const GRACE: f64 = 1.1;
/// The lease divided by this is the timeout of a probe of the cache.
const PROBE_PART: u32 = 4;

/// The latest heartbeat of a process.
#[derive(Clone, Copy, Debug)]
struct Heard {
    beats: u64,
    lease: Duration,
    /// When this process first read that heartbeat.
    since: Instant,
}

/// The one task that changes how this process may use the cache.
#[derive(Debug)]
pub(super) struct Heartbeats {
    membership: Arc<dyn Membership>,
    cache: Arc<dyn Cache>,
    settings: AccessSettings,
    state: watch::Sender<AccessState>,
    calls: Arc<Calls>,
    /// The latest heartbeat of each process, by its name.
    heard: HashMap<String, Heard>,
    /// Since when this process has left the cache because it could not reach it.
    left_at: Option<Instant>,
    used_since: Instant,
    back_off: Duration,
    /// The run of the cache's server at the last probe that succeeded.
    run: String,
    /// How many heartbeats this process has sent.
    beats: u64,
    /// Whether the last heartbeat failed, so that only the first failure is logged.
    failing: bool,
    /// Why the last probe of the cache failed, so that each reason is logged once.
    cause: Option<String>,
}

impl Heartbeats {
    pub(super) fn new(
        membership: Arc<dyn Membership>,
        cache: Arc<dyn Cache>,
        settings: AccessSettings,
        state: watch::Sender<AccessState>,
        calls: Arc<Calls>,
    ) -> Heartbeats {
        Heartbeats {
            membership,
            cache,
            settings,
            state,
            calls,
            heard: HashMap::new(),
            left_at: None,
            used_since: Instant::now(),
            back_off: timing::BYPASS_BACKOFF_MIN,
            run: String::new(),
            beats: 0,
            failing: false,
            cause: None,
        }
    }

    /// Sends the first heartbeat.
    pub(super) async fn begin(&mut self) -> Result<()> {
        telemetry::bypasses(false);
        if self.probe().await.is_err() {
            self.calls.cut_off.store(true, Ordering::Release);
        }
        self.step().await
    }

    /// Sends heartbeats until `Calls::stop` is set.
    pub(super) async fn run(mut self) {
        while !self.calls.stop.load(Ordering::Acquire) {
            let pause = if self.is_closing() && !self.failing {
                timing::EPOCH_CLOSING_INTERVAL
            } else {
                self.settings.lease / RENEWALS
            };
            let _ = tokio::time::timeout(pause, self.calls.look.notified()).await;
            self.look_after().await;
            self.come_back().await;
            match self.step().await {
                Ok(()) => self.failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        telemetry::failed("access", &error);
                        let what = "cannot ask the database whether the cache may be used";
                        repeated::failed(what, &error, 1);
                    }
                    self.state.send_modify(|state| state.problem = error);
                }
            }
        }
    }

    /// Whether other processes may still trust the cache that is being left.
    fn is_closing(&self) -> bool {
        let state = self.state.borrow();
        state.trusted.is_none() && !state.bypasses && !state.relied_upon
    }

    /// Probes a cache that did not answer a read, and leaves the cache if the probe fails.
    /// A restarted server also refuses the reads of processes that used it before. Where
    /// no writes come, only this probe leads to its use again.
    async fn look_after(&mut self) {
        let is_suspect = self.calls.suspect.swap(false, Ordering::AcqRel);
        let is_used = self.left_at.is_none() && !self.state.borrow().relied_upon;
        if is_suspect && is_used && self.probe().await.is_err() {
            self.calls.cut_off.store(true, Ordering::Release);
        }
    }

    /// Uses the cache again, if its back-off is over and it answers a probe.
    async fn come_back(&mut self) {
        let Some(left_at) = self.left_at else {
            return;
        };
        let is_due = left_at.elapsed() >= self.back_off && !self.is_closing();
        if is_due && self.probe().await.is_ok() {
            self.calls.cut_off.store(false, Ordering::Release);
        }
    }

    /// Asks the cache's server for its run. The probe's timeout is well below the lease, so
    /// the next heartbeat is sent before others count this process as silent.
    async fn probe(&mut self) -> Result<()> {
        let probe = self.cache.probe();
        let probed = tokio::time::timeout(self.settings.lease / PROBE_PART, probe).await;
        let none = || Error::unavailable(Part::Cache, "it does not answer");
        match probed.unwrap_or_else(|_| Err(none())) {
            Ok(run) => {
                self.run = run;
                self.cause = None;
                Ok(())
            }
            Err(error) => {
                let cause = error.to_string();
                if self.cause.as_ref() != Some(&cause) {
                    repeated::failed("the cache does not answer", &error, 1);
                    self.cause = Some(cause);
                }
                Err(error)
            }
        }
    }

    async fn step(&mut self) -> Result<()> {
        let cut_off = self.calls.cut_off.load(Ordering::Acquire);
        self.note(cut_off);
        if cut_off {
            self.state
                .send_if_modified(|state| !state.relied_upon && state.trusted.take().is_some());
        }
        self.beats += 1;
        // IMPORTANT: `said_at` and `trusts` are read before the heartbeat is sent. The
        // database may get the heartbeat much later. What others conclude from it must
        // still hold then.
        let said_at = Instant::now();
        let trusts = matches!(self.state.borrow().mode(), Mode::Trusts(_));
        let statement = Statement {
            process: self.settings.process.clone(),
            beats: self.beats,
            cut_off,
            run: self.run.clone(),
            trusts,
            lease_ms: self.settings.lease.as_millis() as u64,
            silent: self.silent(),
        };
        let view = self.membership.hear(&statement).await?;
        if view.bypassed {
            fault_point::point("bypass.begun").await;
        }
        self.listen(&view);
        self.publish(&view, cut_off, said_at);
        let is_elsewhere = !view.bypassed && !view.relied_upon() && self.run != view.run;
        if is_elsewhere && !cut_off && (self.probe().await.is_err() || self.run != view.run) {
            // This process reaches another server than the others, or a restarted one.
            self.calls.cut_off.store(true, Ordering::Release);
            self.calls.look.notify_one();
        }
        Ok(())
    }

    /// Notes when the cache is left and when it is used again. The next back-off is
    /// computed from that.
    fn note(&mut self, cut_off: bool) {
        match (cut_off, self.left_at) {
            (true, None) => {
                self.back_off = match self.used_since.elapsed() < timing::BYPASS_BACKOFF_LIFETIME {
                    true => (self.back_off * 2).min(timing::BYPASS_BACKOFF_MAX),
                    false => timing::BYPASS_BACKOFF_MIN,
                };
                self.left_at = Some(Instant::now());
                tracing::debug!("the cache is left");
            }
            (false, Some(left_at)) => {
                self.left_at = None;
                self.used_since = Instant::now();
                let outage_ms = left_at.elapsed().as_millis() as u64;
                tracing::debug!(outage_ms, "the cache answers again");
            }
            _ => {}
        }
    }

    /// Notes the latest heartbeat of each process.
    fn listen(&mut self, view: &View) {
        let now = Instant::now();
        let before = std::mem::take(&mut self.heard);
        for member in view.members.iter().filter(|member| !member.for_good) {
            let before = before.get(&member.process);
            let before = before.filter(|heard| heard.beats == member.beats);
            let heard = Heard {
                beats: member.beats,
                lease: Duration::from_millis(member.lease_ms),
                since: before.map_or(now, |heard| heard.since),
            };
            self.heard.insert(member.process.clone(), heard);
        }
    }

    /// Returns the processes whose leases have run out. This process measures a lease by
    /// its own clock, from when it first read the heartbeat. That is later than when the
    /// heartbeat was sent.
    fn silent(&self) -> Vec<(String, u64)> {
        let others = self.heard.iter();
        let others = others.filter(|(process, _)| **process != self.settings.process);
        others
            .filter(|(_, heard)| heard.since.elapsed() > heard.lease.mul_f64(GRACE))
            .map(|(process, heard)| (process.clone(), heard.beats))
            .collect()
    }

    fn publish(&self, view: &View, cut_off: bool, said_at: Instant) {
        let trusts = |member: &Member| member.trusts;
        let is_granted = |member: &Member| {
            member.process == self.settings.process && member.beats == self.beats && member.trusts
        };
        let relied_upon = view.relied_upon();
        let until = said_at + self.settings.lease;
        let trusted = match !view.bypassed && !cut_off && view.members.iter().any(is_granted) {
            _ if relied_upon => Some(Until::ForEver),
            true => Some(Until::Then(until)),
            false => None,
        };
        // IMPORTANT: the cache enters the epoch before any reader or writer of this
        // process sees that the cache may be used.
        match trusted {
            Some(Until::Then(_)) => self.cache.enter_epoch(view.epoch, Some(&view.run)),
            _ => self.cache.enter_epoch(view.epoch, None),
        }
        let bypasses = view.bypassed && !view.members.iter().any(trusts);
        debug_assert!(
            trusted.is_none() || !bypasses,
            "no process trusts the cache while any bypasses it"
        );
        let before = self.state.borrow().bypasses;
        if bypasses != before {
            telemetry::bypasses(bypasses);
            match bypasses {
                true => tracing::info!(epoch = %view.epoch, "bypassing the cache"),
                false => tracing::info!(epoch = %view.epoch, "using the cache again"),
            }
        }
        let problem = if cut_off || view.bypassed {
            Error::unavailable(Part::Cache, "it is being left")
        } else {
            Error::unavailable(Part::Database, "it has not said that the cache may be used")
        };
        self.state.send_modify(|state| {
            *state = AccessState {
                epoch: view.epoch,
                trusted,
                bypasses,
                relied_upon,
                heard_until: until,
                problem,
            };
        });
    }
}
