//! What is exported is what was imported.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use testkit::service::Service;

use crate::site::Site;

/// Users whose texts have what CSV and JSON have to escape.
fn users() -> BTreeMap<String, (u8, String)> {
    let name = r#"[a-c",;'\\{}é😀=][a-c",;'\\{}é😀= ]{0,5}[a-c",é😀]"#;
    let occupation = "[a-c\",;'\\\\\r\n\t\0 é😀]{1,9}";
    let users = prop::collection::vec((name, (0..=150u8, occupation)), 300);
    let mut runner = TestRunner::default();
    let users = users.new_tree(&mut runner).unwrap().current();
    users.into_iter().collect()
}

#[test]
fn an_export_of_an_import_is_what_was_imported() {
    let users = users();
    let line = |(name, (age, occupation)): (&String, &(u8, String))| {
        // In the order of the fields.
        let (name, occupation) = (json!(name), json!(occupation));
        format!("{{\"name\":{name},\"age\":{age},\"occupation\":{occupation}}}\n")
    };
    let lines: String = users.iter().map(line).collect();
    for service in Service::all() {
        let (first, second) = (Site::new(service), Site::new(service));
        first.import(0, &[&first.file("users.ndjson", &lines)]);
        assert_eq!(first.export(), lines);

        let table = first.path("users.csv");
        let table = table.to_str().unwrap();
        assert_eq!(first.run(&["export", table]).code, 0);
        second.import(0, &[table]);
        assert_eq!(second.export(), lines);
        // Once more changes nothing.
        second.import(0, &[table]);
        assert_eq!(second.export(), lines);
    }
}

#[test]
fn a_service_that_runs_is_sent_the_users_and_keeps_its_files() {
    let site = Site::new(Service::WriteBehind);
    let file = site.file(
        "users.csv",
        "\u{feff}age,name,occupation\r\n30,Ann,\"a, \"\"b\"\"\"\r\n",
    );
    let running = site.installation.start(Service::WriteBehind);

    // The process itself cannot have them, and says what to do.
    let ended = site.import(1, &[&file]);
    assert!(ended.said.contains("--to http://"), "{}", ended.said);
    let ended = site.run(&["export"]);
    assert_eq!(ended.code, 1);
    assert!(ended.said.contains("curl"), "{}", ended.said);

    site.import(0, &[&file, "--to", running.base_url()]);
    let lines = site.file("more.ndjson", "{\"delete\":\"Ann\"}\n{\"delete\":\"Ann\"}\n{\"name\":\"Bob\",\"age\":1,\"occupation\":\"x\"}\n!\n");
    let ended = site.import(2, &[&lines, "--to", running.base_url()]);
    assert!(
        ended
            .out
            .contains("1 users written, 1 deleted, 1 lines refused, 1 to delete were not there"),
        "{}",
        ended.out
    );
    let page: Value = running.client().get("/users").json();
    assert_eq!(
        page["users"],
        json!([{"name": "Bob", "age": 1, "occupation": "x"}])
    );
}

#[test]
fn a_service_that_wants_a_token_is_sent_the_one_in_a_file() {
    let mut site = Site::new(Service::WriteBehind);
    let made = site.run(&["token", "write", "loader"]);
    let lines: Vec<&str> = made.out.lines().collect();
    let tokens = site.file("tokens", lines[4]);
    site.installation.set("AUTH_TOKENS_FILE", &tokens);
    let running = site.installation.start(Service::WriteBehind);
    let file = site.file("users.csv", "name,age,occupation\nAnn,30,x\n");
    let to = [file.as_str(), "--to", running.base_url()];

    let ended = site.import(1, &to);
    assert!(ended.out.contains("401"), "{}{}", ended.out, ended.said);
    let none = site.file("none", "\n");
    let ended = site.import(1, &[&to[..], &["--token-file", &none]].concat());
    assert!(ended.said.contains("no token"), "{}", ended.said);
    let token = site.file("token", format!("{}\n", lines[1]));
    let ended = site.import(0, &[&to[..], &["--token-file", &token]].concat());
    assert!(ended.out.contains("1 users written"), "{}", ended.out);
}
