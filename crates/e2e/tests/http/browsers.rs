//! Requests that a browser sends for a page of another site: cross-site requests and DNS rebinding.

use serde_json::json;
use testkit::http::{Response, user_path};
use testkit::service::{Service, ServiceProcess, run_to_end};
use testkit::wire::{self, Connection};

use crate::api::Api;
use crate::combination::{Turn, own_name};
use crate::problem::{Kept, expect_problem};

checks!(browsers:
    a_foreign_origin_changes_nothing,
    a_foreign_origin_is_refused_before_the_body,
    an_unknown_host_is_refused_to_browsers,
    plain_clients_may_use_any_host,
    pages_of_the_service_may_write,
    a_foreign_page_is_given_no_cors_headers,
);

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FOREIGN: &str = "http://evil.example";

fn send(
    api: &Api,
    host: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Response {
    let body = body.map(str::as_bytes);
    let request = wire::request(method, path.as_bytes(), headers, body);
    wire::send(&api.base_url, &with_host(&request, host))
}

fn with_host(request: &[u8], host: &str) -> Vec<u8> {
    let text = String::from_utf8(request.to_vec()).unwrap();
    text.replacen("Host: localhost", &format!("Host: {host}"), 1)
        .into_bytes()
}

fn address(api: &Api) -> &str {
    api.base_url.trim_start_matches("http://")
}

/// Every call that changes something, on this user.
fn changes(api: &Api, name: &str) -> Vec<(&'static str, String, Option<String>)> {
    let record = json!({ "name": name, "age": 1, "occupation": "Forger" }).to_string();
    let cached = format!("/cache{}", user_path(name));
    let mut calls = vec![
        (
            "POST",
            api.service.write_path().to_owned(),
            Some(record.clone()),
        ),
        ("PUT", user_path(name), Some(record)),
        ("DELETE", user_path(name), None),
        ("DELETE", "/cache".to_owned(), None),
        ("DELETE", cached, None),
        ("DELETE", "/nowhere".to_owned(), None),
    ];
    if api.service == Service::WriteBehind {
        calls.push(("POST", "/flush".to_owned(), None));
        calls.push(("POST", "/dead-letters/x/replay".to_owned(), None));
        calls.push(("DELETE", "/dead-letters/x".to_owned(), None));
    }
    calls
}

pub(crate) fn a_foreign_origin_changes_nothing(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("foreign"));
    let api = kept.api();
    let own = address(api);
    let port = own.rsplit(':').next().unwrap();
    let other_port = "http://127.0.0.1:1".to_owned();
    let https = format!("https://{own}");
    let other_name = format!("http://localhost:{port}");
    let own_origin = format!("http://{own}");
    for (method, path, body) in changes(api, &kept.name) {
        for headers in [
            vec![("Origin", FOREIGN)],
            vec![("Origin", "null")],
            vec![("Origin", "")],
            vec![("Origin", &other_port)],
            vec![("Origin", &https)],
            vec![("Origin", &other_name)],
            vec![("Origin", &own_origin), ("Origin", FOREIGN)],
            vec![("Origin", FOREIGN), ("Sec-Fetch-Site", "same-origin")],
            vec![("Sec-Fetch-Site", "cross-site")],
            vec![("Sec-Fetch-Site", "same-site")],
        ] {
            let fields = [&headers[..], &[JSON]].concat();
            let answer = send(api, own, (method, &path), &fields, body.as_deref());
            assert_eq!(answer.status, 403, "{method} {path} {headers:?}");
            expect_problem(&answer, 403);
        }
    }
    kept.assert_unchanged();
}

pub(crate) fn a_foreign_origin_is_refused_before_the_body(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("foreign"));
    let headers = [JSON, ("Origin", FOREIGN), ("Content-Length", "1000")];
    let path = user_path(&kept.name);
    let head = wire::request("PUT", path.as_bytes(), &headers, None);
    let mut connection = Connection::open(&kept.api().base_url);
    connection.write(&head).unwrap();
    let answer = connection.read_answer(false).unwrap();
    kept.expect_refused("a head", &answer, 403, &[]);
}

