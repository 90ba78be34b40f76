//! One request and its answer: what holds for every route.

use std::future::{Future, ready};
use std::time::Instant;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use actix_web::web::Data;
use actix_web::{Error, ResponseError as _};
use futures_util::future::{Either, FutureExt as _};
use tracing::Instrument as _;

use crate::access::{AccessLine, audit};
use crate::auth::{Right, Rights};
use crate::connection::Clock;
use crate::door::Entered;
use crate::in_flight;
use crate::observe::{Observed, method_label, status_of};
use crate::problem::{self, PROBLEM};
use crate::request_id::{X_REQUEST_ID, request_id};
use crate::retry_after;
use crate::state::State;
use crate::traced;
use crate::unread;

/// A client may keep an answer that has a version, and asks each time whether it is current.
const REVALIDATED: HeaderValue = HeaderValue::from_static("private, no-cache");
/// No cache keeps any other answer.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// Refuses a request that may not be made, by the page or the client that sends it, and answers others with
/// `routes`. Bounds the answer,
/// says whether caches may keep it, and counts it.
///
/// # Errors
/// As `routes`.
pub(crate) fn exchange<S>(
    observed: &Observed,
    rights: &Rights,
    mut request: ServiceRequest,
    routes: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error, Future: 'static>,
{
    let began = Instant::now();
    let observed = observed.clone();
    let method = method_label(request.method());
    let request_id = request_id(request.headers());
    let trace = traced::begin(&request, method, &observed);
    // What is rare is in a box of its own, so that the futures of other requests are small.
    let access = AccessLine::begin(&request, method, observed.route(), trace.as_deref());
    let logged = access.map(|access| {
        let span = access.span(&request_id);
        Box::new((access, span))
    });
    let clock = Clock::of(request.request());
    let in_progress = clock.as_ref().map(Clock::begin);
    let in_flight = observed.is_of_clients().then(|| in_flight::begin(began));
    let held = unread::hold(&mut request);
    let state = request.app_data::<Data<State>>().cloned();
    let needed = rights.of(request.method());
    let entered = match &state {
        Some(state) => state.door.enter(&request, observed.route(), needed),
        None => Ok(Entered::default()),
    };
    let permission = state.as_ref().and_then(|state| state.door.cors(&request));
    let permission = permission.map(Box::new);
    let (entered, answer) = match (entered, logged.as_deref()) {
        (Err(problem), _) => {
            let refused = request.into_response(problem.error_response());
            let refused = ready(Ok(refused)).boxed_local();
            (Entered::default(), Either::Left(refused))
        }
        (Ok(entered), Some((_, span))) => {
            let answer = span.in_scope(|| routes.call(request));
            let answer = answer.instrument(span.clone()).boxed_local();
            (entered, Either::Left(answer))
        }
        (Ok(entered), None) => (entered, Either::Right(routes.call(request))),
    };
    async move {
        // As a whole, since a field by itself would leave its place at once.
        let entered = entered;
        let (_in_progress, _in_flight) = (in_progress, in_flight);
        let answered = answer.await.map(|response| match state {
            Some(state) => {
                let told = retry_after::told(response, &state.outages);
                // IMPORTANT: before it is bounded, which may cut a long document into pieces.
                let told = identified(told, &request_id);
                keep_from_caches(state.answers.bounded(told, clock), method)
            }
            None => response,
        });
        let elapsed = began.elapsed();
        observed.record(method, elapsed, &answered);
        if let Some(trace) = trace {
            trace.end(status_of(&answered).as_u16());
        }
        // What bounded it may have answered in its place.
        let mut answered = identified(answered?, &request_id);
        if let Some(permission) = permission {
            permission.say(answered.headers_mut());
        }
        let client = entered.client.as_ref().map(|client| &*client.name);
        if let Some(client) = client.filter(|_| needed == Right::Admin) {
            audit(client, method, observed.route(), answered.status());
        }
        if let Some(logged) = logged {
            let (access, span) = *logged;
            access.end(&span, elapsed, client, &answered);
        }
        Ok(match held {
            Some(held) => answered.map_body(|_, body| held.until_answered(body)),
            None => answered,
        })
    }
}

/// The same answer, with the id of its request, unless it has one: in a header, and in the document of an
/// error.
fn identified(mut response: ServiceResponse, request_id: &HeaderValue) -> ServiceResponse {
    if response.headers().contains_key(X_REQUEST_ID) {
        return response;
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    if content_type.is_some_and(|of| *of == PROBLEM) {
        response = response.map_body(|_, body| problem::identified(body, request_id));
    }
    response
        .headers_mut()
        .insert(X_REQUEST_ID, request_id.clone());
    response
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
