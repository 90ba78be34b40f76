//! One trace leads from the request to the commit.

use std::fs;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tempfile::TempDir;
use testkit::http::user_path;
use testkit::parts::Parts;
use testkit::service::Service;

use crate::collector::{Collector, Mood, attribute, hex, is_error};
use crate::site::{
    PARENT, combinations, put, send, spans_of_write, start, trace_id, traceparent, user,
};

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().expect(name);
    assert!(found.next().is_none(), "{name} twice: {spans:?}");
    span
}

#[test]
#[ignore = "needs servers"]
fn a_write_is_one_trace_from_the_request_to_the_commit() {
    for (service, parts) in combinations() {
        let collector = Collector::start(Mood::Takes);
        let mut running = start((service, parts), &collector.url(), &[]);
        let trace = trace_id(1);
        put(&running.client(), "Grace Hopper", &trace);
        let spans = collector.wait_for(&trace, spans_of_write(service));
        assert_eq!(spans.len(), spans_of_write(service).len(), "{spans:?}");
        let request = named(&spans, "PUT /users/{name}");
        assert_eq!(hex(&request.parent_span_id), PARENT);
        assert_eq!(request.kind(), SpanKind::Server);
        let of_request = |key| attribute(&request.attributes, key);
        assert_eq!(of_request("http.route").unwrap(), "/users/{name}");
        assert_eq!(of_request("http.request.method").unwrap(), "PUT");
        assert_eq!(of_request("http.response.status_code").unwrap(), "200");
        let apply = named(&spans, "apply");
        let (database, cache) = match parts {
            Parts::Embedded => ("sqlite", None),
            Parts::RedisMariaDb => ("mysql", Some("redis")),
        };
        let system = |span: &Span| attribute(&span.attributes, "db.system.name");
        assert_eq!(system(apply).unwrap(), database);
        match service {
            Service::WriteThrough => {
                for name in ["mark", "apply", "settle"] {
                    assert_eq!(
                        named(&spans, name).parent_span_id,
                        request.span_id,
                        "{name}"
                    );
                }
                assert_eq!(system(named(&spans, "mark")).as_deref(), cache);
            }
            Service::WriteBehind => {
                let append = named(&spans, "append");
                assert_eq!(append.parent_span_id, request.span_id);
                assert_eq!(apply.parent_span_id, append.span_id);
                assert_eq!(system(append).as_deref(), cache);
            }
        }
        for span in &spans {
            assert!(!is_error(span), "{span:?}");
            let (from, to) = (span.start_time_unix_nano, span.end_time_unix_nano);
            assert!(from > 0 && from <= to, "{span:?}");
            assert!(from >= request.start_time_unix_nano, "{span:?}");
        }
        assert!(running.terminate().success());
        assert_eq!(
            collector.spans().len(),
            spans.len(),
            "nothing else is exported"
        );
    }
}

#[test]
#[ignore = "needs servers"]
fn every_call_that_writes_leads_to_its_commit() {
    for (service, parts) in combinations() {
        let collector = Collector::start(Mood::Takes);
        let running = start((service, parts), &collector.url(), &[]);
        let client = running.client();
        let path = user_path("a");
        let body = user("a");
        for (number, (method, path, body, status)) in [
            ("POST", service.write_path(), Some(&body), 200),
            ("DELETE", path.as_str(), None, 204),
            ("PUT", &path, Some(&body), 200),
        ]
        .into_iter()
        .enumerate()
        {
            let trace = trace_id(number as u32);
            let parent = traceparent(&trace, "01");
            let answer = send(&client, (method, path), &parent, body);
            assert_eq!(answer.status, status, "{}", answer.text());
            collector.wait_for(&trace, &["apply"]);
        }
    }
}

#[test]
fn exports_name_the_service_and_no_user() {
    for service in Service::all() {
        let collector = Collector::start(Mood::Takes);
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("headers");
        fs::write(&file, "x-token=Bearer%20sesame\n").unwrap();
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS_FILE", file.to_str().unwrap());
        let running = start((service, Parts::Embedded), &collector.url(), &[headers]);
        let client = running.client();
        put(&client, "Zaphod", &trace_id(1));
        let parent = traceparent(&trace_id(2), "01");
        send(&client, ("GET", "/users/Zaphod?x=Zaphod"), &parent, None);
        send(&client, ("GET", "/Zaphod"), &parent, None);
        collector.wait_for(&trace_id(1), spans_of_write(service));
        collector.wait_for(&trace_id(2), &["GET /users/{name}", "GET"]);
        for received in collector.received() {
            assert_eq!(received.path, "/v1/traces");
            let token = ("x-token".to_owned(), "Bearer sesame".to_owned());
            assert!(received.headers.contains(&token), "{:?}", received.headers);
            let has_name = received.bytes.windows(6).any(|bytes| bytes == b"Zaphod");
            assert!(!has_name, "{:?}", received.exported);
            let of_resource = &received.exported.resource_spans[0];
            let resource = of_resource.resource.as_ref().unwrap();
            let of = |key| attribute(&resource.attributes, key);
            assert_eq!(of("service.name").unwrap(), service.name());
            assert_eq!(of("service.version").unwrap(), env!("CARGO_PKG_VERSION"));
            assert_eq!(of("service.instance.id").unwrap().len(), 36);
        }
        assert!(!running.logs().contains("sesame"), "{}", running.logs());
    }
}

#[test]
fn a_write_that_is_refused_is_an_error_without_a_commit() {
    for service in Service::all() {
        let collector = Collector::start(Mood::Takes);
        let running = start((service, Parts::Embedded), &collector.url(), &[]);
        let parent = traceparent(&trace_id(1), "01");
        let body = user(&"x".repeat(300));
        let answer = send(
            &running.client(),
            ("POST", service.write_path()),
            &parent,
            Some(&body),
        );
        assert_eq!(answer.status, 422);
        let name = format!("POST {}", service.write_path());
        let spans = collector.wait_for(&trace_id(1), &[&name]);
        assert_eq!(spans.len(), 1, "{spans:?}");
        // By convention an error of the client is none of the server.
        assert!(!is_error(&spans[0]));
        let status = attribute(&spans[0].attributes, "http.response.status_code");
        assert_eq!(status.unwrap(), "422");
    }
}
