//! The services answer as their documents say: schemathesis sends them requests of its own making, valid
//! and invalid, and judges status, media type, headers and body of each answer.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use testkit::parts::{Parts, RunningService};
use testkit::service::{Service, run_to_end_within};
use testkit::wait::wait_until;

use crate::tools::{root, tool};

const FOLDER: &str = "crates/e2e/tests/openapi";
/// The document in the service's folder.
const DOCUMENT: &str = "openapi.json";
/// Most requests of its own for each call in one phase.
const EXAMPLES_MAX: &str = "12";
/// How long one service may take. It takes a quarter of a minute on an idle machine.
const TIMEOUT: Duration = Duration::from_secs(300);
/// The name of a user that the database refuses, which `schemathesis.toml` has as well.
const REFUSED: &str = "refused";

fn schemathesis(running: &RunningService) -> Command {
    let mut command = tool("schemathesis");
    let folder = root().join(FOLDER);
    // Its cache stays with the service's data, which is removed.
    command
        .current_dir(running.folder())
        .env("HOME", running.folder())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", &folder)
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        // From a file: of a document that it asks for, it leaves out the call that answers with it.
        .arg(DOCUMENT)
        .args(["--url", running.base_url()])
        .args(["--max-examples", EXAMPLES_MAX, "--no-color"]);
    command
}

#[track_caller]
fn expect_no_failure(running: &RunningService) {
    let document = running.client().get("/openapi.json");
    fs::write(running.folder().join(DOCUMENT), &document.body).unwrap();
    let judged = run_to_end_within(&mut schemathesis(running), TIMEOUT);
    let said = String::from_utf8_lossy(&judged.stdout);
    let errors = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}\n{errors}");
    let calls: usize = document.json()["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len() - 1)
        .sum();
    // All but the stream that never ends, and the one that it makes no bodies for.
    let selected = format!("Selected: {}/{calls}", calls - 2);
    assert!(said.contains(&selected), "not {selected}: {said}");
    assert_eq!(running.client().get("/healthz").status, 200);
}

#[test]
#[ignore = "needs servers"]
fn write_through_answers_as_it_is_described() {
    expect_no_failure(&Parts::RedisMariaDb.start(Service::WriteThrough));
}

#[test]
#[ignore = "needs servers"]
fn write_behind_answers_as_it_is_described() {
    let running = Parts::RedisMariaDb.start(Service::WriteBehind);
    let database = running.database().expect("a database");
    database.query_rows(&format!(
        "ALTER TABLE users ADD CONSTRAINT refuse_one CHECK (name <> '{REFUSED}')"
    ));
    let client = running.client();
    let record = json!({"name": REFUSED, "age": 1, "occupation": "x"});
    let written = client.post_json(Service::WriteBehind.write_path(), &record);
    assert_eq!(written.status, 200);
    wait_until("the write is a dead letter", || {
        client.get("/journal").json()["dead_letters"] == 1
    });
    expect_no_failure(&running);
}
