//! Takes requests and carries them out, one after the other, on one connection.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::TryAcquireError;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::BACK_OFF;
use super::connection::{Connection, NoReply};
use super::failure::Failure;
use super::load::{Lane, Load, Taken};
use super::outcome::RequestOutcome;
use super::totals::Sample;
use crate::request::Request;
use crate::workload::Schedule;

/// Samples that are brought to the totals together.
const BATCH: usize = 256;

/// How often a request is sent again of which certainly nothing was sent, since the service
/// had just closed the connection.
const ATTEMPTS: usize = 2;

#[derive(Debug)]
pub(super) struct Worker {
    load: Arc<Load>,
    /// The index of its lane.
    lane: usize,
    connection: Option<Connection>,
    heartbeat: Interval,
    back_off: Option<Duration>,
    batch: Vec<Sample>,
}

impl Worker {
    pub(super) fn new(load: Arc<Load>, lane: usize, connection: Connection) -> Worker {
        let mut heartbeat = interval(load.limits.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Worker {
            load,
            lane,
            connection: Some(connection),
            heartbeat,
            back_off: None,
            batch: Vec::with_capacity(BATCH),
        }
    }

    /// Works until the load is over.
    pub(super) async fn run(mut self) {
        while let Some(taken) = self.take().await {
            self.carry_out(taken).await;
        }
        self.flush();
    }

    async fn take(&mut self) -> Option<Taken> {
        if let Some(pause) = self.back_off {
            tokio::time::sleep(pause).await;
        }
        let load = Arc::clone(&self.load);
        let lane = load.lanes.get(self.lane)?;
        match load.schedule {
            None => load.take_next(lane),
            Some(schedule) => self.take_due(&load, lane, &schedule).await,
        }
    }

    /// Waits until a request is due, and meanwhile keeps the connection fresh, so that no
    /// request has to wait for a new one.
    async fn take_due(&mut self, load: &Load, lane: &Lane, schedule: &Schedule) -> Option<Taken> {
        loop {
            match lane.due.try_acquire() {
                Ok(permit) => {
                    permit.forget();
                    return Some(load.take_due(lane, schedule));
                }
                Err(TryAcquireError::Closed) => return None,
                Err(TryAcquireError::NoPermits) => {}
            }
            let renew = tokio::select! {
                biased;
                permit = lane.due.acquire() => {
                    permit.ok()?.forget();
                    return Some(load.take_due(lane, schedule));
                }
                // Exchanged with the next heartbeat and not at once, so that this does not go
                // in circles with a service that closes every connection.
                () = closed(&mut self.connection) => {
                    self.connection = None;
                    false
                }
                _ = self.heartbeat.tick() => {
                    let stale = |connection: &Connection| {
                        connection.idle_since.elapsed() > load.limits.idle
                    };
                    self.connection.as_ref().is_none_or(stale)
                }
            };
            if renew {
                // Where that fails, the next request will say why.
                self.connection = self.open().await.ok();
            }
        }
    }

    async fn carry_out(&mut self, taken: Taken) {
        let request = taken.request;
        let (outcome, ended) = self.answer(request).await;
        self.batch.push(Sample {
            operation: request.operation,
            failure: outcome.failure,
            source: outcome.source,
            due: taken.since.saturating_duration_since(self.load.began),
            latency: ended.saturating_duration_since(taken.since),
        });
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    /// What came of a request, and when.
    async fn answer(&mut self, request: Request) -> (RequestOutcome, Instant) {
        let mut open = None;
        let mut outcome = RequestOutcome::refused(Failure::Closed);
        for _ in 0..ATTEMPTS {
            if self.connection.is_none() {
                match self.open().await {
                    Ok(connection) => self.connection = Some(connection),
                    Err(failure) => {
                        outcome = RequestOutcome::refused(failure);
                        break;
                    }
                }
            }
            let message = self.load.messages.of(request);
            open.get_or_insert_with(|| self.load.ledger.begin(request));
            let Some(connection) = &mut self.connection else {
                break;
            };
            let exchange = connection.send(message);
            let reply = within_limit(&self.load, &mut self.heartbeat, exchange).await;
            if !matches!(reply, Ok(Ok(_))) || !connection.is_open() {
                self.connection = None;
            }
            match reply {
                Ok(Ok(reply)) => {
                    outcome = RequestOutcome::of(request.operation, &reply);
                    break;
                }
                Ok(Err(NoReply::NotSent)) => {}
                Ok(Err(NoReply::Broken(failure))) | Err(failure) => {
                    outcome = RequestOutcome::unknown(failure);
                    break;
                }
            }
        }
        let ended = Instant::now();
        let open = open.unwrap_or_else(|| self.load.ledger.begin(request));
        self.load.ledger.end(open, outcome.answer);
        let is_broken = outcome.failure.is_some() && self.connection.is_none();
        self.back_off = is_broken.then(|| longer(self.back_off));
        (outcome, ended)
    }

    async fn open(&mut self) -> std::result::Result<Connection, Failure> {
        let opening = Connection::open(self.load.target.address);
        within_limit(&self.load, &mut self.heartbeat, opening)
            .await?
            .map_err(|error| Failure::Connection(error.kind()))
    }

    fn flush(&mut self) {
        self.load.with_totals(|totals| totals.add(&self.batch));
        self.batch.clear();
    }
}

fn longer(back_off: Option<Duration>) -> Duration {
    let (first, longest) = BACK_OFF;
    back_off.map_or(first, |last| (last * 2).min(longest))
}

/// Waits until the service closes the connection; without one, for ever.
async fn closed(connection: &mut Option<Connection>) {
    match connection {
        Some(connection) => connection.closed().await,
        None => std::future::pending().await,
    }
}

/// What `work` results in, or why it was no longer waited for. Looked at with each heartbeat of
/// the connection, which costs less than a timer for each request.
async fn within_limit<F: Future>(
    load: &Load,
    heartbeat: &mut Interval,
    work: F,
) -> std::result::Result<F::Output, Failure> {
    let began = Instant::now();
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            output = &mut work => return Ok(output),
            _ = heartbeat.tick() => {
                if load.is_abandoned() {
                    return Err(Failure::Stopped);
                }
                if began.elapsed() >= load.limits.answer {
                    return Err(Failure::NoAnswer(load.limits.answer.as_secs()));
                }
            }
        }
    }
}
