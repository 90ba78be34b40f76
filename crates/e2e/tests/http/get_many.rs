//! `POST /users/get`: many users by their names.

use serde_json::{Value, json};
use testkit::service::Service;

use crate::api::{Api, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::metrics::metrics_of;
use crate::problem::{Kept, expect_problem};
use crate::streams::{batch, put};

checks!(get_many:
    users_are_answered_in_the_order_of_their_names,
    a_user_is_answered_as_by_itself,
    a_thousand_users_are_answered_at_once,
    no_read_is_older_than_an_acknowledged_write,
    lists_that_are_none_are_refused,
);

fn get(api: &Api, names: &Value, headers: &[(&str, &str)]) -> Vec<Value> {
    let headers = [headers, &[("Content-Type", "application/json")]].concat();
    let body = names.to_string();
    let answer = api
        .client()
        .request("POST", "/users/get", &headers, Some(body.as_bytes()));
    assert_eq!(answer.status, 200, "{}", shown(&answer));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    answer.json()["users"].as_array().unwrap().clone()
}

pub(crate) fn users_are_answered_in_the_order_of_their_names(turn: &Turn) {
    let api = turn.shared();
    let [there, missing, other] = [(); 3].map(|()| own_name("many"));
    let written = api.must_write(&record(&there, 30, "Engineer"));
    api.must_write(&record(&other, 31, "Pilot"));
    let users = get(&api, &json!([other, missing, there, there]), &[]);
    let names: Vec<&Value> = users.iter().map(|user| &user["name"]).collect();
    assert_eq!(names, [&other, &missing, &there, &there]);
    let statuses: Vec<&Value> = users.iter().map(|user| &user["status"]).collect();
    assert_eq!(statuses, [200, 404, 200, 200]);
    assert_eq!(users[0]["user"], record(&other, 31, "Pilot"));
    assert_eq!(users[1]["type"], "/problems/not-found");
    assert!(users[1].get("user").is_none() && users[1].get("version").is_none());
    for user in &users[2..] {
        assert_eq!(user["user"], record(&there, 30, "Engineer"));
        assert_eq!(user["version"], written);
    }
    assert_eq!(get(&api, &json!([]), &[]), Vec::<Value>::new());
}

pub(crate) fn a_user_is_answered_as_by_itself(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("by itself");
    api.must_write(&record(&name, 30, "Engineer"));
    api.settle();
    for headers in [&[][..], &[("Cache-Control", "no-cache")]] {
        let user = get(&api, &json!([name]), headers).remove(0);
        let path = testkit::http::user_path(&name);
        let alone = api.client().request("GET", &path, headers, None);
        assert_eq!(user["user"], alone.json());
        assert_eq!(user["version"], version(&alone));
        assert_eq!(user["cache_status"].as_str(), alone.header("Cache-Status"));
    }
    let hit = get(&api, &json!([name]), &[]).remove(0);
    let expected = match turn.service() {
        Service::WriteThrough => "write-through; hit",
        Service::WriteBehind => "write-behind; hit",
    };
    assert_eq!(hit["cache_status"], expected);
}

pub(crate) fn a_thousand_users_are_answered_at_once(turn: &Turn) {
    // Of its own, since it empties the cache.
    let running = turn.start();
    let api = Api::of(&running);
    // As long as names may be, so that neither body nor answer is a small one.
    let own = own_name("thousand");
    let long = "\u{1f600}".repeat(200);
    let names: Vec<String> = (0..1000)
        .map(|number| format!("{own} {number} {long}"))
        .collect();
    let body: String = names.iter().step_by(2).map(|name| put(name, 7)).collect();
    batch(&api, "", body);
    api.settle();
    let statements = || {
        let kind = [("kind", "read")];
        metrics_of(&api).sum("write_cache_store_statements_total", &kind)
    };
    for forget in [false, true] {
        if forget {
            assert_eq!(api.client().delete("/cache").status, 204);
        }
        let before = statements();
        let users = get(&api, &json!(names), &[]);
        // One, if the cache answers for all names before the database does for the first.
        assert!(statements() - before < 100.0, "{before}, {}", statements());
        assert_eq!(users.len(), 1000);
        for (place, (user, name)) in users.iter().zip(&names).enumerate() {
            assert_eq!(user["name"], *name);
            let expected = if place % 2 == 0 { 200 } else { 404 };
            assert_eq!(user["status"], expected, "{user}");
        }
    }
}

pub(crate) fn no_read_is_older_than_an_acknowledged_write(turn: &Turn) {
    // Of its own, since it empties the cache.
    let running = turn.start();
    let api = Api::of(&running);
    let own = own_name("newest");
    let names: Vec<String> = (0..50).map(|number| format!("{own} {number}")).collect();
    for age in 0..20 {
        let body: String = names.iter().map(|name| put(name, age)).collect();
        let written = batch(&api, "", body);
        if age % 3 == 0 {
            assert_eq!(api.client().delete("/cache").status, 204);
        }
        let users = get(&api, &json!(names), &[]);
        for (user, line) in users.iter().zip(&written) {
            assert_eq!(user["user"]["age"], age, "{user}");
            assert_eq!(user["version"], line["version"]);
        }
    }
}

pub(crate) fn lists_that_are_none_are_refused(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("lists"));
    let api = kept.api();
    let json = ("Content-Type", "application/json");
    let post = |body: &[u8]| api.wire("POST", "/users/get", &[json], Some(body));
    let cases: [&[u8]; 5] = [b"", b"[", b"\xff", b"[\"a\"] x", br#"["\ud800"]"#];
    for body in cases {
        let what = String::from_utf8_lossy(body);
        kept.expect_refused(&what, &post(body), 400, &[]);
    }
    let cases: [(&str, &[&str]); 4] = [
        ("{}", &[]),
        ("\"a\"", &[]),
        (r#"["a", 1, "b", null]"#, &["[1]", "[3]"]),
        (r#"["", " a", "a\n"]"#, &["[0]", "[1]", "[2]"]),
    ];
    for (body, fields) in cases {
        kept.expect_refused(body, &post(body.as_bytes()), 422, fields);
    }
    let names = |count| json!(vec!["a"; count]).to_string();
    kept.expect_refused("1001", &post(names(1001).as_bytes()), 422, &[]);
    assert_eq!(post(names(1000).as_bytes()).status, 200);
    let large = json!(["a".repeat(2_000_000)]).to_string();
    kept.expect_refused("2 MB", &post(large.as_bytes()), 413, &[]);
    let answer = api.wire("POST", "/users/get", &[], Some(&b"[]"[..]));
    kept.expect_refused("no type", &answer, 415, &[]);
    expect_problem(
        &api.client()
            .request("POST", "/users/other", &[json], Some(&b"[]"[..])),
        405,
    );
}
