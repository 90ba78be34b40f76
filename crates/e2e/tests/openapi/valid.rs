//! The document is one of OpenAPI 3.1.

use std::fs;

use serde_json::Value;
use testkit::service::{Service, ServiceProcess, run_to_end};

use crate::tools::{root, tool};

#[test]
fn the_document_is_valid_openapi_3_1() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let answer = process.client().get("/openapi.json");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        let document = answer.json();
        let version = document["openapi"].as_str().unwrap();
        assert!(version.starts_with("3.1."), "{version}");

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("openapi.json");
        fs::write(&file, &answer.body).unwrap();
        let validated = run_to_end(tool("openapi-spec-validator").arg(&file));
        let said = String::from_utf8_lossy(&validated.stdout);
        assert!(validated.status.success(), "{}: {said}", service.name());

        assert_eq!(document["info"]["title"], service.name());
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(
            document["info"]["license"]["identifier"],
            "Apache-2.0 OR MIT"
        );
        assert_eq!(document["servers"][0]["url"], "/");
    }
}

#[test]
fn operation_ids_are_unique_and_every_call_has_its_texts() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let document = process.client().get("/openapi.json").json();
        let tags: Vec<&str> = texts(&document["tags"], "name");
        let mut ids = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let operations = item.as_object().unwrap().iter();
            for (method, call) in operations.filter(|(key, _)| *key != "parameters") {
                let id = call["operationId"].as_str().unwrap();
                assert!(!ids.contains(&id.to_owned()), "{id} is there twice");
                ids.push(id.to_owned());
                assert!(call["summary"].is_string(), "{method} {path}");
                let tag = call["tags"][0].as_str().unwrap();
                assert!(tags.contains(&tag), "{method} {path}");
            }
        }
    }
}

#[test]
fn every_type_of_error_that_a_described_call_has_is_described() {
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `/problems/"));
    let mut types: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    // Only other methods than the described ones have it.
    types.retain(|name| *name != "method-not-allowed");
    types.sort_unstable();
    let process = ServiceProcess::start(Service::WriteBehind, &[]);
    let document = process.client().get("/openapi.json").json();
    let examples = document["components"]["examples"].as_object().unwrap();
    let described: Vec<&str> = examples.keys().map(String::as_str).collect();
    assert_eq!(described, types);
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap().iter();
    list.map(|member| member[key].as_str().unwrap()).collect()
}
