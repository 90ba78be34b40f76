//! What the connections of one load share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::limits::Limits;
use super::message::Messages;
use super::meter::Meter;
use super::target::Target;
use super::totals::Totals;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::workload::{Rate, Requests, Schedule, Workload};

/// One load, from its first request to its end.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) target: Target,
    pub(super) messages: Messages,
    pub(super) requests: Requests,
    /// So many, if they are not limited by the time alone.
    count: Option<u64>,
    /// `None` where each connection sends as fast as it is answered.
    pub(super) schedule: Option<Schedule>,
    pub(super) began: Instant,
    pub(super) duration: Duration,
    pub(super) limits: Limits,
    pub(super) ledger: Arc<Ledger>,
    pub(super) meter: Arc<Meter>,
    totals: Mutex<Totals>,
    /// The number of the next request that no connection has taken.
    next: AtomicU64,
    /// One permit for each request that is due and not taken. Closed when nothing more is to
    /// be sent.
    pub(super) due: Semaphore,
    is_over: AtomicBool,
    is_abandoned: AtomicBool,
}

/// A request that a connection has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) number: u64,
    /// What its latency is counted from.
    pub(super) since: Instant,
}

impl Load {
    /// Begins now.
    pub(super) fn begin(
        target: &Target,
        workload: &Workload,
        ledger: &Arc<Ledger>,
        meter: &Arc<Meter>,
        limits: Limits,
    ) -> Result<Load> {
        Ok(Load {
            target: target.clone(),
            messages: Messages::new(target, workload.value_chars)?,
            requests: Requests::new(workload)?,
            count: None,
            schedule: Schedule::of(workload),
            duration: workload.duration,
            limits,
            ledger: Arc::clone(ledger),
            meter: Arc::clone(meter),
            totals: Mutex::new(Totals::new(workload.duration, limits.answer)?),
            next: AtomicU64::new(0),
            due: Semaphore::new(0),
            is_over: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            began: Instant::now(),
        })
    }

    /// Begins now to write each name once, for at most `duration`.
    pub(super) fn begin_filling(
        target: &Target,
        workload: &Workload,
        duration: Duration,
        ledger: &Arc<Ledger>,
        meter: &Arc<Meter>,
        limits: Limits,
    ) -> Result<Load> {
        let workload = Workload {
            rate: Rate::Saturation,
            bursts: None,
            duration,
            ..workload.clone()
        };
        Ok(Load {
            requests: Requests::filling(),
            count: Some(workload.names.into()),
            ..Load::begin(target, &workload, ledger, meter, limits)?
        })
    }

    /// So many more requests are due.
    pub(super) fn call(&self, requests: u64) {
        if requests > 0 {
            self.meter.add_due(requests);
            self.due
                .add_permits(usize::try_from(requests).unwrap_or(Semaphore::MAX_PERMITS));
        }
    }

    /// Takes the next request of an open loop. The caller holds a permit for it.
    pub(super) fn take_due(&self, schedule: &Schedule) -> Taken {
        let number = self.next.fetch_add(1, Relaxed);
        Taken {
            number,
            since: self.began + schedule.due_at(number),
        }
    }

    /// The next request where there is no rate; `None` when the time is over, or there is none
    /// any more.
    pub(super) fn take_next(&self) -> Option<Taken> {
        let now = Instant::now();
        if self.is_over() || now.duration_since(self.began) >= self.duration {
            return None;
        }
        let number = self.next.fetch_add(1, Relaxed);
        if self.count.is_some_and(|count| number >= count) {
            return None;
        }
        self.meter.add_due(1);
        Some(Taken { number, since: now })
    }

    /// How many were taken.
    pub(super) fn taken(&self) -> u64 {
        self.next.load(Relaxed)
    }

    /// From now on nothing more is sent.
    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
        self.due.close();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// From now on no answer is waited for.
    pub(super) fn abandon(&self) {
        self.is_abandoned.store(true, Relaxed);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Relaxed)
    }

    pub(super) fn with_totals<R>(&self, change: impl FnOnce(&mut Totals) -> R) -> R {
        change(&mut self.totals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
