//! The states of all parts of a process, for the metrics, the dashboard and `Retry-After`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Part;
use crate::telemetry;

use super::{Calls, Outage};

/// How a part is now.
#[derive(Clone, Debug)]
pub struct PartState {
    /// Which.
    pub part: Part,
    /// Whether it is available, for reads and for writes.
    pub up: bool,
    /// Since when it is, or is not.
    pub since: SystemTime,
    /// What is wrong while it is not, in words for clients.
    pub problem: Option<Cow<'static, str>>,
    /// What follows for clients meanwhile.
    pub consequence: Option<&'static str>,
    /// Calls that have not ended.
    pub in_flight: u64,
}

/// The outages of a process's parts. Clones share them.
#[derive(Clone, Debug)]
pub struct Outages {
    began: SystemTime,
    /// `None` for a memory cache, which cannot be unavailable.
    cache: Option<Arc<Outage>>,
    /// `None` also where there is no journal.
    journal: Option<Arc<Outage>>,
    database: Arc<Outage>,
}

impl Outages {
    /// Those of a cache and a database.
    pub fn new(cache: Option<Arc<Outage>>, database: Arc<Outage>) -> Outages {
        Outages {
            began: SystemTime::now(),
            cache,
            journal: None,
            database,
        }
    }

    /// The same with a journal.
    #[must_use]
    pub fn with_journal(self, journal: Arc<Outage>) -> Outages {
        Outages {
            journal: Some(journal),
            ..self
        }
    }

    fn of(&self, part: Part) -> Option<&Outage> {
        match part {
            Part::Cache => self.cache.as_deref(),
            Part::Journal => self.journal.as_deref(),
            Part::Database => Some(&self.database),
        }
    }

    /// For how long such calls of `part` have failed; where none of them has, the others. `None` while
    /// nothing fails.
    pub fn failing_for(&self, part: Part, calls: Calls) -> Option<Duration> {
        self.of(part)?.failing_for(calls)
    }

    /// Each part, in the order in which a write meets them.
    pub fn states(&self) -> Vec<PartState> {
        let cache = match &self.cache {
            Some(cache) => cache.now(),
            None => PartState {
                part: Part::Cache,
                up: true,
                since: self.began,
                problem: None,
                consequence: None,
                in_flight: 0,
            },
        };
        let others = self.journal.iter().chain([&self.database]);
        [cache]
            .into_iter()
            .chain(others.map(|outage| outage.now()))
            .collect()
    }

    /// Brings the metrics of the parts up to date.
    pub fn observe(&self) {
        for state in self.states() {
            telemetry::part(state.part, state.up, state.since, state.in_flight);
        }
    }
}
