//! `/healthz` and `/readyz`.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cache_core::engine::{Bypass, Health};
use cache_core::outage::Calls;
use cache_core::outage::health::PartHealth;
use serde::Serialize;
use utoipa::ToSchema;

use crate::description::{Answer, Call, Header, Tag};
use crate::json::json;
use crate::resource::{Right, Routes, get, resource};
use crate::retry_after;
use crate::state::State;

/// Adds both.
pub fn configure(routes: &mut Routes) {
    resource(
        routes,
        "/healthz",
        "GET, HEAD",
        vec![get(Right::Anyone, alive, alive_call)],
    );
    resource(
        routes,
        "/readyz",
        "GET, HEAD",
        vec![get(Right::Anyone, ready, ready_call)],
    );
}

/// The process lives.
#[derive(Serialize, ToSchema)]
struct Liveness {
    /// `alive`.
    status: &'static str,
}

const ALIVE: Liveness = Liveness { status: "alive" };

/// Whether the service can serve requests, and the state of each backend.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `write-through` or `write-behind`.
    service: &'static str,
    /// `ready` or `not ready`.
    status: &'static str,
    /// Whether the cache is bypassed, since it is unavailable. Not without the right to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bypassing: Option<bool>,
    /// Each backend. Not without the right to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parts: Option<Health>,
    /// What an operator should put right, though the service works. Not without the right to read.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    warnings: Vec<String>,
}

fn alive_call() -> Call {
    Call::new(Tag::State, "isAlive", "Liveness")
        .text("Says nothing about the backends.")
        .answers(Answer::ok("The process lives.").json(&ALIVE))
}

fn ready_call() -> Call {
    let example = |status| {
        let part = |kind, at: &str| PartHealth {
            kind,
            at: at.to_owned(),
            up: true,
            ..PartHealth::default()
        };
        Readiness {
            service: "write-through",
            status,
            bypassing: Some(false),
            parts: Some(Health {
                cache: part("memory", "this process"),
                journal: None,
                database: part("sqlite", "data/write-through/users.db"),
                bypass: Bypass::Never,
                needs_database: true,
            }),
            warnings: Vec::new(),
        }
    };
    let not_ready = Answer::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Calls fail because of a backend. No problem document: it lists the backends.",
    );
    Call::new(
        Tag::State,
        "isReady",
        "Readiness, and the state of each backend",
    )
    .text("Without the right to read, where tokens are needed, it has `service` and `status` only.")
    .answers(Answer::ok("The service can serve requests.").json(&example("ready")))
    .answers(
        not_ready
            .json(&example("not ready"))
            .header(Header::RetryAfter),
    )
}

/// The process lives; says nothing about what it depends on.
async fn alive() -> HttpResponse {
    json(HttpResponse::Ok(), &ALIVE)
}

/// `200` when every part is up without which calls fail, `503` when one is not; the
/// same document. Names and addresses of servers are for callers that may read.
async fn ready(state: Data<State>, request: HttpRequest) -> HttpResponse {
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
    let may_read = state.door.allows(request.headers(), Right::Read);
    let readiness = Readiness {
        service: state.service.name(),
        status,
        bypassing: may_read.then_some(parts.bypass == Bypass::Now),
        parts: may_read.then_some(parts),
        warnings: match may_read {
            true => state.door.warnings(),
            false => Vec::new(),
        },
    };
    json(response, &readiness)
}
