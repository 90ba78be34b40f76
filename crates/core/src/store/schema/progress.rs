//! How far a long adoption or migration is, as lines in the log.

use crate::timing;
use std::sync::Mutex;
use std::time::Instant;

/// Logs how far work on the table is.
#[derive(Debug)]
pub(in crate::store) struct Progress {
    work: &'static str,
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
    /// Of an adoption, which speaks if `migrate` runs it.
    pub(in crate::store) fn of_adoption(speaks: bool) -> Progress {
        Progress::new("adopting the table users", speaks)
    }

    /// Of migrations. A large table takes them long at a start, too.
    pub(in crate::store) fn of_migrations() -> Progress {
        Progress::new("bringing the tables up to date", true)
    }

    fn new(work: &'static str, speaks: bool) -> Progress {
        let said = Said {
            what: "",
            tenths: 0,
            at: Instant::now(),
        };
        Progress {
            work,
            speaks,
            said: Mutex::new(said),
        }
    }

    pub(in crate::store) fn speaks(&self) -> bool {
        self.speaks
    }

    /// `done` of `all` rows: logged at each tenth, and every [`crate::timing::MIGRATION_LOG_INTERVAL`].
    pub(in crate::store) fn rows(&self, what: &'static str, done: u64, all: u64) {
        let Ok(mut said) = self.said.lock() else {
            return;
        };
        let tenths = (done * 10).checked_div(all).unwrap_or_default();
        if (said.what, said.tenths) == (what, tenths)
            && said.at.elapsed() < timing::MIGRATION_LOG_INTERVAL
        {
            return;
        }
        let now = Instant::now();
        *said = Said {
            what,
            tenths,
            at: now,
        };
        if self.speaks {
            tracing::info!(done, all, "{}: rows {what}", self.work);
        }
    }

    /// Something that the database does by itself, and how far it is in its own words.
    pub(in crate::store) fn step(&self, what: &str) {
        if self.speaks {
            tracing::info!("{}: {what}", self.work);
        }
    }
}
