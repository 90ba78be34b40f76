//! Which requests are traced.

use serde_json::Value;
use testkit::http::user_path;
use testkit::parts::Parts;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::collector::{Collector, Mood, hex};
use crate::site::{combinations, put, send, spans_of_write, start, trace_id, traceparent, user};

#[test]
#[ignore = "needs servers"]
fn an_unsampled_parent_exports_nothing() {
    for (service, parts) in combinations() {
        let collector = Collector::start(Mood::Takes);
        let mut running = start((service, parts), &collector.url(), &[]);
        let client = running.client();
        let parent = traceparent(&trace_id(1), "00");
        let answer = send(&client, ("PUT", &user_path("a")), &parent, Some(&user("a")));
        assert_eq!(answer.status, 200);
        put(&client, "b", &trace_id(2));
        collector.wait_for(&trace_id(2), spans_of_write(service));
        // What was left is exported at the end.
        assert!(running.terminate().success());
        let spans = collector.spans();
        let others = spans
            .iter()
            .filter(|span| hex(&span.trace_id) != trace_id(2));
        assert_eq!(others.count(), 0, "{spans:?}");
    }
}

#[test]
fn a_ratio_of_zero_follows_sampled_parents_alone() {
    for service in Service::all() {
        let collector = Collector::start(Mood::Takes);
        let ratio = ("OTEL_TRACES_SAMPLER_ARG", "0");
        let mut running = start((service, Parts::Embedded), &collector.url(), &[ratio]);
        let client = running.client();
        assert_eq!(client.put_json(&user_path("a"), &user("a")).status, 200);
        put(&client, "b", &trace_id(2));
        assert!(running.terminate().success());
        let spans = collector.spans();
        assert_eq!(spans.len(), spans_of_write(service).len(), "{spans:?}");
        assert!(spans.iter().all(|span| hex(&span.trace_id) == trace_id(2)));
    }
}

#[test]
fn the_access_log_has_the_trace_that_is_exported() {
    for service in Service::all() {
        let collector = Collector::start(Mood::Takes);
        let env = [
            ("LOG", "info,cache_http::access=debug"),
            ("LOG_FORMAT", "json"),
        ];
        let running = start((service, Parts::Embedded), &collector.url(), &env);
        let client = running.client();
        // A request of its own, and one of a client's trace.
        assert_eq!(client.get("/users/a").status, 404);
        put(&client, "b", &trace_id(2));
        let logged = || -> Vec<String> {
            let logs = running.logs();
            let lines = logs.lines().filter(|line| line.contains("\"answered\""));
            lines
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .filter_map(|line| Some(line["fields"]["trace_id"].as_str()?.to_owned()))
                .collect()
        };
        wait_until("both are logged", || logged().len() == 2);
        let logged = logged();
        collector.wait_for(&logged[0], &["GET /users/{name}"]);
        assert_eq!(logged[1], trace_id(2));
        collector.wait_for(&logged[1], &["PUT /users/{name}"]);
    }
}

#[test]
fn probes_are_traced_only_in_the_trace_of_a_client() {
    let collector = Collector::start(Mood::Takes);
    let services = (Service::WriteThrough, Parts::Embedded);
    let mut running = start(services, &collector.url(), &[]);
    let client = running.client();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(client.get(path).status, 200);
    }
    let parent = traceparent(&trace_id(1), "01");
    send(&client, ("GET", "/healthz"), &parent, None);
    assert!(running.terminate().success());
    let spans = collector.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["GET /healthz"]);
}
