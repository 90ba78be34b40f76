//! The trace that a write is part of.

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};

/// Where the spans of a sampled request belong.
#[derive(Clone, Debug)]
pub struct TraceContext(Arc<SpanContext>);

impl TraceContext {
    pub(crate) fn of(span: &SpanContext) -> TraceContext {
        TraceContext(Arc::new(span.clone()))
    }

    /// The same, as the parent of a span.
    pub(crate) fn as_parent(&self) -> Context {
        Context::new().with_remote_span_context(self.0.as_ref().clone())
    }

    /// A context of no trace.
    #[cfg(test)]
    pub(crate) fn sample() -> TraceContext {
        TraceContext(Arc::new(SpanContext::empty_context()))
    }
}
