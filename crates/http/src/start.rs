//! The event of a start.

use std::net::SocketAddr;

use cache_core::engine::Health;
use cache_core::outage::health::PartHealth;
use cache_core::settings::Service;

/// Says in the log what was started on which parts, and what an answered write survives.
pub(crate) fn log(service: Service, version: &str, address: SocketAddr, health: &Health) {
    let place = |part: &PartHealth| format!("{} {}", part.kind, part.at);
    let answers = health.journal.as_ref().unwrap_or(&health.database);
    let survives = answers.durability.as_deref().unwrap_or("unknown");
    tracing::info!(
        version,
        %address,
        cache = place(&health.cache),
        journal = health.journal.as_ref().map(place),
        database = place(&health.database),
        survives,
        "{} is listening",
        service.binary()
    );
    if answers.survives_little {
        tracing::warn!(
            survives,
            "an answered write may be lost when {} crashes",
            answers.kind
        );
    }
}
