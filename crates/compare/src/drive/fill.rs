//! What is there before a workload begins.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::limits::Limits;
use super::load::Load;
use super::meter::Meter;
use super::target::Target;
use super::worker::Worker;
use super::{Driven, finish, open_all};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::stop::Stop;
use crate::workload::Workload;

/// Writes each name of the workload once, by as many connections as that has and as fast as
/// they are answered, for at most `duration`: what is left then is not written.
///
/// # Errors
/// As [`drive`](super::drive).
pub async fn fill(
    target: &Target,
    workload: &Workload,
    duration: Duration,
    ledger: &Arc<Ledger>,
    meter: &Arc<Meter>,
    stop: Stop,
) -> Result<Driven> {
    let limits = Limits::default();
    let connections = open_all(target, workload.connections, limits).await?;
    let load = Load::begin_filling(target, workload, duration, ledger, meter, limits)?;
    let load = Arc::new(load);
    let _ending = super::Ending(Arc::clone(&load));
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(Worker::new(Arc::clone(&load), connection).run());
    }
    finish(&load, workers, stop).await?;
    let seconds = load.began.elapsed();
    let written = load.taken().min(workload.names.into());
    load.with_totals(|totals| Driven::new(totals, seconds, written, 0))
}
