//! Traces of requests, which go to an OpenTelemetry collector.
//!
//! A request that is sampled has a span. Its writes carry the context of that span, so that a batch
//! leaves a span in the trace of each of its sampled writes: one trace leads from the request to the
//! commit. Spans are made once their work has ended, with both times, and another thread exports them.
//! Without a collector in the settings there is no such thread, and no span.

mod collector;
mod context;
mod outage;
mod request;
mod steps;

pub use context::Traceparent;
pub use request::RequestSpan;
pub(crate) use steps::{Batch, Ended, Step, Traced};

use std::sync::OnceLock;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::revision;
use crate::settings::{CacheUrl, DatabaseUrl, Settings};
use crate::timing;

use collector::Collector;

static TRACES: OnceLock<Traces> = OnceLock::new();

#[derive(Debug)]
struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    systems: Systems,
}

/// The servers that the steps of a write are about, by their names in OpenTelemetry; `None` for what is
/// within this process.
#[derive(Clone, Copy, Debug)]
struct Systems {
    cache: Option<&'static str>,
    database: &'static str,
}

/// Whether any request may be traced.
pub fn is_on() -> bool {
    TRACES.get().is_some()
}

/// Starts to export traces, if the settings name a collector. Call it on the runtime that is there
/// until the end.
///
/// # Errors
/// [`Error::BadSetting`] when that cannot be.
pub fn start(settings: &Settings) -> Result<()> {
    let Some(endpoint) = &settings.traces.endpoint else {
        return Ok(());
    };
    let bad = |reason: String| Error::BadSetting {
        key: "OTEL_EXPORTER_OTLP_ENDPOINT",
        reason: reason.into(),
    };
    let collector = Collector::new(endpoint, Handle::current()).map_err(bad)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_headers(settings.traces.headers.iter().cloned().collect())
        .with_endpoint(endpoint.as_str())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(timing::TRACE_EXPORT_TIMEOUT)
        .build()
        .map_err(|error| bad(format!("no traces can be sent there: {error}")))?;
    let sampler = Sampler::TraceIdRatioBased(settings.traces.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .with_resource(resource(settings))
        .build();
    let traces = Traces {
        tracer: provider.tracer("write-cache"),
        provider,
        systems: systems(settings),
    };
    // Fails only when traces are exported already, as in tests; these stay.
    let _ = TRACES.set(traces);
    tracing::info!(collector = %endpoint, sample_ratio = settings.traces.sample_ratio, "traces are exported");
    Ok(())
}

/// Exports what is left, as far as that takes little time. To be called at the end of the process.
pub async fn stop() {
    if let Some(traces) = TRACES.get() {
        // It blocks.
        let stop = || {
            traces
                .provider
                .shutdown_with_timeout(timing::TRACE_FLUSH_TIMEOUT)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(stop).await {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

fn resource(settings: &Settings) -> Resource {
    const INSTANCE: &str = "service.instance.id";
    // With what OTEL_RESOURCE_ATTRIBUTES says.
    let resource = Resource::builder()
        .with_service_name(settings.service.binary())
        .with_attribute(KeyValue::new("service.version", revision::VERSION));
    let given = Resource::builder().build();
    match given.get(&Key::from_static_str(INSTANCE)) {
        Some(_) => resource.build(),
        None => resource
            .with_attribute(KeyValue::new(INSTANCE, random_uuid()))
            .build(),
    }
}

/// A random UUID, version 4.
fn random_uuid() -> String {
    let random = fastrand::u128(..) & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let digits = format!("{random:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-")
}

fn systems(settings: &Settings) -> Systems {
    Systems {
        cache: match settings.cache {
            CacheUrl::Memory => None,
            _ => Some("redis"),
        },
        database: match settings.database {
            DatabaseUrl::Sqlite(_) => "sqlite",
            // MariaDB, too: which of the two it is, is not known yet.
            DatabaseUrl::Mysql(_) => "mysql",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_random_uuid() {
        let uuid = random_uuid();
        assert_ne!(uuid, random_uuid());
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4", "{uuid}");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
    }
}
