//! Whether the parts of a workload go together. What each may be alone, the command line checks.

use std::time::Duration;

use super::{Bursts, Rate, Workload};
use crate::error::{Error, Result};

/// Much shorter, and a burst is over before the system has let this tool run.
const BURST_PERIOD_MIN: Duration = Duration::from_millis(100);
const RATE_MAX: f64 = 1e6;

impl Workload {
    /// Whether it can be driven.
    ///
    /// # Errors
    /// [`Error::Usage`], which says which options are wrong and what would be right.
    pub fn validate(&self) -> Result<()> {
        let refused = |sentence: &str| Err(Error::Usage(sentence.to_owned()));
        // Shares such as 0.9 and 0.1 are not exactly that in binary.
        if self.reads + self.deletes > 1.0 + 1e-9 {
            return refused(
                "--reads and --deletes are together more than 1, which is all requests",
            );
        }
        if let Some(Bursts { factor, period, .. }) = self.bursts {
            let Rate::PerSecond(rate) = self.rate else {
                return refused("--burst multiplies a rate, and --saturate has none");
            };
            if rate * factor > RATE_MAX {
                return refused("--burst times --rate must be at most 1000000 a second");
            }
            if period < BURST_PERIOD_MIN || period > self.duration {
                return refused("--burst-period must be from 0.1 seconds to --duration");
            }
        }
        if let Some(fault) = &self.fault
            && (fault.from >= fault.until || fault.until > self.duration)
        {
            return refused(
                "--fault-from and --fault-until must be in this order and within --duration",
            );
        }
        Ok(())
    }
}
