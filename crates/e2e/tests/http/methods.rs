//! Methods: what a resource does not take is `405`, and `Allow` lists exactly what it takes, as the answer to
//! `OPTIONS` does.

use std::collections::BTreeSet;

use testkit::http::user_path;

use crate::combination::{Turn, own_name};
use crate::problem::{Kept, expect_problem};

checks!(methods:
    allow_lists_exactly_what_a_resource_takes,
    a_resource_that_is_not_there_takes_nothing,
    the_whole_server_says_what_it_takes,
);

/// Those of RFC 9110 and RFC 5789, and some unknown ones. `CONNECT` is for proxies.
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "Post", "BREW",
    "QUERY",
];

fn resources(turn: &Turn, name: &str) -> Vec<(String, &'static str)> {
    let service = turn.service();
    let mut resources = vec![
        (service.write_path().to_owned(), "POST"),
        (service.read_path().to_owned(), "POST"),
        ("/users".to_owned(), "GET, HEAD"),
        (user_path(name), "GET, HEAD, PUT, DELETE"),
        ("/healthz".to_owned(), "GET, HEAD"),
        ("/readyz".to_owned(), "GET, HEAD"),
        ("/metrics".to_owned(), "GET, HEAD"),
        ("/dashboard".to_owned(), "GET, HEAD"),
        ("/openapi.json".to_owned(), "GET, HEAD"),
        ("/docs".to_owned(), "GET, HEAD"),
        ("/".to_owned(), "GET, HEAD"),
        ("/problems".to_owned(), "GET, HEAD"),
        ("/problems/validation".to_owned(), "GET, HEAD"),
        ("/cache".to_owned(), "DELETE"),
        (format!("/cache{}", user_path(name)), "DELETE"),
    ];
    if turn.is_write_behind() {
        resources.push(("/journal".to_owned(), "GET, HEAD"));
        resources.push(("/flush".to_owned(), "POST"));
        resources.push(("/dead-letters".to_owned(), "GET, HEAD"));
        resources.push(("/dead-letters/replay".to_owned(), "POST, DELETE"));
        resources.push(("/dead-letters/x".to_owned(), "DELETE"));
        resources.push(("/dead-letters/x/replay".to_owned(), "POST"));
    }
    resources
}

fn listed(allow: &str) -> BTreeSet<&str> {
    allow.split(',').map(str::trim).collect()
}

pub(crate) fn allow_lists_exactly_what_a_resource_takes(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("method"));
    let api = kept.api();
    let missing = own_name("method");
    for (path, expected) in resources(turn, &missing) {
        let mut expected = listed(expected);
        expected.insert("OPTIONS");
        let mut taken = BTreeSet::new();
        for method in METHODS {
            let answer = api.wire(method, &path, &[], None);
            if *method == "OPTIONS" {
                assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
                let allow = answer.header("Allow").expect("an Allow");
                assert_eq!(listed(allow), expected, "{path}");
                taken.insert(*method);
                continue;
            }
            if answer.status != 405 {
                assert_eq!(answer.header("Allow"), None, "{method} {path}");
                assert!(answer.status < 500, "{method} {path}");
                taken.insert(*method);
                continue;
            }
            let allow = answer.header("Allow").expect("an Allow").to_owned();
            assert_eq!(listed(&allow), expected, "{method} {path}");
            if *method == "HEAD" {
                assert!(answer.body.is_empty(), "{path}");
            } else {
                kept.expect_refused(&format!("{method} {path}"), &answer, 405, &[]);
            }
        }
        assert_eq!(taken, expected, "{path}");
    }
}

pub(crate) fn a_resource_that_is_not_there_takes_nothing(turn: &Turn) {
    let api = turn.shared();
    for method in METHODS.iter().filter(|method| **method != "HEAD") {
        let answer = api.wire(method, "/nowhere", &[], None);
        expect_problem(&answer, 404);
        assert_eq!(answer.header("Allow"), None);
    }
}

pub(crate) fn the_whole_server_says_what_it_takes(turn: &Turn) {
    let api = turn.shared();
    let answer = api.wire("OPTIONS", "*", &[], None);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let allow = listed(answer.header("Allow").expect("an Allow"));
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];
    assert_eq!(allow, BTreeSet::from(methods));
    for method in METHODS
        .iter()
        .filter(|method| !matches!(**method, "HEAD" | "OPTIONS"))
    {
        expect_problem(&api.wire(method, "*", &[], None), 404);
    }
}