pub(crate) fn an_unknown_host_is_refused_to_browsers(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("rebound"));
    let api = kept.api();
    let path = user_path(&kept.name);
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
    ] {
        // To the browser, page and service have one origin.
        let origin = format!("http://{host}");
        for headers in [
            [("Origin", origin.as_str())],
            [("Sec-Fetch-Site", "same-origin")],
            [("Sec-Fetch-Site", "none")],
        ] {
            for target in ["/users", &path, "/metrics", "/dashboard", "/nowhere"] {
                let answer = send(api, host, ("GET", target), &headers, None);
                assert_eq!(answer.status, 421, "{host} {target} {headers:?}");
                expect_problem(&answer, 421);
            }
            for (method, path, body) in changes(api, &kept.name) {
                let fields = [headers[0], JSON];
                let answer = send(api, host, (method, &path), &fields, body.as_deref());
                assert_eq!(answer.status, 421, "{host} {method} {path} {headers:?}");
            }
        }
    }
    kept.assert_unchanged();
}

pub(crate) fn plain_clients_may_use_any_host(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("plain");
    let record = json!({ "name": name, "age": 1, "occupation": "Client" });
    for host in ["backend", "users.example:80", "10.0.0.7:8080", "[::1]:8080"] {
        let write = ("POST", api.service.write_path());
        let written = send(&api, host, write, &[JSON], Some(&record.to_string()));
        assert_eq!(written.status, 200, "{host}");
        let read = send(&api, host, ("GET", &user_path(&name)), &[], None);
        assert_eq!(read.json(), record, "{host}");
    }
}

pub(crate) fn pages_of_the_service_may_write(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("own");
    let record = json!({ "name": name, "age": 1, "occupation": "Owner" }).to_string();
    let port = address(&api).rsplit(':').next().unwrap();
    for host in [
        address(&api).to_owned(),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        "localhost".to_owned(),
    ] {
        let origin = format!("http://{host}");
        let headers = [
            JSON,
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        let write = ("POST", api.service.write_path());
        let written = send(&api, &host, write, &headers, Some(&record));
        assert_eq!(written.status, 200, "{host}");
        for site in ["same-origin", "none", "cross-site"] {
            let headers = [("Sec-Fetch-Site", site)];
            let read = send(&api, &host, ("GET", "/healthz"), &headers, None);
            assert_eq!(read.status, 200, "{host} {site}");
        }
    }
}

pub(crate) fn a_foreign_page_is_given_no_cors_headers(turn: &Turn) {
    let api = turn.shared();
    let ask = ("Access-Control-Request-Method", "PUT");
    for (call, headers, status) in [
        (("GET", "/users"), &[("Origin", FOREIGN)][..], 200),
        (("OPTIONS", "/users/x"), &[("Origin", FOREIGN), ask], 403),
    ] {
        let answer = send(&api, address(&api), call, headers, None);
        let names: Vec<&str> = answer.headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(answer.status, status, "{call:?}");
        let is_cors = |name: &&str| name.starts_with("access-control-");
        assert!(!names.iter().any(is_cors), "{names:?}");
    }
}

#[test]
fn a_listed_origin_may_write_behind_a_proxy() {
    for service in Service::all() {
        let listed = "https://users.example, http://backend:8080";
        let process = ServiceProcess::start(service, &[("ALLOWED_ORIGINS", listed)]);
        let api = Api::at(service, process.base_url());
        let record = json!({ "name": "a", "age": 1, "occupation": "b" }).to_string();
        let write = ("POST", service.write_path());
        for (host, origin, status) in [
            // The proxy passes the public name on, or its own name for the service.
            ("users.example", "https://users.example", 200),
            ("backend:8080", "https://users.example", 200),
            ("elsewhere", "https://users.example", 200),
            ("users.example", "https://users.example:8443", 403),
            ("users.example", "https://other.example", 403),
            ("other.example", "https://other.example", 421),
        ] {
            let headers = [JSON, ("Origin", origin)];
            let answer = send(&api, host, write, &headers, Some(&record));
            assert_eq!(answer.status, status, "{host} {origin}");
        }
        for (host, status) in [
            ("users.example", 200),
            ("backend:8080", 200),
            ("x.example", 421),
        ] {
            let headers = [("Sec-Fetch-Site", "same-origin")];
            let answer = send(&api, host, ("GET", "/dashboard"), &headers, None);
            assert_eq!(answer.status, status, "{host}");
        }
    }
}

#[test]
fn an_origin_with_a_path_is_a_bad_setting() {
    for service in Service::all() {
        for listed in [
            "users.example",
            "https://users.example/x",
            "*",
            "null",
            "ftp://a",
        ] {
            let output = run_to_end(service.command().env("ALLOWED_ORIGINS", listed));
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(64), "{listed}: {said}");
            assert!(said.contains("ALLOWED_ORIGINS"), "{listed}: {said}");
        }
    }
}
