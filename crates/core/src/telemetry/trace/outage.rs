//! Whether the collector takes what is exported: one line in the log when that ends, one when it begins
//! again.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Since when the collector takes nothing.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    /// Notes what came of an export. Says whether it is not as it was before.
    pub(super) fn note(&self, exported: Result<(), &str>) -> bool {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (exported, *since) {
            (Err(reason), None) => {
                *since = Some(Instant::now());
                tracing::warn!(
                    reason,
                    "the collector of traces is unavailable; traces are lost meanwhile, and requests go on"
                );
                true
            }
            (Ok(()), Some(began)) => {
                *since = None;
                let outage_s = began.elapsed().as_secs();
                tracing::info!(outage_s, "the collector of traces is available again");
                true
            }
            (Ok(()), None) | (Err(_), Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_said_at_its_beginning_and_its_end() {
        let outage = Outage::default();
        let said: Vec<bool> = [Ok(()), Err("a"), Err("b"), Ok(()), Ok(()), Err("a")]
            .map(|exported| outage.note(exported))
            .into();
        assert_eq!(said, [false, true, false, true, false, true]);
    }
}
