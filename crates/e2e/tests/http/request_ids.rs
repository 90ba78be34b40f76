//! The id of each request, in its answer and in the log.

use std::collections::HashSet;

use serde_json::Value;
use testkit::http::Response;

use crate::api::{record, shown};
use crate::combination::{Turn, own_name};
use crate::problem::expect_problem;

checks!(request_ids:
    an_id_that_came_is_answered,
    an_unusual_id_is_replaced,
    every_answer_has_an_id_of_its_own,
    an_error_has_the_id_in_its_document,
    a_long_error_has_the_id_in_its_document,
    the_log_has_a_line_for_each_request,
    the_log_has_no_such_line_at_info,
);

const ID: &str = "0195f3c2-7a60.req:1/2+3=";

fn id(answer: &Response) -> String {
    let ids = answer.headers.get_all("x-request-id").iter().count();
    assert_eq!(ids, 1, "{}", shown(answer));
    answer.header("x-request-id").unwrap().to_owned()
}

pub(crate) fn an_id_that_came_is_answered(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("request-id");
    let headers = [("X-Request-Id", ID), ("Content-Type", "application/json")];
    let body = record(&name, 30, "Engineer").to_string();
    let path = testkit::http::user_path(&name);
    for (method, path) in [
        ("PUT", path.as_str()),
        ("GET", &path),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("POST", "/healthz"),
        ("OPTIONS", "/users"),
    ] {
        let body = (method == "PUT").then_some(body.as_bytes());
        let answer = api.wire(method, path, &headers, body);
        assert_eq!(id(&answer), ID, "{method} {path}");
    }
}

pub(crate) fn an_unusual_id_is_replaced(turn: &Turn) {
    let api = turn.shared();
    let long = "x".repeat(129);
    for unusual in ["a b", "a\"b", "<script>", &long, ""] {
        let headers = [("X-Request-Id", unusual)];
        let answer = api.client().request("GET", "/healthz", &headers, None);
        let made = id(&answer);
        assert_ne!(made, unusual);
        assert_eq!(made.len(), 27, "{made}");
    }
}

pub(crate) fn every_answer_has_an_id_of_its_own(turn: &Turn) {
    let api = turn.shared();
    let ids: HashSet<String> = (0..100)
        .map(|_| id(&api.client().get("/healthz")))
        .collect();
    assert_eq!(ids.len(), 100);
}

pub(crate) fn an_error_has_the_id_in_its_document(turn: &Turn) {
    let api = turn.shared();
    for (method, path, status) in [
        ("GET", "/users/absent", 404),
        ("GET", "/users?limit=0", 422),
        ("GET", "/nowhere", 404),
        ("POST", "/healthz", 405),
        ("GET", "/users/%F", 400),
    ] {
        for headers in [&[("X-Request-Id", ID)][..], &[]] {
            let answer = api.client().request(method, path, headers, None);
            expect_problem(&answer, status);
            assert_eq!(answer.json()["request_id"], id(&answer), "{path}");
        }
    }
}

/// A document of more than 16 KiB is sent in pieces.
pub(crate) fn a_long_error_has_the_id_in_its_document(turn: &Turn) {
    let api = turn.shared();
    let unknown: Vec<String> = (0..1000).map(|field| format!("\"u{field}\":1")).collect();
    let body = format!("{{{}}}", unknown.join(","));
    let headers = [("Content-Type", "application/json"), ("X-Request-Id", ID)];
    let answer = api.wire("PUT", "/users/long-error", &headers, Some(body.as_bytes()));
    assert!(answer.body.len() > 16 * 1024, "{}", answer.body.len());
    assert_eq!(expect_problem(&answer, 422).len(), 1000 + 2);
    assert_eq!(answer.json()["request_id"], id(&answer));
}

/// What the access log says in a log of JSON.
fn access_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.contains("\"answered\""));
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone())
        .collect()
}

pub(crate) fn the_log_has_a_line_for_each_request(turn: &Turn) {
    let settings = [
        ("LOG", "info,cache_http::access=debug"),
        ("LOG_FORMAT", "json"),
    ];
    let running = turn.parts().start_with(turn.service(), &settings);
    let client = running.client();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("X-Request-Id", ID), ("Traceparent", parent.as_str())];
    let absent = client.request("GET", "/users/absent", &headers, None);
    let health = client.get("/healthz");
    let mut lines = Vec::new();
    testkit::wait::wait_until("both are logged", || {
        lines = access_lines(&running.logs());
        lines.len() >= 2
    });
    let first = lines.iter().find(|line| line["request_id"] == ID).unwrap();
    assert_eq!(first["method"], "GET", "{first}");
    assert_eq!(first["route"], "/users/{name}", "{first}");
    assert_eq!(first["status"], 404, "{first}");
    assert_eq!(first["bytes"], absent.body.len(), "{first}");
    assert_eq!(first["trace_id"], trace, "{first}");
    assert!(first["duration_us"].is_u64(), "{first}");
    let made = id(&health);
    let second = lines
        .iter()
        .find(|line| line["request_id"] == made.as_str());
    let second = second.unwrap();
    assert_eq!(second["status"], 200, "{second}");
    assert_eq!(second["trace_id"], Value::Null, "{second}");
}

pub(crate) fn the_log_has_no_such_line_at_info(turn: &Turn) {
    let settings = [("LOG_FORMAT", "json")];
    let mut running = turn.parts().start_with(turn.service(), &settings);
    assert_eq!(running.client().get("/healthz").status, 200);
    assert!(running.terminate().success());
    let logs = running.logs();
    assert_eq!(access_lines(&logs), Vec::<Value>::new(), "{logs}");
}
