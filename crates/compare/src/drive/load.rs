//! What the connections of one load share.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Limits;
use super::message::Messages;
use super::target::Target;
use super::totals::Totals;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::request::{Operation, Request};
use crate::workload::{Rate, Requests, Schedule, Workload};

/// One load, from its first request to its end.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) target: Target,
    pub(super) messages: Messages,
    requests: Requests,
    /// So many, if they are not limited by the time alone.
    count: Option<u64>,
    /// `None` where each connection sends as fast as it is answered.
    pub(super) schedule: Option<Schedule>,
    pub(super) began: Instant,
    pub(super) duration: Duration,
    pub(super) limits: Limits,
    pub(super) ledger: Arc<Ledger>,
    totals: Mutex<Totals>,
    pub(super) lanes: Vec<Lane>,
    is_over: AtomicBool,
    is_abandoned: AtomicBool,
}

/// Requests that have connections of their own. With a rate, reads have some and changes have
/// others: a read must not wait in the tool behind writes that a service holds up.
#[derive(Debug)]
pub(super) struct Lane {
    kind: Kind,
    /// The number of the next request that may be of this lane and no connection has taken.
    next: Mutex<u64>,
    /// One permit for each request that is due and not taken. Closed when nothing more is to
    /// be sent.
    pub(super) due: Semaphore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Everything,
    Reads,
    Changes,
}

/// A request that a connection has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) request: Request,
    /// What its latency is counted from.
    pub(super) since: Instant,
}

impl Lane {
    fn new(kind: Kind) -> Lane {
        Lane {
            kind,
            next: Mutex::new(0),
            due: Semaphore::new(0),
        }
    }

    fn has(&self, operation: Operation) -> bool {
        match self.kind {
            Kind::Everything => true,
            Kind::Reads => operation == Operation::Read,
            Kind::Changes => operation != Operation::Read,
        }
    }

    /// Takes the next request of this lane.
    fn take(&self, requests: &Requests) -> Request {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let request = requests.request(*next);
            *next += 1;
            if self.has(request.operation) {
                return request;
            }
        }
    }

    pub(super) fn taken_until(&self) -> u64 {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Begins now.
    pub(super) fn begin(
        target: &Target,
        workload: &Workload,
        ledger: &Arc<Ledger>,
        limits: Limits,
    ) -> Result<Load> {
        let schedule = Schedule::of(workload);
        let (reads, changes) = (workload.reads > 0.0, workload.reads < 1.0);
        let kinds = match schedule {
            Some(_) if reads && changes => vec![Kind::Changes, Kind::Reads],
            _ => vec![Kind::Everything],
        };
        Ok(Load {
            target: target.clone(),
            messages: Messages::new(target, workload.value_chars)?,
            requests: Requests::new(workload)?,
            count: None,
            schedule,
            duration: workload.duration,
            limits,
            ledger: Arc::clone(ledger),
            totals: Mutex::new(Totals::new(workload.duration)?),
            lanes: kinds.into_iter().map(Lane::new).collect(),
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
            ..Load::begin(target, &workload, ledger, limits)?
        })
    }

    /// The requests of these numbers are due.
    pub(super) fn call(&self, numbers: std::ops::Range<u64>) {
        let mut called = vec![0; self.lanes.len()];
        for number in numbers {
            let operation = self.requests.request(number).operation;
            for (lane, called) in self.lanes.iter().zip(&mut called) {
                *called += usize::from(lane.has(operation));
            }
        }
        for (lane, called) in self.lanes.iter().zip(called) {
            lane.due.add_permits(called);
        }
    }

    /// Takes the next request of an open loop. The caller holds a permit for it.
    pub(super) fn take_due(&self, lane: &Lane, schedule: &Schedule) -> Taken {
        let request = lane.take(&self.requests);
        Taken {
            request,
            since: self.began + schedule.due_at(request.number),
        }
    }

    /// The next request where there is no rate; `None` when the time is over, or there is none
    /// any more.
    pub(super) fn take_next(&self, lane: &Lane) -> Option<Taken> {
        let now = Instant::now();
        if self.is_over() || now.duration_since(self.began) >= self.duration {
            return None;
        }
        let mut next = lane.next.lock().unwrap_or_else(PoisonError::into_inner);
        if self.count.is_some_and(|count| *next >= count) {
            return None;
        }
        let request = self.requests.request(*next);
        *next += 1;
        Some(Taken {
            request,
            since: now,
        })
    }

    /// Counts every request before `due` that no connection has taken, and returns how many these
    /// are. At most [`UNSENT_MAX`] are looked at, and each stands for as many as it must.
    pub(super) fn add_unsent(&self, due: u64, sent_for: Duration) -> u64 {
        const UNSENT_MAX: u64 = 1_000_000;
        let Some(schedule) = self.schedule else {
            return 0;
        };
        let mut unsent = 0;
        for lane in &self.lanes {
            let from = lane.taken_until();
            let stride = due.saturating_sub(from).div_ceil(UNSENT_MAX).max(1);
            for number in (from..due).step_by(usize::try_from(stride).unwrap_or(usize::MAX)) {
                let operation = self.requests.request(number).operation;
                if lane.has(operation) {
                    let count = stride.min(due - number);
                    let due_at = schedule.due_at(number);
                    let waited = sent_for.saturating_sub(due_at);
                    self.with_totals(|totals| totals.add_unsent(operation, due_at, waited, count));
                    unsent += count;
                }
            }
        }
        unsent
    }

    /// Whether every request before this number was taken.
    pub(super) fn has_taken_before(&self, due: u64) -> bool {
        let operation = |number| self.requests.request(number).operation;
        self.lanes.iter().all(|lane| {
            let mut left = lane.taken_until()..due;
            left.all(|number| !lane.has(operation(number)))
        })
    }

    /// From now on nothing more is sent.
    pub(super) fn end(&self) {
        self.is_over.store(true, Relaxed);
        for lane in &self.lanes {
            lane.due.close();
        }
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
