//! The span of a request.

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _};
use opentelemetry_sdk::trace::Span;

use super::{TRACES, Traceparent};
use crate::model::trace_context::TraceContext;

/// What OpenTelemetry calls a method that is none of the known ones.
const OTHER_METHOD: (&str, &str) = ("_OTHER", "HTTP");

/// The span of a request, which ends with this value at the latest.
///
/// It has the template of the route, never the path or the query, in which names of users are.
#[derive(Debug)]
pub struct RequestSpan(Span);

impl RequestSpan {
    /// `None` for a request that is not sampled. `method` is one of the known ones, if it is given.
    pub fn begin(
        parent: Option<&Traceparent<'_>>,
        method: Option<&'static str>,
        route: Option<&'static str>,
    ) -> Option<Box<RequestSpan>> {
        if parent.is_some_and(|parent| !parent.is_sampled) {
            return None;
        }
        let traces = TRACES.get()?;
        let parent = parent.and_then(Traceparent::as_parent);
        let builder = SpanBuilder::from_name(route.unwrap_or_default()).with_kind(SpanKind::Server);
        let parent = parent.unwrap_or_default();
        let mut span = traces.tracer.build_with_context(builder, &parent);
        if !span.span_context().is_sampled() {
            return None;
        }
        let (method, verb) = method.map_or(OTHER_METHOD, |method| (method, method));
        span.set_attribute(KeyValue::new("http.request.method", method));
        match route {
            Some(route) => {
                span.update_name(format!("{verb} {route}"));
                span.set_attribute(KeyValue::new("http.route", route));
            }
            None => span.update_name(verb),
        }
        Some(Box::new(RequestSpan(span)))
    }

    /// Where the spans of its writes belong.
    pub fn context(&self) -> TraceContext {
        TraceContext::of(self.0.span_context())
    }

    /// The trace, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.0.span_context().trace_id().to_string()
    }

    /// The request was answered with this status.
    pub fn end(mut self: Box<Self>, status: u16) {
        let span = &mut self.0;
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
        if status >= 500 {
            span.set_attribute(KeyValue::new("error.type", status.to_string()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}
