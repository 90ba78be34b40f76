//! The document has exactly the calls that the service has.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::http::Response;
use testkit::service::{Service, ServiceProcess};
use testkit::wire;

use crate::tools::root;

/// Those that a document can have, and one that none has.
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW",
];
/// Where routes may be given to the server.
const REGISTRATIONS: &[&str] = &["crates/http/src/resource.rs", "crates/http/src/unknown.rs"];
/// How that is written.
const WAYS: &[&str] = &["web::resource(", "web::scope(", ".service(", "web::route("];

struct Site {
    process: ServiceProcess,
    document: Value,
}

impl Site {
    fn start(service: Service) -> Site {
        let process = ServiceProcess::start(service, &[]);
        let document = process.client().get("/openapi.json").json();
        Site { process, document }
    }

    fn paths(&self) -> impl Iterator<Item = (&str, BTreeSet<String>)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        paths.map(|(path, item)| (path.as_str(), described_methods(item)))
    }

    fn ask(&self, method: &str, path: &str) -> Response {
        let path = path.replace("{name}", "validation");
        let request = wire::request(method, path.as_bytes(), &[], None);
        wire::send(self.process.base_url(), &request)
    }
}

/// `HEAD` works wherever `GET` does, and `OPTIONS` everywhere, as the document says in words.
fn described_methods(item: &Value) -> BTreeSet<String> {
    let keys = item.as_object().unwrap().keys();
    let mut methods: BTreeSet<String> = keys
        .filter(|key| *key != "parameters")
        .map(|key| key.to_uppercase())
        .collect();
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    methods.insert("OPTIONS".to_owned());
    methods
}

fn listed(allow: &str) -> BTreeSet<String> {
    allow.split(", ").map(str::to_owned).collect()
}

#[test]
fn described_methods_are_taken_and_others_refused() {
    for service in Service::all() {
        let site = Site::start(service);
        for (path, described) in site.paths() {
            let options = site.ask("OPTIONS", path);
            assert_eq!(options.status, 204, "{path}");
            let allow = options.header("Allow").expect("an Allow");
            assert_eq!(listed(allow), described, "{path}");
            for method in METHODS {
                // It never ends.
                if (*method, path) == ("GET", "/dashboard/events") {
                    continue;
                }
                let answer = site.ask(method, path);
                let is_refused = answer.status == 405;
                assert_eq!(is_refused, !described.contains(*method), "{method} {path}");
                let body = String::from_utf8_lossy(&answer.body);
                let is_unknown = answer.status == 404 && body.contains("no-such-route");
                assert!(!is_unknown, "{method} {path}");
            }
        }
    }
}

#[test]
fn calls_that_are_switched_off_are_not_described() {
    let process = ServiceProcess::start(Service::WriteThrough, &[("DASHBOARD", "off")]);
    let document = process.client().get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.keys().all(|path| !path.starts_with("/dashboard")));
    assert!(paths.contains_key("/users"));
}

#[test]
fn every_described_call_is_in_the_page_of_the_interface() {
    let page = std::fs::read_to_string(root().join("docs/api.md")).unwrap();
    for service in Service::all() {
        let site = Site::start(service);
        for (path, item) in site.document["paths"].as_object().unwrap() {
            for (method, call) in item.as_object().unwrap() {
                // A call for a name that is a path of its own is that of all names.
                let id = call["operationId"].as_str().unwrap_or("_");
                let call = format!("`{} {path}", method.to_uppercase());
                let call = call.replace("/problems/{name}", "/problems/{type}");
                let ends = ["`", "?"].map(|end| format!("{call}{end}"));
                let is_there = ends.iter().any(|call| page.contains(call));
                assert!(id.contains('_') || is_there, "{call} is not in docs/api.md");
            }
        }
    }
}

/// A route that is given to the server in another way would not be described.
#[test]
fn routes_are_added_in_one_place_only() {
    let folders = ["http", "write-through-svc", "write-behind-svc"];
    let files = folders.map(|name| root().join("crates").join(name).join("src"));
    let mut pending = files.to_vec();
    let mut seen = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            pending.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if !name.ends_with(".rs") || REGISTRATIONS.contains(&name) {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let found = WAYS.iter().find(|way| text.contains(**way));
        assert_eq!(found, None, "{name}: a route goes by resource()");
    }
    assert!(seen > 30, "only {seen} files");
}

#[test]
fn the_policy_of_the_page_names_its_script_and_style_alone() {
    let process = ServiceProcess::start(Service::WriteThrough, &[]);
    let answer = process.client().get("/docs");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    let policy = answer.header("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(policy.contains("; script-src 'sha256-") && policy.contains("connect-src 'self'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!answer.text().contains("{{"));
}
