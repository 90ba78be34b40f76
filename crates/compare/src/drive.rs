//! Sends a workload to a service, and sees what comes of it.
//!
//! With a rate this is an *open loop*: requests are due at times that do not depend on the
//! answers, and the latency of each is counted from when it was due. So a service that stalls for a
//! second shows all that would have been asked in that second as late, rather than the few
//! requests that were in flight (*coordinated omission*).

mod connection;
mod failure;
mod fill;
mod limits;
mod load;
mod message;
mod meter;
mod outcome;
mod pacer;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod totals;
mod worker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::stop::{Stop, told};
use crate::workload::Workload;

use connection::Connection;
use limits::Limits;
use load::Load;
use worker::Worker;

pub use fill::fill;
pub use limits::ANSWER_MAX;
pub use meter::{Meter, Reading};
pub use summary::{Driven, DrivenOperation, DrivenSlice, latency, percentiles};
pub use target::Target;

/// Requests that were never sent are looked at one by one up to so many, and beyond that in
/// so many groups.
const UNSENT_GROUPS_MAX: u64 = 100_000;

/// Sends the workload to the service. Each request is entered into the ledger right before it is
/// sent and right after its answer has come. At the end of the workload's duration nothing more is
/// sent, and what is in flight is waited for, no longer than [`ANSWER_MAX`]; when `stop`
/// becomes true, the same at once, and for at most a second.
///
/// # Errors
/// [`Error::Failed`] where not all connections to the service can be opened in the beginning.
/// Whatever fails later is part of the result.
pub async fn drive(
    target: &Target,
    workload: &Workload,
    ledger: &Arc<Ledger>,
    meter: &Arc<Meter>,
    stop: Stop,
) -> Result<Driven> {
    drive_from(target, workload, ledger, meter, stop, |_| {}).await
}

/// As [`drive`], and calls `begun` with the time at which all connections are open and the first
/// request is due.
///
/// # Errors
/// As [`drive`].
pub async fn drive_from(
    target: &Target,
    workload: &Workload,
    ledger: &Arc<Ledger>,
    meter: &Arc<Meter>,
    stop: Stop,
    begun: impl FnOnce(Instant),
) -> Result<Driven> {
    let limits = Limits::default();
    drive_within(limits, target, workload, ledger, meter, stop, begun).await
}

async fn drive_within(
    limits: Limits,
    target: &Target,
    workload: &Workload,
    ledger: &Arc<Ledger>,
    meter: &Arc<Meter>,
    mut stop: Stop,
    begun: impl FnOnce(Instant),
) -> Result<Driven> {
    // Before the time is taken, so that the first requests do not have to wait for that.
    let connections = open_all(target, workload.connections, limits).await?;
    let load = Arc::new(Load::begin(target, workload, ledger, meter, limits)?);
    let _ending = Ending(Arc::clone(&load));
    begun(load.began);
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(Worker::new(Arc::clone(&load), connection).run());
    }
    if let Some(schedule) = load.schedule {
        pacer::start(Arc::clone(&load), schedule)
            .map_err(|error| Error::failed("starting a thread", error))?;
    }

    let left = load.duration.saturating_sub(load.began.elapsed());
    let is_stopped = timeout(left, told(&mut stop)).await.is_ok();
    let sent_for = load.began.elapsed().min(load.duration);
    if !is_stopped {
        last_taken(&load).await;
    }
    load.end();
    finish(&load, workers, stop).await?;

    let due = match &load.schedule {
        Some(schedule) => schedule.due_before(sent_for),
        None => load.taken(),
    };
    let unsent = due.saturating_sub(load.taken());
    load.with_totals(|totals| {
        for group in unsent_groups(load.taken(), unsent) {
            let waited = load.schedule.map_or(Duration::ZERO, |schedule| {
                sent_for.saturating_sub(schedule.due_at(group.first))
            });
            let operation = load.requests.request(group.first).operation;
            totals.add_unsent(operation, waited, group.count);
        }
        let driven = Driven::new(totals, sent_for, due, unsent)?;
        Ok(match &load.schedule {
            Some(schedule) => driven.with_due(schedule, totals.slice_length),
            None => driven,
        })
    })
}

/// Ends a load on drop, also when the caller is cancelled.
struct Ending(Arc<Load>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// All of them, or why one cannot be opened: a workload with fewer would be another one.
async fn open_all(target: &Target, count: usize, limits: Limits) -> Result<Vec<Connection>> {
    let address = target.address;
    let open = async || match timeout(limits.answer, Connection::open(address)).await {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(elapsed) => Err(elapsed.to_string()),
    };
    try_join_all((0..count).map(|_| open()))
        .await
        .map_err(|why| {
            Error::failed(
                format_args!("opening {count} connections to {address}"),
                why,
            )
        })
}

/// Waits until connections that are free have taken what was due at the very end, which is not
/// to be called unsent.
async fn last_taken(load: &Load) {
    let Some(schedule) = &load.schedule else {
        return;
    };
    let due = schedule.due_before(load.duration);
    let until = Instant::now() + load.limits.last_taken;
    while load.taken() < due && Instant::now() < until {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits for what is in flight. When `stop` becomes true nothing more is sent, and what takes
/// too long then is given up.
async fn finish(load: &Load, mut workers: JoinSet<Result<()>>, mut stop: Stop) -> Result<()> {
    let all_ended = async {
        while let Some(ended) = workers.join_next().await {
            ended.map_err(|error| Error::failed("driving a connection", error))??;
        }
        Ok(())
    };
    let given_up = async {
        told(&mut stop).await;
        load.end();
        sleep(load.limits.stop).await;
        load.abandon();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = all_ended => result,
        () = given_up => Ok(()),
    }
}

/// Requests with numbers that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    first: u64,
    count: u64,
}

/// Cuts `count` requests from `first` on into at most [`UNSENT_GROUPS_MAX`].
fn unsent_groups(first: u64, count: u64) -> impl Iterator<Item = Group> {
    let size = count.div_ceil(UNSENT_GROUPS_MAX).max(1);
    (0..count.div_ceil(size)).map(move |group| Group {
        first: first + group * size,
        count: size.min(count - group * size),
    })
}
