//! `/healthz` and `/readyz`.

use actix_web::HttpResponse;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{Data, ServiceConfig};
use cache_core::engine::{Bypass, Health};
use cache_core::outage::Calls;
use serde::Serialize;

use crate::json::json;
use crate::resource::{get, resource};
use crate::retry_after;
use crate::state::State;

/// Adds both.
pub fn configure(config: &mut ServiceConfig) {
    resource(config, "/healthz", "GET, HEAD", vec![get(alive)]);
    resource(config, "/readyz", "GET, HEAD", vec![get(ready)]);
}

#[derive(Serialize)]
struct Readiness {
    service: &'static str,
    status: &'static str,
    /// Whether the cache is bypassed, since it is unavailable.
    bypassing: bool,
    parts: Health,
}

/// The process lives; says nothing about what it depends on.
async fn alive() -> HttpResponse {
    json(HttpResponse::Ok(), &serde_json::json!({"status": "alive"}))
}

/// `200` when every part is up without which calls fail, `503` when one is not; the
/// same document.
async fn ready(state: Data<State>) -> HttpResponse {
    let parts = state.engine.health().await;
    let missing = parts.missing();
    let up = missing.is_empty();
    let mut response = if up {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    if !up {
        // Both kinds of call are asked for, so that which failed first does not matter.
        let failing = missing.iter().flat_map(|part| {
            let failing = |calls| state.outages.failing_for(*part, calls);
            [failing(Calls::Reads), failing(Calls::Writes)]
        });
        let longest = failing.flatten().max();
        response.insert_header((RETRY_AFTER, retry_after::seconds(longest)));
    }
    let status = if up { "ready" } else { "not ready" };
    let readiness = Readiness {
        service: state.service.name(),
        status,
        bypassing: parts.bypass == Bypass::Now,
        parts,
    };
    json(response, &readiness)
}
