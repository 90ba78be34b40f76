//! Looking once a second whether the journal's files are at their paths. A service without writes would
//! not notice otherwise, and `/readyz` has to show it.

use std::sync::{Arc, Mutex};

use crate::journal::file::letters::Letters;
use crate::journal::file::lock;
use crate::journal::file::log::Log;
use crate::timing;

/// Starts looking. Ends with the journal.
pub(super) fn start(log: &Arc<Log>, dead: &Arc<Mutex<Letters>>) {
    let (log, dead) = (Arc::downgrade(log), Arc::downgrade(dead));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(timing::FILE_JOURNAL_INTERVAL).await;
            let (Some(log), Some(dead)) = (log.upgrade(), dead.upgrade()) else {
                return;
            };
            let looked = tokio::task::spawn_blocking(move || look(&log, &dead)).await;
            if looked.is_err() {
                tracing::error!("looking at the journal's files panicked");
            }
        }
    });
}

fn look(log: &Log, dead: &Mutex<Letters>) {
    log.look();
    // A load balancer sends no write, which would probe, to a service that is not ready.
    log.probe();
    if log.surroundings().problem().is_none()
        && let Err(error) = lock(dead).mend()
    {
        tracing::warn!(%error, "the folder of the dead letters was removed and cannot be made");
    }
}
