//! A service that exports traces to a collector, and requests with a trace.

use serde_json::{Value, json};
use testkit::http::{Client, Response, user_path};
use testkit::parts::{Parts, RunningService};
use testkit::service::Service;

/// What a service is set up with, besides the collector: exports that follow at once.
pub(crate) const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "20");

pub(crate) const PARENT: &str = "00f067aa0ba902b7";

/// Every service on every set of parts.
pub(crate) fn combinations() -> impl Iterator<Item = (Service, Parts)> {
    let services = Service::all().into_iter();
    services.flat_map(|service| Parts::all().map(|parts| (service, parts)))
}

pub(crate) fn start(
    (service, parts): (Service, Parts),
    collector: &str,
    env: &[(&str, &str)],
) -> RunningService {
    let mut settings = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector), AT_ONCE];
    settings.extend(env);
    parts.start_with(service, &settings)
}

/// The spans of a write that takes place, from its request on.
pub(crate) fn spans_of_write(service: Service) -> &'static [&'static str] {
    match service {
        Service::WriteThrough => &["PUT /users/{name}", "mark", "apply", "settle"],
        Service::WriteBehind => &["PUT /users/{name}", "append", "apply"],
    }
}

/// A trace id that no other has.
pub(crate) fn trace_id(number: u32) -> String {
    format!("4bf92f3577b34da6a3ce929d{number:08x}")
}

pub(crate) fn traceparent(trace_id: &str, flags: &str) -> String {
    format!("00-{trace_id}-{PARENT}-{flags}")
}

pub(crate) fn user(name: &str) -> Value {
    json!({ "name": name, "age": 30, "occupation": "Engineer" })
}

/// Sends a request of the trace.
pub(crate) fn send(
    client: &Client,
    (method, path): (&str, &str),
    parent: &str,
    body: Option<&Value>,
) -> Response {
    let headers = [
        ("Content-Type", "application/json"),
        ("Traceparent", parent),
    ];
    let body = body.map(Value::to_string);
    client.request(method, path, &headers, body.as_ref().map(String::as_bytes))
}

/// Writes a user in a sampled trace.
#[track_caller]
pub(crate) fn put(client: &Client, name: &str, trace_id: &str) {
    let parent = traceparent(trace_id, "01");
    let answer = send(
        client,
        ("PUT", &user_path(name)),
        &parent,
        Some(&user(name)),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}
