//! What the log says of requests: at debug level a span around each and a line with its answer, and a line for each
//! call of an operator.

use std::time::Duration;

use actix_web::body::{BodySize, MessageBody as _};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use cache_core::telemetry::trace::RequestSpan;
use tracing::field::Empty;
use tracing::{Level, Span};

use crate::request_id::X_REQUEST_ID;
use crate::trace_context::traceparent;

/// A request whose answer is logged.
#[derive(Debug)]
pub(crate) struct AccessLine {
    method: &'static str,
    route: &'static str,
    trace_id: Option<String>,
}

impl AccessLine {
    /// `None` where the log does not want it.
    pub(crate) fn begin(
        request: &ServiceRequest,
        method: &'static str,
        route: &'static str,
        trace: Option<&RequestSpan>,
    ) -> Option<AccessLine> {
        // Asks no more than a flag where debug is off everywhere.
        tracing::enabled!(Level::DEBUG).then(|| AccessLine {
            method,
            route,
            trace_id: match trace {
                Some(trace) => Some(trace.trace_id()),
                None => traceparent(request.headers()).map(|parent| parent.trace_id.to_owned()),
            },
        })
    }

    /// The span in which the request is answered.
    pub(crate) fn span(&self, request_id: &HeaderValue) -> Span {
        tracing::debug_span!(
            "request",
            method = self.method,
            route = self.route,
            request_id = text(request_id),
            trace_id = self.trace_id,
            status = Empty,
        )
    }

    /// The request was answered.
    pub(crate) fn end(
        self,
        span: &Span,
        elapsed: Duration,
        client: Option<&str>,
        answer: &ServiceResponse,
    ) {
        let request_id = answer.headers().get(X_REQUEST_ID);
        let status = answer.status().as_u16();
        span.record("status", status);
        // That of an answer which is made while it is sent is not known.
        let bytes = match answer.response().body().size() {
            BodySize::None => Some(0),
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::Stream => None,
        };
        // Not within the span, which has the same.
        tracing::debug!(
            parent: None,
            method = self.method,
            route = self.route,
            client,
            status,
            duration_us = elapsed.as_micros() as u64,
            bytes,
            request_id = request_id.map(text),
            trace_id = self.trace_id,
            "answered"
        );
    }
}

/// Says who has made a call that only an operator may make.
pub(crate) fn audit(client: &str, method: &str, route: &str, status: StatusCode) {
    let status = status.as_u16();
    tracing::info!(client, method, route, status, "admin call");
}

fn text(request_id: &HeaderValue) -> &str {
    request_id.to_str().unwrap_or_default()
}
