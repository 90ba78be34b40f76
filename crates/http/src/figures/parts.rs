//! How the parts of a service are.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use cache_core::error::Part;
use cache_core::outage::PartState;
use serde::Serialize;
use utoipa::ToSchema;

use super::Snapshot;

const UP: &str = "write_cache_up";

/// One part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PartFigures {
    /// `cache`, `journal` or `database`.
    pub part: &'static str,
    /// Whether it is available.
    pub up: bool,
    /// Since when it is, or is not, in milliseconds since 1970.
    pub since_ms: Option<f64>,
    /// Calls of it that have not ended.
    pub calls_in_flight: f64,
    /// What is wrong; `null` also where only the metrics are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub problem: Option<Cow<'static, str>>,
    /// What follows for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub consequence: Option<&'static str>,
}

impl PartFigures {
    /// Takes what the part itself knows, which is newer than the metrics.
    pub(super) fn explain(&mut self, state: &PartState) {
        self.up = state.up;
        self.since_ms = Some(since_1970_ms(state.since));
        self.problem.clone_from(&state.problem);
        self.consequence = state.consequence;
    }
}

fn since_1970_ms(at: SystemTime) -> f64 {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_millis() as f64
}

/// Those that the metrics have, in the order in which a write meets them.
pub(super) fn of(now: &Snapshot) -> Vec<PartFigures> {
    let parts = [Part::Cache, Part::Journal, Part::Database].map(Part::as_str);
    let known = parts.into_iter().filter_map(|part| {
        let labels = [("part", part)];
        let up = now.gauge(UP, &labels)?;
        let since_s = now.gauge("write_cache_up_changed_timestamp_seconds", &labels);
        Some(PartFigures {
            part,
            up: up > 0.0,
            since_ms: since_s.map(|since_s| (since_s * 1e3).round()),
            calls_in_flight: now.sum("write_cache_calls_in_flight", &labels),
            problem: None,
            consequence: None,
        })
    });
    known.collect()
}
