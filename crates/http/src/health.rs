//! `/healthz`, `/readyz` and `/metrics`.

use actix_web::HttpResponse;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{Data, ServiceConfig};
use cache_core::engine::{Bypass, Health};
use serde::Serialize;

use crate::json::json;
use crate::resource::{get, resource};
use crate::state::State;

/// Adds the three routes.
pub fn configure(config: &mut ServiceConfig) {
    resource(config, "/healthz", "GET, HEAD", vec![get(alive)]);
    resource(config, "/readyz", "GET, HEAD", vec![get(ready)]);
    resource(config, "/metrics", "GET, HEAD", vec![get(metrics)]);
}

#[derive(Serialize)]
struct Readiness {
    service: &'static str,
    status: &'static str,
    /// Whether the database is used alone, since the cache is away.
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
    let up = parts.up();
    let mut response = if up {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    if !up {
        response.insert_header((RETRY_AFTER, 1));
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

/// The Prometheus text format.
async fn metrics(state: Data<State>) -> HttpResponse {
    state.engine.observe().await;
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render())
}
