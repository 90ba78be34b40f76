//! Measures the driver's own limit, so that it is not taken for a service's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::drive::{Target, drive};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::pattern::Pattern;
use crate::report::Ceiling;
use crate::stop::Stop;
use crate::workload::{Rate, Workload};

/// Drives what [`own_service`](crate::own_service)'s handler that does nothing serves at `address`, in another process,
/// for so long: with the workload's connections and its mix of requests, as fast as it goes.
///
/// # Errors
/// Where it cannot be reached, or does not answer everything as it should.
pub async fn measure(
    address: SocketAddr,
    workload: &Workload,
    duration: Duration,
    stop: Stop,
) -> Result<Ceiling> {
    let workload = Workload {
        preset: None,
        duration,
        rate: Rate::Saturation,
        bursts: None,
        fault: None,
        ..workload.clone()
    };
    let target = Target::at(Pattern::WriteThrough, address, "no-op").await?;
    let ledger = Arc::new(Ledger::new());
    let before = processor_time();
    let driven = drive(&target, &workload, &ledger, stop, |_| {}).await?;
    let used = processor_time().saturating_sub(before);
    if let Some(error) = driven.errors.first() {
        return Err(Error::failed(
            "driving a handler that does nothing",
            &error.kind,
        ));
    }
    Ok(Ceiling {
        requests_per_second: driven.succeeded() as f64 / driven.seconds,
        tool_cpu_us_per_request: used.as_secs_f64() * 1e6 / driven.succeeded().max(1) as f64,
    })
}

/// What this process has used until now, user and system.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}
