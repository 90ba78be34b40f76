//! What is there before a workload begins.

use std::sync::Arc;
use std::time::Duration;

use super::load::{Lane, Load};
use super::target::Target;
use super::{Driven, Limits, finish, open_all, start_workers};
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
    stop: Stop,
) -> Result<Driven> {
    let limits = Limits::default();
    let connections = open_all(target, workload.connections, limits).await?;
    let load = Load::begin_filling(target, workload, duration, ledger, limits)?;
    let load = Arc::new(load);
    let _ending = super::Ending(Arc::clone(&load));
    finish(&load, start_workers(&load, connections), stop).await?;
    let seconds = load.began.elapsed();
    let taken: u64 = load.lanes.iter().map(Lane::taken_until).sum();
    load.with_totals(|totals| Driven::new(totals, seconds, taken, 0))
}
