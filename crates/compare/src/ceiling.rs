//! Measures the driver's own limit, so that it is not taken for a service's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use url::Url;

use crate::drive::{Meter, Target, drive};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::pattern::Pattern;
use crate::report::Ceiling;
use crate::stop::Stop;
use crate::workload::{Rate, Workload};

/// Drives what [`no_op::serve`](crate::no_op::serve) serves at `address`, in another process,
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
    let url =
        Url::parse(&format!("http://{address}")).map_err(|error| Error::failed(address, error))?;
    let target = Target::find(Pattern::WriteThrough, &url, "no-op").await?;
    let ledger = Arc::new(Ledger::new());
    let meter = Arc::new(Meter::default());
    let before = processor_time();
    let driven = drive(&target, &workload, &ledger, &meter, stop).await?;
    let used = processor_time().saturating_sub(before);
    if let Some(error) = driven.errors.first() {
        return Err(Error::failed(
            "driving a handler that does nothing",
            &error.kind,
        ));
    }
    Ok(Ceiling {
        requests_per_second: driven.per_second(),
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use tokio::sync::watch;

    use super::*;
    use crate::no_op;

    #[tokio::test]
    async fn a_handler_that_does_nothing_is_driven_without_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || no_op::serve(listener).unwrap());
        let workload = Workload {
            connections: 4,
            reads: 0.4,
            deletes: 0.3,
            ..Workload::default()
        };
        let (_stop, stopped) = watch::channel(false);
        let ceiling = measure(address, &workload, Duration::from_secs(1), stopped)
            .await
            .unwrap();
        assert!(ceiling.requests_per_second > 0.0, "{ceiling:?}");
        assert!(ceiling.tool_cpu_us_per_request > 0.0, "{ceiling:?}");
    }
}
