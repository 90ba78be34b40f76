//! Paths that lead nowhere, or cannot be decoded.

use serde_json::json;

use crate::combination::{Turn, own_name};
use crate::problem::{Kept, expect_problem};

checks!(paths:
    a_path_that_leads_nowhere_is_404,
    a_path_that_cannot_be_decoded_is_400,
    a_path_that_is_no_valid_name_is_422,
);

pub(crate) fn a_path_that_leads_nowhere_is_404(turn: &Turn) {
    let api = turn.shared();
    let mut paths = vec![
        "//",
        "/x",
        "/users/",
        "/users//",
        "/users/a/b",
        "/users/a/",
        "/Users",
        "/USERS/a",
        "/user",
        "/users.json",
        "/healthz/",
        "/healthz/x",
        "/health",
        "/readyz/",
        "/metrics/x",
        "/dashboard/",
        "/dashboard/x",
        "//users",
        "//users/a",
        "/./users/a",
        "/users/../healthz",
        "/%75sers/",
        "/.git/config",
        "/etc/passwd",
        "/index.html",
        "/favicon.ico",
        "/%2e%2e/",
        "/write",
        "/read",
        "/nowhere?x=%zz",
    ];
    if !turn.is_write_behind() {
        paths.extend(["/journal", "/flush"]);
    }
    for path in paths {
        let answer = api.wire("GET", path, &[], None);
        assert_eq!(expect_problem(&answer, 404), Vec::<String>::new(), "{path}");
    }
    api.assert_healthy();
}

pub(crate) fn a_path_that_cannot_be_decoded_is_400(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("decode"));
    let body = json!({ "age": 30, "occupation": "Intruder" }).to_string();
    let headers = [("Content-Type", "application/json")];
    for name in [
        "%",
        "a%",
        "%4",
        "%zz",
        "%4g",
        "%g4",
        "%%",
        "%-1",
        "%+1",
        "%u0041",
        "%F",
        "a%20%",
        "%2",
        "%C3",
        "%C3%28",
        "%FF",
        "%C0%80",
        "%ED%A0%80",
        "%F4%90%80%80",
        "%E2%82",
        "a%FFb",
        "%80",
    ] {
        let path = format!("/users/{name}");
        for (method, body) in [
            ("GET", None),
            ("PUT", Some(body.as_bytes())),
            ("DELETE", None),
        ] {
            let answer = kept.api().wire(method, &path, &headers, body);
            kept.expect_refused(&path, &answer, 400, &[]);
        }
    }
}

pub(crate) fn a_path_that_is_no_valid_name_is_422(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("no name"));
    for name in [
        "%20",
        "%20a",
        "a%20",
        "%09",
        "a%0Ab",
        "%00",
        "a%00",
        "%7F",
        "%C2%85",
        "%C2%A0a",
        "a%E3%80%80",
        "%E2%80%A8",
    ] {
        let path = format!("/users/{name}");
        for method in ["GET", "DELETE"] {
            let answer = kept.api().wire(method, &path, &[], None);
            kept.expect_refused(&path, &answer, 422, &["name"]);
        }
    }
    let long = format!("/users/{}", "a".repeat(256));
    let answer = kept.api().wire("GET", &long, &[], None);
    kept.expect_refused("256 characters", &answer, 422, &["name"]);
}
