//! Starts on Sentinels.

use std::fs;
use std::process::Command;

use serde_json::json;
use testkit::own_servers::OwnSentinels;
use testkit::parts::Installation;
use testkit::servers::TestDatabase;
use testkit::service::{Service, run_to_end};

/// Longer than a test may take, so an earlier refusal did not wait for it.
const VERY_LONG: &str = "3600";

#[test]
#[ignore = "needs servers"]
fn services_start_on_the_primary_that_the_sentinels_name() {
    let sentinels = OwnSentinels::start(1);
    for service in Service::all() {
        // Not all of them answer.
        let url = sentinels
            .url()
            .replacen("://", "://127.0.0.1:1,127.0.0.1:2,", 1);
        let installation = Installation::on(service, &format!("{url}/3"), TestDatabase::create());
        let process = installation.start(service);
        let client = process.client();
        let user = json!({ "age": 30, "occupation": "Engineer" });
        assert_eq!(client.put_json("/users/Ann", &user).status, 200);
        assert_eq!(client.get("/users/Ann").status, 200);
        let ready = client.get("/readyz");
        assert_eq!(ready.status, 200, "{}", ready.text());
    }
}

/// What a start ends with that cannot succeed.
#[track_caller]
fn refusal(url: &str, settings: &[(&str, &str)], code: i32) -> String {
    let installation = Installation::on(Service::WriteBehind, url, TestDatabase::create());
    let mut command: Command = installation.command();
    command
        .env("LISTEN", "127.0.0.1:0")
        .env("STARTUP_DEADLINE_S", VERY_LONG)
        .envs(settings.iter().copied());
    let output = run_to_end(&mut command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
#[ignore = "needs servers"]
fn an_unknown_primary_and_wrong_passwords_end_a_start_at_once() {
    let sentinels = OwnSentinels::with_password("s3cret");
    let url = sentinels.url();
    let unknown = url.replace("/main", "/other");
    let password = [("SENTINEL_PASSWORD", "s3cret")];
    let said = refusal(&unknown, &password, 64);
    assert!(
        said.contains("no Sentinel knows a primary by the name other"),
        "{said}"
    );
    for wrong in [&[][..], &[("SENTINEL_PASSWORD", "another")]] {
        let said = refusal(&url, wrong, 1);
        assert!(said.contains("SENTINEL_PASSWORD"), "{said}");
        assert!(
            !said.contains("s3cret") && !said.contains("another"),
            "{said}"
        );
    }
    let alone = refusal("redis://127.0.0.1:1", &password, 64);
    assert!(
        alone.contains("SENTINEL_PASSWORD: only with CACHE_URL=redis+sentinel"),
        "{alone}"
    );

    let mut installation = Installation::on(Service::WriteBehind, &url, TestDatabase::create());
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("password");
    fs::write(&file, "s3cret\n").unwrap();
    installation.set("SENTINEL_PASSWORD_FILE", file.to_str().unwrap());
    let process = installation.start(Service::WriteBehind);
    assert_eq!(process.client().get("/readyz").status, 200);
}
