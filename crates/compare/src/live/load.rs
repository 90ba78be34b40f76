//! A workload that goes on for as long as the page is served.

use std::sync::Arc;
use std::time::Duration;

use crate::drive::{Meter, Target, drive};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::run::unique_prefix;
use crate::say::say;
use crate::site::RunningService;
use crate::stop::Stop;
use crate::workload::Workload;

/// As long as a workload can be.
const DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends the workload to all services at the same time, until `stop`. It disturbs no
/// database: the page has a button for that.
///
/// # Errors
/// When a service cannot be reached.
pub(super) async fn send_to_all(
    services: &[RunningService],
    workload: &Workload,
    stop: &Stop,
) -> Result<()> {
    let prefix = unique_prefix();
    for service in services {
        let workload = Workload {
            duration: DURATION,
            fault: None,
            ..workload.clone()
        };
        let target = Target::find(service.pattern(), service.url(), &prefix).await?;
        let stop = stop.clone();
        tokio::spawn(async move {
            let (ledger, meter) = (Arc::new(Ledger::new()), Arc::new(Meter::default()));
            if let Err(error) = drive(&target, &workload, &ledger, &meter, stop).await {
                say(&format!("{}: {error}", target.pattern().name()));
            }
        });
    }
    Ok(())
}
