//! Which call needs which right.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::service::Service;

use crate::site::Site;

const OPEN: usize = 0;
const READ: usize = 1;
const WRITE: usize = 2;
const ADMIN: usize = 3;
const NAMES: [&str; 4] = ["", "read", "write", "admin"];

/// Every call of either service.
const TABLE: &[(&str, &str, usize)] = &[
    ("get", "/", OPEN),
    ("get", "/docs", OPEN),
    ("get", "/openapi.json", OPEN),
    ("get", "/problems", OPEN),
    ("get", "/problems/{name}", OPEN),
    ("get", "/healthz", OPEN),
    ("get", "/readyz", OPEN),
    ("get", "/dashboard", OPEN),
    ("get", "/dashboard/events", READ),
    ("get", "/metrics", READ),
    ("get", "/users", READ),
    ("get", "/users/{name}", READ),
    ("get", "/users/batch", READ),
    ("get", "/users/get", READ),
    ("post", "/users/get", READ),
    ("post", "/read-through", READ),
    ("post", "/read-behind", READ),
    ("get", "/journal", READ),
    ("post", "/write-through", WRITE),
    ("post", "/write-behind", WRITE),
    ("post", "/users/batch", WRITE),
    ("put", "/users/{name}", WRITE),
    ("put", "/users/batch", WRITE),
    ("put", "/users/get", WRITE),
    ("delete", "/users/{name}", WRITE),
    ("delete", "/users/batch", WRITE),
    ("delete", "/users/get", WRITE),
    ("delete", "/cache/users/{name}", WRITE),
    ("delete", "/cache", ADMIN),
    ("post", "/flush", ADMIN),
    ("get", "/dead-letters", ADMIN),
    ("post", "/dead-letters/replay", ADMIN),
    ("delete", "/dead-letters/replay", ADMIN),
    ("delete", "/dead-letters/{name}", ADMIN),
    ("post", "/dead-letters/{name}/replay", ADMIN),
];

#[test]
fn every_route_asks_for_the_right_in_the_table() {
    let mut unused: BTreeSet<_> = TABLE.iter().map(|(m, p, _)| format!("{m} {p}")).collect();
    for service in Service::all() {
        let site = Site::start(service, &[]);
        let document = site.ask("GET", "/openapi.json", None).json();
        let tokens = [
            None,
            Some(&site.reader),
            Some(&site.writer),
            Some(&site.admin),
        ];
        for (path, item) in document["paths"].as_object().unwrap() {
            let calls = item.as_object().unwrap().iter();
            for (method, call) in calls.filter(|(key, _)| *key != "parameters") {
                let row = TABLE.iter().find(|(m, p, _)| m == method && p == path);
                let (_, _, needed) = row.unwrap_or_else(|| panic!("no row for {method} {path}"));
                unused.remove(&format!("{method} {path}"));
                let described = match *needed {
                    OPEN => json!(null),
                    needed => json!([{ "token": [NAMES[needed]] }]),
                };
                assert_eq!(call["security"], described, "{method} {path}");
                let methods: &[&str] = match method.as_str() {
                    "get" => &["GET", "HEAD"],
                    "post" => &["POST"],
                    "put" => &["PUT"],
                    _ => &["DELETE"],
                };
                for (method, (held, token)) in methods
                    .iter()
                    .flat_map(|method| tokens.iter().enumerate().map(move |held| (method, held)))
                {
                    // It never ends.
                    if (*method, path.as_str()) == ("GET", "/dashboard/events") && held >= *needed {
                        continue;
                    }
                    let answer = site.ask(method, &path.replace("{name}", "absent"), *token);
                    let expected = match () {
                        () if held >= *needed => None,
                        () if held == OPEN => Some(401),
                        () => Some(403),
                    };
                    let refused = [401, 403].contains(&answer.status).then_some(answer.status);
                    assert_eq!(refused, expected, "{method} {path} with {}", NAMES[held]);
                }
            }
        }
        for path in ["/nowhere", "/users/a/b"] {
            assert_eq!(site.ask("GET", path, None).status, 401);
            assert_eq!(site.ask("GET", path, Some(&site.reader)).status, 404);
        }
        assert_eq!(site.ask("BREW", "/users", None).status, 401);
        assert_eq!(site.ask("OPTIONS", "/users", None).status, 204);
    }
    assert!(unused.is_empty(), "no service has {unused:?}");
}

#[test]
fn without_the_setting_no_call_needs_a_token() {
    let process = testkit::service::ServiceProcess::start(Service::WriteBehind, &[]);
    let client = process.client();
    for path in ["/users", "/metrics", "/dead-letters"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    let ready = client.get("/readyz").json();
    assert!(ready["parts"].is_object(), "{ready}");
    assert!(ready["warnings"].is_null(), "{ready}");
    let document = client.get("/openapi.json").text().to_owned();
    assert!(!document.contains("\"security\""));
    let process =
        testkit::service::ServiceProcess::start(Service::WriteBehind, &[("LISTEN", "0.0.0.0:0")]);
    let client = process.client();
    let ready = client.get("/readyz");
    assert_eq!(ready.status, 200);
    let warnings = ready.json()["warnings"].to_string();
    assert!(
        warnings.contains("AUTH_TOKENS_FILE is not set"),
        "{warnings}"
    );
    assert!(process.logs().contains("AUTH_TOKENS_FILE is not set"));
}
