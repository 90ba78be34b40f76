//! How far a long adoption is, as lines in the log.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The longest time without a line in the log.
const INTERVAL: Duration = Duration::from_secs(2);

/// Logs how far an adoption is, if `migrate` runs it.
#[derive(Debug)]
pub(in crate::store) struct Progress {
    speaks: bool,
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Said {
    what: &'static str,
    tenths: u64,
    at: Instant,
}

impl Progress {
    pub(in crate::store) fn new(speaks: bool) -> Progress {
        let said = Said {
            what: "",
            tenths: 0,
            at: Instant::now(),
        };
        Progress {
            speaks,
            said: Mutex::new(said),
        }
    }

    pub(in crate::store) fn speaks(&self) -> bool {
        self.speaks
    }

    /// `done` of `all` rows: logged at each tenth, and every [`INTERVAL`].
    pub(in crate::store) fn rows(&self, what: &'static str, done: u64, all: u64) {
        let Ok(mut said) = self.said.lock() else {
            return;
        };
        let tenths = (done * 10).checked_div(all).unwrap_or_default();
        if (said.what, said.tenths) == (what, tenths) && said.at.elapsed() < INTERVAL {
            return;
        }
        let now = Instant::now();
        *said = Said {
            what,
            tenths,
            at: now,
        };
        if self.speaks {
            tracing::info!(done, all, "adopting the table users: rows {what}");
        }
    }

    /// Something that the database does by itself, and how far it is in its own words.
    pub(in crate::store) fn step(&self, what: &str) {
        if self.speaks {
            tracing::info!("adopting the table users: {what}");
        }
    }
}
