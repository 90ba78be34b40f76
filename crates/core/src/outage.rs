//! Finds out from a part's calls and a probe whether the part is unavailable, and reports that to
//! operators.
//!
//! There is one [`Outage`] a part. The wrappers of this module note in it how each call of the part
//! ended, by its kind. A probe asks the part for both kinds while nothing else does, and more often while
//! something fails. From both follow `/readyz`, three kinds of lines in the log (unavailable, still unavailable, available again),
//! and which calls are refused at once. See `docs/design/outages.md`.

pub mod admission;
pub mod back_off;
mod calls;
pub mod health;
mod outages;
pub(crate) mod prober;
mod state;
pub(crate) mod words;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::model::shard::ShardStats;
use crate::outage::back_off::Recovery;
use crate::outage::health::PartHealth;
use crate::telemetry::repeated;
use crate::timing;

use calls::Each;
use state::{By, Event, State};

pub use calls::Calls;
pub use outages::{Outages, PartState};
pub use prober::Probe;

/// What clients of a service notice while a part is unavailable.
#[derive(Clone, Copy, Debug)]
pub struct Consequences {
    /// While it does not answer at all.
    pub reads: &'static str,
    /// While it only takes no writes.
    pub writes: &'static str,
}

/// What the probe has done.
#[derive(Clone, Debug, Default)]
struct Probed {
    begun: u64,
    ended: u64,
    /// What the part said of itself last.
    health: Option<PartHealth>,
}

/// What waits until a part is available again.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync + 'static {
    /// By shard.
    ///
    /// # Errors
    /// When that is not known now.
    async fn stats(&self) -> Result<Vec<ShardStats>>;

    /// How many entries wait, as far as the process has heard.
    fn depth(&self) -> u64;
}

/// The state of one part.
#[derive(Debug)]
pub struct Outage {
    part: Part,
    consequences: Consequences,
    began: Instant,
    /// Calls that have not ended.
    in_flight: AtomicU64,
    /// When a call of each kind last succeeded, in microseconds after `began`.
    answered_us: Each<AtomicU64>,
    /// Whether anything has failed since the last success of its kind.
    is_failing: AtomicBool,
    /// Whether calls of each kind are refused at once.
    refuses: Each<AtomicBool>,
    state: Mutex<State>,
    wake: Notify,
    probed: watch::Sender<Probed>,
    /// What waits for the part.
    queue: OnceLock<Arc<dyn Queue>>,
    /// What ends the back-offs of callers.
    recoveries: Mutex<Vec<Recovery>>,
}

impl Outage {
    /// The state of a part that is there.
    pub fn new(part: Part, consequences: Consequences) -> Arc<Outage> {
        Arc::new(Outage {
            part,
            consequences,
            began: Instant::now(),
            in_flight: AtomicU64::new(0),
            answered_us: Each::default(),
            is_failing: AtomicBool::new(false),
            refuses: Each::default(),
            state: Mutex::default(),
            wake: Notify::new(),
            probed: watch::Sender::default(),
            queue: OnceLock::new(),
            recoveries: Mutex::default(),
        })
    }

    /// Has the lines of an outage tell how much waits in `queue`.
    pub fn is_waited_for_in(&self, queue: Arc<dyn Queue>) {
        let _ = self.queue.set(queue);
    }

    /// Has the part probed now.
    pub(crate) fn probe_now(&self) {
        self.wake.notify_one();
    }

    /// Has `recovery` announced whenever failed calls are over.
    pub fn on_recovery(&self, recovery: &Recovery) {
        self.recoveries().push(recovery.clone());
    }

    fn recoveries(&self) -> MutexGuard<'_, Vec<Recovery>> {
        self.recoveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether such a call may be made.
    ///
    /// # Errors
    /// [`Error::NotWritten`] and [`Error::Unavailable`] while the part is known to leave such calls
    /// waiting.
    pub fn admits(&self, calls: Calls) -> Result<()> {
        if !self.refuses.of(calls).load(Ordering::Acquire) {
            return Ok(());
        }
        self.state().refused(1);
        let reason = "it is known to be unavailable";
        Err(match calls {
            Calls::Reads => Error::unavailable(self.part, reason),
            Calls::Writes => Error::not_written(self.part, reason),
        })
    }

    /// Counts a call as one in flight until the returned value is dropped.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    /// Runs a call, and notes how it ended.
    pub(crate) async fn note<T>(
        &self,
        calls: Calls,
        count: usize,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let began = Instant::now();
        let _in_flight = self.begin();
        let outcome = call.await;
        match &outcome {
            Err(error) if error.is_of_a_part() => self.call_failed(calls, began, error, count),
            Err(error) if error.is_neutral() => {}
            _ => self.call_succeeded(calls),
        }
        outcome
    }

    pub(crate) fn call_failed(&self, calls: Calls, began: Instant, error: &Error, count: usize) {
        let is_first = !self.is_failing.load(Ordering::Acquire);
        self.failed((calls, By::Call), began, error, count as u64);
        if is_first {
            self.wake.notify_one();
        }
    }

    pub(crate) fn call_succeeded(&self, calls: Calls) {
        let now = Instant::now();
        let after_us = (now - self.began).as_micros() as u64;
        self.answered_us
            .of(calls)
            .store(after_us, Ordering::Release);
        if self.is_failing.load(Ordering::Acquire) {
            self.succeeded(calls, By::Call, now);
        }
    }

    fn failed(&self, what: (Calls, By), began: Instant, error: &Error, count: u64) {
        let answered_us = self.answered_us.of(what.0).load(Ordering::Acquire);
        // What succeeded meanwhile says that it was there.
        let began = began.max(self.began + Duration::from_micros(answered_us));
        let mut state = self.state();
        let now = Instant::now().max(began);
        let event = state.failed(what, (began, now), error, count);
        self.is_failing.store(true, Ordering::Release);
        self.tell(event);
    }

