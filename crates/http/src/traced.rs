//! The trace of a request: its span, and the context that its writes carry.

use actix_web::dev::ServiceRequest;
use actix_web::{HttpMessage as _, HttpRequest};
use cache_core::model::trace_context::TraceContext;
use cache_core::telemetry::trace::{self, RequestSpan};

use crate::observe::{OTHER_METHOD, Observed, UNKNOWN_ROUTE};
use crate::trace_context::traceparent;

/// The span of the request, if it is traced. One that monitoring asks all the time is traced only as part
/// of a client's trace.
pub(crate) fn begin(
    request: &ServiceRequest,
    method: &'static str,
    observed: &Observed,
) -> Option<Box<RequestSpan>> {
    if !trace::is_on() {
        return None;
    }
    let parent = traceparent(request.headers());
    if parent.is_none() && !observed.is_of_clients() {
        return None;
    }
    let method = (method != OTHER_METHOD).then_some(method);
    let route = (observed.route() != UNKNOWN_ROUTE).then_some(observed.route());
    let span = RequestSpan::begin(parent.as_ref(), method, route)?;
    request.request().extensions_mut().insert(span.context());
    Some(span)
}

/// Where the spans of the request's writes belong.
pub(crate) fn context(request: &HttpRequest) -> Option<TraceContext> {
    if !trace::is_on() {
        return None;
    }
    request.extensions().get().cloned()
}
