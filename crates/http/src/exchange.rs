//! One request and its answer: what holds for every route.

use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError as _};

use crate::connection::Clock;
use crate::observe::{Observed, method_label};
use crate::state::State;
use crate::unread;

/// A client may keep an answer that has a version, and asks each time whether it is current.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
/// No cache keeps any other answer.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Refuses a request of a page of another origin, and answers others with `next`. Bounds the answer,
/// says whether caches may keep it, and counts it.
///
/// # Errors
/// As `next`.
pub(crate) async fn exchange(
    observed: Observed,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let began = Instant::now();
    let method = method_label(request.method());
    let clock = Clock::of(request.request());
    let _in_progress = clock.as_ref().map(Clock::begin);
    let held = unread::hold(&mut request);
    let state = request.app_data::<Data<State>>().cloned();
    let refusal = state.as_ref().and_then(|state| {
        let origins = &state.origins;
        origins.refusal(request.method(), request.headers())
    });
    let answered = match refusal {
        Some(problem) => Ok(request.into_response(problem.error_response())),
        None => next.call(request).await,
    };
    let answered = answered.map(|response| match state {
        Some(state) => keep_from_caches(state.answers.bounded(response, clock), method),
        None => response,
    });
    observed.record(method, began.elapsed(), &answered);
    Ok(match held {
        Some(held) => answered?.map_body(|_, body| held.until_answered(body)),
        None => answered?,
    })
}

/// The same answer, with `Cache-Control` unless its handler has set it.
fn keep_from_caches(mut response: ServiceResponse, method: &str) -> ServiceResponse {
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        let is_record = headers.contains_key(ETAG) && matches!(method, "GET" | "HEAD");
        let kept = if is_record { REVALIDATED } else { NOT_KEPT };
        headers.insert(CACHE_CONTROL, kept);
    }
    response
}
