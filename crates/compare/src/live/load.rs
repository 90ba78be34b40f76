//! A workload that goes on for as long as the page is served.

use std::sync::Arc;
use std::time::Duration;

use super::shown::Shown;
use crate::drive::{Target, drive};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::run::unique_prefix;
use crate::say::say;
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
    services: &[Shown],
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
        let target = Target::at(service.pattern, service.address, &prefix).await?;
        let stop = stop.clone();
        tokio::spawn(async move {
            let ledger = Arc::new(Ledger::new());
            if let Err(error) = drive(&target, &workload, &ledger, stop, |_| {}).await {
                say(&format!("{}: {error}", target.pattern().name()));
            }
        });
    }
    Ok(())
}
