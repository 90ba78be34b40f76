//! One request and its answer: what holds for every route.

use std::future::{Future, ready};
use std::time::Instant;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::web::Data;
use actix_web::{Error, ResponseError as _};
use futures_util::future::Either;

use crate::connection::Clock;
use crate::in_flight;
use crate::observe::{Observed, method_label};
use crate::retry_after;
use crate::state::State;
use crate::unread;

/// A client may keep an answer that has a version, and asks each time whether it is current.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
/// No cache keeps any other answer.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Refuses a request of a page of another origin, and answers others with `routes`. Bounds the answer,
/// says whether caches may keep it, and counts it.
///
/// # Errors
/// As `routes`.
pub(crate) fn exchange<S>(
    observed: &Observed,
    mut request: ServiceRequest,
    routes: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    let began = Instant::now();
    let observed = observed.clone();
    let method = method_label(request.method());
    let clock = Clock::of(request.request());
    let in_progress = clock.as_ref().map(Clock::begin);
    let in_flight = observed.is_of_clients().then(|| in_flight::begin(began));
    let held = unread::hold(&mut request);
    let state = request.app_data::<Data<State>>().cloned();
    let refusal = state.as_ref().and_then(|state| {
        let origins = &state.origins;
        origins.refusal(request.method(), request.headers())
    });
    let answer = match refusal {
        Some(problem) => {
            let refused = request.into_response(problem.error_response());
            Either::Left(ready(Ok(refused)))
        }
        None => Either::Right(routes.call(request)),
    };
    async move {
        let (_in_progress, _in_flight) = (in_progress, in_flight);
        let answered = answer.await.map(|response| match state {
            Some(state) => {
                let told = retry_after::told(response, &state.outages);
                keep_from_caches(state.answers.bounded(told, clock), method)
            }
            None => response,
        });
        observed.record(method, began.elapsed(), &answered);
        Ok(match held {
            Some(held) => answered?.map_body(|_, body| held.until_answered(body)),
            None => answered?,
        })
    }
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