    fn succeeded(&self, calls: Calls, by: By, now: Instant) {
        let mut state = self.state();
        let event = state.succeeded(calls, by, now);
        self.is_failing.store(state.is_failing(), Ordering::Release);
        self.refuses.of(calls).store(false, Ordering::Release);
        let is_over = event.is_some();
        self.tell(event);
        drop(state);
        if is_over {
            self.recoveries().iter().for_each(Recovery::announce);
        }
    }

    /// Logs once that the part is unavailable, and once that it is back. Called under the lock, so that
    /// the lines are in order.
    fn tell(&self, event: Option<Event>) {
        let part = self.part;
        match event {
            None => {}
            Some(Event::Down(down)) => tracing::warn!(
                part = part.as_str(),
                calls = down.calls.as_str(),
                reason = down.reason,
                "the {part} is unavailable: {}",
                self.consequence(down.calls)
            ),
            Some(Event::Back(down)) => tracing::info!(
                part = part.as_str(),
                outage_ms = down.since.elapsed().as_millis() as u64,
                failed_calls = down.failed_calls,
                "the {part} is back"
            ),
            Some(Event::Passed(calls, reason)) => {
                let what = match part {
                    Part::Cache => "calls of the cache failed, and later ones succeeded",
                    Part::Journal => "calls of the journal failed, and later ones succeeded",
                    Part::Database => "calls of the database failed, and later ones succeeded",
                };
                repeated::warning(what, &reason, calls);
            }
        }
    }

    fn consequence(&self, calls: Calls) -> &'static str {
        match calls {
            Calls::Reads => self.consequences.reads,
            Calls::Writes => self.consequences.writes,
        }
    }

    /// One line of an outage that goes on.
    async fn summarize(&self) {
        let Some(down) = self.state().down().cloned() else {
            return;
        };
        let (waiting, oldest_age_s) = self.waiting().await;
        let part = self.part;
        tracing::warn!(
            part = part.as_str(),
            calls = down.calls.as_str(),
            away_s = down.since.elapsed().as_secs(),
            failed_calls = down.failed_calls,
            waiting,
            oldest_age_s,
            "the {part} is still unavailable: {}",
            self.consequence(down.calls)
        );
    }

    /// How many entries wait, and the age of the oldest, where that is known.
    async fn waiting(&self) -> (Option<u64>, Option<u64>) {
        let Some(queue) = self.queue.get() else {
            return (None, None);
        };
        match tokio::time::timeout(timing::SLOW_PROBE_TIMEOUT, queue.stats()).await {
            Ok(Ok(shards)) => {
                let depth = shards.iter().map(|shard| shard.depth).sum();
                let oldest_us = shards.iter().map(|shard| shard.oldest_age_us).max();
                (Some(depth), oldest_us.map(|age| age / 1_000_000))
            }
            _ => (Some(queue.depth()), None),
        }
    }

    /// Returns the part's last answer to a probe, once a probe that begins now has ended. Returns at once
    /// where the part is known to leave its callers waiting. A part that has just begun to fail is probed
    /// until it is unavailable or back.
    pub(crate) async fn looked_at(&self) -> Option<PartHealth> {
        let look = async {
            loop {
                let was_down = self.is_down();
                if was_down && self.refuses_any() {
                    return;
                }
                let ended = self.next_probe(was_down);
                match was_down {
                    // A probe that takes longer is answered by what is known.
                    true => drop(tokio::time::timeout(timing::SLOW_PROBE_TIMEOUT, ended).await),
                    false => ended.await,
                }
                if was_down || self.is_down() || !self.is_failing.load(Ordering::Acquire) {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(timing::PROBED_HEALTH_TIMEOUT, look).await;
        self.probed.borrow().health.clone()
    }

    /// Waits for the end of a probe that has not begun yet, or until the part is found to be unavailable.
    async fn next_probe(&self, was_down: bool) {
        let mut probed = self.probed.subscribe();
        let wanted = probed.borrow().begun + 1;
        self.wake.notify_one();
        let is_over = |probed: &Probed| probed.ended >= wanted || (!was_down && self.is_down());
        let _ = probed.wait_for(is_over).await;
    }

    fn refuses_any(&self) -> bool {
        let refuses = |calls: Calls| self.refuses.of(calls).load(Ordering::Acquire);
        Calls::ALL.into_iter().any(refuses)
    }

    /// For how long such calls have failed; where none of them has, the others.
    pub fn failing_for(&self, calls: Calls) -> Option<Duration> {
        let since = self.state().failing_since(calls)?;
        Some(since.elapsed())
    }

    /// How the part is now, as far as is known without asking it.
    fn now(&self) -> PartState {
        let state = self.state();
        let down = state.down();
        let calls = state.calls_unavailable();
        PartState {
            part: self.part,
            up: down.is_none(),
            since: down.map_or(state.up_since(), |down| down.at),
            problem: down.and_then(|_| state.problem(calls)),
            consequence: down.map(|_| self.consequence(calls)),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }

    fn is_down(&self) -> bool {
        self.state().down().is_some()
    }

    pub(crate) fn told_of(&self, mut health: PartHealth) -> PartHealth {
        let now = self.now();
        if !now.up {
            health.up = false;
            health.problem = health.problem.or(now.problem);
            health.since = Some(in_words(now.since));
            health.consequence = now.consequence.map(Cow::Borrowed);
        }
        health
    }
}

/// A call that has not ended.
pub(crate) struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Milliseconds are enough for an operator.
fn in_words(at: SystemTime) -> String {
    let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH);
    let at_ms = since_1970.unwrap_or_default().as_millis() as i64;
    let at = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
