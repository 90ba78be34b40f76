//! What a batch does for its sampled writes: a span in the trace of each, with the times of the batch.

use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer as _};

use super::{Systems, TRACES};
use crate::model::trace_context::TraceContext;

/// A step on the way of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The cache marks the name in doubt, and issues the version.
    Mark,
    /// The database takes the write.
    Apply,
    /// The cache takes the value.
    Settle,
    /// The journal takes the write.
    Append,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Mark => "mark",
            Step::Apply => "apply",
            Step::Settle => "settle",
            Step::Append => "append",
        }
    }

    /// The server that does it. The journal is in the Redis of the cache, if there is one.
    fn system(self, systems: Systems) -> Option<&'static str> {
        match self {
            Step::Apply => Some(systems.database),
            Step::Mark | Step::Settle | Step::Append => systems.cache,
        }
    }
}

/// When a step of a batch took place, and of how many writes the batch was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) writes: usize,
}

/// How a step ended for one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Done,
    /// A newer write of the same name took place in its stead.
    Superseded,
    /// By the kind of its error.
    Failed(&'static str),
}

impl TraceContext {
    /// Adds the span of a step that has ended. Returns where its children belong.
    pub(crate) fn add(&self, step: Step, batch: Batch, ended: Ended) -> Option<TraceContext> {
        let traces = TRACES.get()?;
        let system = step.system(traces.systems);
        let kind = system.map_or(SpanKind::Internal, |_| SpanKind::Client);
        let builder = SpanBuilder::from_name(step.name())
            .with_kind(kind)
            .with_start_time(batch.began);
        let mut span = traces.tracer.build_with_context(builder, &self.as_parent());
        if let Some(system) = system {
            span.set_attribute(KeyValue::new("db.system.name", system));
        }
        // By convention only a batch has a size.
        if batch.writes > 1 {
            let writes = i64::try_from(batch.writes).unwrap_or(i64::MAX);
            span.set_attribute(KeyValue::new("db.operation.batch.size", writes));
        }
        match ended {
            Ended::Done => {}
            Ended::Superseded => {
                span.set_attribute(KeyValue::new("write_cache.superseded", true));
            }
            Ended::Failed(kind) => {
                span.set_attribute(KeyValue::new("error.type", kind));
                span.set_status(Status::error(""));
            }
        }
        let context = TraceContext::of(span.span_context());
        span.end_with_timestamp(batch.ended);
        Some(context)
    }
}

/// The sampled writes of a batch, with their places in it.
#[derive(Debug, Default)]
pub(crate) struct Traced {
    sampled: Vec<(usize, TraceContext)>,
    writes: usize,
}

impl Traced {
    /// Of the contexts of all writes.
    pub(crate) fn of<'a>(
        contexts: impl ExactSizeIterator<Item = &'a Option<TraceContext>>,
    ) -> Traced {
        let writes = contexts.len();
        let contexts = contexts.enumerate();
        let sampled = contexts.filter_map(|(place, context)| Some((place, context.clone()?)));
        Traced {
            sampled: sampled.collect(),
            writes,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sampled.is_empty()
    }

    /// Begins a step.
    pub(crate) fn begin(&self, step: Step) -> Running<'_> {
        Running {
            traced: self,
            step,
            began: (!self.is_empty()).then(SystemTime::now),
        }
    }
}

/// A step that has not ended. One that is cut off leaves no span.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    traced: &'a Traced,
    step: Step,
    began: Option<SystemTime>,
}

impl Running<'_> {
    /// The step has ended; `error` says for the write at each place by what kind of error. Returns the
    /// places with where the children of each span belong.
    pub(crate) fn end(
        self,
        error: impl Fn(usize) -> Option<&'static str>,
    ) -> Vec<(usize, TraceContext)> {
        let Some(began) = self.began else {
            return Vec::new();
        };
        let batch = Batch {
            began,
            ended: SystemTime::now(),
            writes: self.traced.writes,
        };
        let spans = self.traced.sampled.iter().filter_map(|(place, context)| {
            let ended = error(*place).map_or(Ended::Done, Ended::Failed);
            Some((*place, context.add(self.step, batch, ended)?))
        });
        spans.collect()
    }
}
