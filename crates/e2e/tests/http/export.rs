//! `GET /users` as lines: all users of the database.

use serde_json::{Value, json};
use testkit::http::Response;
use testkit::wire;

use crate::api::{Api, encoded, record, shown};
use crate::combination::Turn;
use crate::problem::expect_problem;
use crate::streams::{batch, lines, put};

checks!(export:
    all_users_are_answered_in_their_order,
    the_form_is_what_the_client_prefers,
);

fn export(api: &Api, query: &str) -> Response {
    let path = format!("/users{query}");
    let accept = [("Accept", "application/x-ndjson")];
    api.client().request("GET", &path, &accept, None)
}

pub(crate) fn all_users_are_answered_in_their_order(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    assert_eq!(lines(&export(&api, "")), Vec::<Value>::new());
    let name = |number: u64| format!("user {number:05}");
    // Of several pages, with tombstones among them.
    let mut body: String = (0..3_000)
        .map(|number| put(&name(number), number % 150))
        .collect();
    for number in (0..3_000).filter(|number| number % 5 == 0) {
        body += &json!({ "delete": name(number) }).to_string();
        body.push('\n');
    }
    batch(&api, "?durability=persisted&timeout_s=60", body);
    let left = (0..3_000).filter(|number| number % 5 != 0);
    let expected: Vec<Value> = left
        .map(|number| record(&name(number), (number % 150) as u8, "Engineer"))
        .collect();
    let answer = export(&api, "");
    assert_eq!(answer.header("Vary"), Some("Accept"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(lines(&answer), expected);
    let after = format!("?after={}", encoded(&name(2_000)));
    assert_eq!(lines(&export(&api, &after)), expected[1_600..]);
    assert_eq!(lines(&export(&api, "?after=z")), Vec::<Value>::new());
    expect_problem(&export(&api, "?limit=10"), 422);
    // What is exported can be sent again.
    let again = batch(&api, "", answer.body);
    assert!(again.len() == expected.len() && again.iter().all(|line| line["status"] == 200));
}

pub(crate) fn the_form_is_what_the_client_prefers(turn: &Turn) {
    let api = turn.shared();
    for (accept, is_lines) in [
        ("application/x-ndjson", true),
        ("Application/X-Ndjson, */*", true),
        ("application/json;q=0.5, application/x-ndjson", true),
        ("*/*", false),
        ("application/json, application/x-ndjson", false),
        ("application/x-ndjson;q=0", false),
    ] {
        let headers = [("Accept", accept)];
        let answer = api.client().request("GET", "/users", &headers, None);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        let expected = match is_lines {
            true => "application/x-ndjson",
            false => "application/json",
        };
        assert_eq!(answer.header("Content-Type"), Some(expected), "{accept}");
        assert_eq!(answer.header("Vary"), Some("Accept"), "{accept}");
        let head = wire::request("HEAD", b"/users", &headers, None);
        let head = wire::Connection::open(&api.base_url)
            .exchange(&head)
            .unwrap();
        assert_eq!(
            (head.status, head.header("Content-Type")),
            (200, Some(expected))
        );
    }
}
