//! Sends a workload to a service, and sees what comes of it.
//!
//! With a rate this is an *open loop*: requests are due at times that do not depend on the
//! answers, and the latency of each is counted from when it was due. So a service that stalls for a
//! second shows all that would have been asked in that second as late, rather than the few
//! requests that were in flight (*coordinated omission*).

mod connection;
mod failure;
mod fill;
mod load;
mod message;
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
use load::Load;
use worker::Worker;

pub use fill::fill;
pub use summary::Driven;
pub use target::Target;
pub use totals::IN_TIME;

/// How long an answer may take. A request without one by then has failed, and whether it has
/// an effect is unknown. After the end of a workload, what is in flight is waited for that long.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long a connection that has failed is left alone: twice as long each time, up to the
/// second.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// A test has others, so as not to wait for half a minute.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For one answer, from when the request was sent.
    answer: Duration,
    /// For all answers, when the load is stopped before its end.
    stop: Duration,
    /// After which a connection without a request is exchanged for another one. A service closes
    /// one some time or other (after five seconds, those that are compared), and a request that
    /// is sent at just that moment fails without having told anything.
    idle: Duration,
    /// How often all this is looked at.
    heartbeat: Duration,
    /// For the last requests that were due to be taken by the connections that are free.
    last_taken: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            answer: ANSWER_MAX,
            stop: Duration::from_secs(1),
            idle: Duration::from_secs(3),
            heartbeat: Duration::from_millis(200),
            last_taken: Duration::from_millis(10),
        }
    }
}

/// Sends the workload to the service. Each request is entered into the ledger right before it is
/// sent and right after its answer has come. At the end of the workload's duration nothing more is
/// sent, and what is in flight is waited for, no longer than half a minute; when `stop`
/// becomes true, the same at once, and for at most a second. `begun` is told when all connections
/// are open and the first request is due.
///
/// # Errors
/// [`Error::Failed`] where not all connections to the service can be opened in the beginning.
/// Whatever fails later is part of the result.
pub async fn drive(
    target: &Target,
    workload: &Workload,
    ledger: &Arc<Ledger>,
    stop: Stop,
    begun: impl FnOnce(Instant),
) -> Result<Driven> {
    drive_within(Limits::default(), target, workload, ledger, stop, begun).await
}

async fn drive_within(
    limits: Limits,
    target: &Target,
    workload: &Workload,
    ledger: &Arc<Ledger>,
    mut stop: Stop,
    begun: impl FnOnce(Instant),
) -> Result<Driven> {
    // Before the time is taken, so that the first requests do not have to wait for that.
    let lanes = Load::begin(target, workload, ledger, limits)?.lanes.len();
    let connections = open_all(target, workload.connections * lanes, limits).await?;
    let load = Arc::new(Load::begin(target, workload, ledger, limits)?);
    let _ending = Ending(Arc::clone(&load));
    begun(load.began);
    let workers = start_workers(&load, connections);
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
        None => load.lanes.iter().map(load::Lane::taken_until).sum(),
    };
    let unsent = load.add_unsent(due, sent_for);
    load.with_totals(|totals| Driven::new(totals, sent_for, due, unsent))
}

/// The connections take turns among the lanes.
fn start_workers(load: &Arc<Load>, connections: Vec<Connection>) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        let lane = index % load.lanes.len();
        workers.spawn(Worker::new(Arc::clone(load), lane, connection).run());
    }
    workers
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
    while !load.has_taken_before(due) && Instant::now() < until {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits for what is in flight. When `stop` becomes true nothing more is sent, and what takes
/// too long then is given up.
async fn finish(load: &Load, mut workers: JoinSet<()>, mut stop: Stop) -> Result<()> {
    let all_ended = async {
        while let Some(ended) = workers.join_next().await {
            ended.map_err(|error| Error::failed("driving a connection", error))?;
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
