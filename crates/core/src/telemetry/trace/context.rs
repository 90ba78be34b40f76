//! Where spans belong: the trace, and the span above them.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId};
use opentelemetry::{Context, trace::TraceState};

/// What a valid `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent<'a> {
    /// The trace, as 32 hexadecimal digits.
    pub trace_id: &'a str,
    /// The span above, as 16 of them.
    pub parent_id: &'a str,
    /// Whether the trace is recorded.
    pub is_sampled: bool,
}

impl Traceparent<'_> {
    pub(super) fn as_parent(&self) -> Option<Context> {
        let span = SpanContext::new(
            TraceId::from_hex(self.trace_id).ok()?,
            SpanId::from_hex(self.parent_id).ok()?,
            TraceFlags::default().with_sampled(self.is_sampled),
            true,
            TraceState::NONE,
        );
        Some(Context::new().with_remote_span_context(span))
    }
}
