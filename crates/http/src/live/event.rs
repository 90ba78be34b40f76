//! The event that a page gets each second.

use std::time::SystemTime;

use serde::Serialize;
use utoipa::ToSchema;

use crate::figures::Figures;

/// How all services that a page shows are at one moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Each service.
    pub services: Vec<ServiceEvent>,
    /// Whether the database is paused, for a page with a button for that; `null` elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub database_paused: Option<bool>,
}

/// How one service is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServiceEvent {
    /// As the page's configuration calls it.
    pub name: String,
    /// Whether it answers.
    pub reachable: bool,
    /// What it did since the last event, among the fields of this object; `null` where that is unknown.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

impl Event {
    /// How the services are now.
    pub fn now(services: Vec<ServiceEvent>) -> Event {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Event {
            at_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
            services,
            database_paused: None,
        }
    }
}
