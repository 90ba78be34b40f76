//! The types of problems: each is described at the service itself, and each problem has its own.

use serde_json::json;
use testkit::http::user_path;

use crate::combination::{Turn, own_name};
use crate::problem::{documented_types, expect_problem, problem_type};

checks!(problem_types:
    every_type_is_described_at_its_path,
    a_type_that_is_not_there_is_unknown,
    each_refusal_has_its_type,
);

const JSON: (&str, &str) = ("Content-Type", "application/json");

pub(crate) fn every_type_is_described_at_its_path(turn: &Turn) {
    let api = turn.shared();
    let all = api.client().get("/problems");
    assert_eq!(all.status, 200);
    let documented = documented_types();
    assert!(documented.len() > 20);
    let listed = all
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    let mut listed: Vec<&str> = listed.collect();
    listed.sort_unstable();
    assert_eq!(listed, documented.keys().copied().collect::<Vec<_>>());
    for (path, status) in documented {
        let one = api.client().get(path);
        assert_eq!(one.status, 200, "{path}");
        assert_eq!(
            one.header("Content-Type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(one.text().starts_with(&format!("## {path}\n\n{status}: ")));
        assert!(one.text().ends_with('\n'));
        assert!(all.text().contains(one.text()), "{path}");
    }
}

pub(crate) fn a_type_that_is_not_there_is_unknown(turn: &Turn) {
    let api = turn.shared();
    for path in ["/problems/", "/problems/nothing", "/problems/Unavailable"] {
        expect_problem(&api.client().get(path), 404);
    }
    assert_eq!(
        problem_type(&api.client().get("/problems/%ff")),
        "malformed-request"
    );
}

pub(crate) fn each_refusal_has_its_type(turn: &Turn) {
    let api = turn.shared();
    let write = turn.service().write_path();
    let name = own_name("type");
    let user = user_path(&name);
    let record = json!({ "age": 1, "occupation": "x" }).to_string();
    let large = " ".repeat(20_000);
    let foreign = ("Origin", "http://evil.example");
    for (method, path, headers, body, expected) in [
        ("POST", write, &[JSON][..], "{", "invalid-json"),
        ("POST", write, &[JSON], "\u{feff}{}", "invalid-json"),
        ("GET", "/users/%F", &[], "", "malformed-request"),
        ("GET", &user, &[("If-Match", "x")], "", "malformed-request"),
        ("PUT", &user, &[JSON, foreign], &record, "foreign-origin"),
        ("GET", &user, &[], "", "not-found"),
        ("DELETE", &user, &[], "", "not-found"),
        ("GET", "/nowhere", &[], "", "no-such-route"),
        ("PATCH", &user, &[], "", "method-not-allowed"),
        (
            "PUT",
            &user,
            &[JSON, ("If-Match", "*")],
            &record,
            "precondition-failed",
        ),
        ("POST", write, &[JSON], &large, "body-too-large"),
        ("POST", write, &[], "{}", "unsupported-media-type"),
        ("POST", write, &[JSON], "{}", "validation"),
        ("POST", write, &[JSON], "[]", "validation"),
        ("GET", "/users?limit=0", &[], "", "validation"),
    ] {
        let body = (!body.is_empty()).then_some(body.as_bytes());
        let answer = api.wire(method, path, headers, body);
        assert_eq!(problem_type(&answer), expected, "{method} {path}");
    }
}
