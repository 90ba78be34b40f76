//! Rows that other programs write to the database, with or without heed for the rules, while
//! a service runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::http::Response;
use testkit::parts::RunningService;

use crate::api::{Api, encoded, record, shown};
use crate::combination::Turn;
use crate::problem::expect_problem;
use crate::prometheus::Metrics;

checks!(other_programs:
    broken_rows_hide_no_user_from_a_listing,
    a_broken_row_is_answered_with_the_rule,
    every_answer_of_500_is_counted_as_an_error,
    a_broken_row_is_written_and_deleted_like_any,
    a_position_may_be_any_text,
    broken_rows_are_counted_and_logged_by_id,
    a_changed_row_is_read_when_it_is_asked_for,
);

/// Each with the field that breaks a rule.
const BROKEN: &[(&str, &str)] = &[
    ("('aged', 200, 'x')", "age"),
    ("('below', -1, 'x')", "age"),
    ("('idle', 30, '')", "occupation"),
];

fn execute(running: &RunningService, sql: &str) {
    running.database().unwrap().query_rows(sql);
}

fn insert(running: &RunningService, row: &str) {
    let sql = format!("INSERT INTO users (name, age, occupation) VALUES {row}");
    execute(running, &sql);
}

fn insert_broken(running: &RunningService) {
    for (row, _) in BROKEN {
        insert(running, row);
    }
    for name in [" b", "b ", "b\\n", "\\t", ""] {
        insert(running, &format!("('{name}', 30, 'x')"));
    }
}

/// Every page, each from the `next` of the one before.
fn list(api: &Api, limit: usize) -> Vec<Value> {
    let (mut users, mut path) = (Vec::new(), format!("/users?limit={limit}"));
    for _ in 0..100 {
        let answer = api.client().get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", shown(&answer));
        let page = answer.json();
        users.extend(page["users"].as_array().unwrap().iter().cloned());
        let Value::String(next) = &page["next"] else {
            assert_eq!(page["next"], Value::Null);
            return users;
        };
        path = format!("/users?limit={limit}&after={}", encoded(next));
    }
    panic!("there is no end");
}

pub(crate) fn broken_rows_hide_no_user_from_a_listing(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let expected: Vec<Value> = ["a", "ab", "b!", "c", "é", "j", "z"]
        .map(|name| record(name, 30, "Engineer"))
        .into();
    for user in &expected {
        api.must_write(user);
    }
    api.settle();
    insert_broken(&running);
    let mut sorted = expected;
    sorted.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    for limit in [1, 2, 3, 5, 7, 100] {
        assert_eq!(list(&api, limit), sorted, "limit {limit}");
    }
}

#[track_caller]
fn expect_broken(answer: &Response, field: &str) {
    expect_problem(answer, 500);
    let document = answer.json();
    let detail = document["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{field} must")), "{detail}");
}

pub(crate) fn a_broken_row_is_answered_with_the_rule(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    insert_broken(&running);
    for (row, field) in BROKEN {
        let name = row.split('\'').nth(1).unwrap();
        for _ in 0..2 {
            expect_broken(&api.get(name), field);
            expect_broken(&api.read(name), field);
        }
        // Nothing of it was cached.
        execute(&running, "UPDATE users SET age = 30, occupation = 'x'");
        assert_eq!(api.must_get(name), record(name, 30, "x"));
        execute(&running, "DELETE FROM users");
        insert_broken(&running);
    }
    expect_problem(&api.get("absent"), 404);
}

pub(crate) fn every_answer_of_500_is_counted_as_an_error(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    insert_broken(&running);
    let errors = || {
        let metrics = Metrics::parse(api.client().get("/metrics").text());
        let labels = [
            ("operation", "answer"),
            ("part", "database"),
            ("kind", "broken row"),
        ];
        (
            metrics.sum("write_cache_errors_total", &labels),
            metrics.sum("write_cache_http_requests_total", &[("status", "500")]),
        )
    };
    assert_eq!(errors(), (0.0, 0.0));
    for count in [1.0, 2.0] {
        expect_broken(&api.get("aged"), "age");
        assert_eq!(errors(), (count, count));
    }
}

pub(crate) fn a_broken_row_is_written_and_deleted_like_any(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    for number in 0..4 {
        let name = format!("user {number}");
        insert(&running, &format!("('{name}', 200, 'x')"));
        let user = record(&name, 30, "mended");
        let put = |headers: &[(&str, &str)]| {
            let path = format!("/users/{}", encoded(&name));
            let mut all = vec![("Content-Type", "application/json")];
            all.extend(headers);
            let body = user.to_string();
            api.wire("PUT", &path, &all, Some(body.as_bytes()))
        };
        // There is one of this name, at a version that no client was told.
        expect_problem(&put(&[("If-None-Match", "*")]), 412);
        expect_problem(&put(&[("If-Match", "\"0\"")]), 412);
        match number {
            0 => assert_eq!(put(&[]).status, 200),
            1 => assert_eq!(put(&[("If-Match", "*")]).status, 200),
            2 => assert_eq!(put(&[("If-None-Match", "\"7\"")]).status, 200),
            _ => {
                assert_eq!(api.delete(&name).status, 204);
                expect_problem(&api.get(&name), 404);
                continue;
            }
        }
        assert_eq!(api.must_get(&name), user);
        api.settle();
        let rows = running.database().unwrap();
        let age = rows.query_rows(&format!("SELECT age FROM users WHERE name = '{name}'"));
        assert_eq!(age, [["30"]]);
    }
}

pub(crate) fn a_position_may_be_any_text(turn: &Turn) {
    let api = turn.shared();
    for after in [
        "",
        "%20a",
        "a+",
        "a%00",
        "%0A",
        "%7F",
        &"%F0%9F%98%80".repeat(255),
    ] {
        let answer = api.client().get(&format!("/users?limit=1&after={after}"));
        assert_eq!(answer.status, 200, "{after}: {}", shown(&answer));
    }
    let beyond = format!("/users?after={}", "a".repeat(1_021));
    assert_eq!(expect_problem(&api.client().get(&beyond), 422), ["after"]);
}

pub(crate) fn broken_rows_are_counted_and_logged_by_id(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let count = |field: &str| {
        let text = api.client().get("/metrics");
        let metrics = Metrics::parse(text.text());
        metrics.sum("write_cache_broken_rows_total", &[("field", field)])
    };
    assert_eq!(count("age"), 0.0);
    for number in 0..50 {
        insert(&running, &format!("('secret {number:02}', 200, 'x')"));
    }
    for _ in 0..3 {
        assert_eq!(
            api.client().get("/users").json(),
            json!({ "users": [], "next": null })
        );
    }
    assert_eq!(count("age"), 150.0);
    expect_broken(&api.get("secret 07"), "age");
    assert_eq!(count("age"), 151.0);
    let lines = || {
        let logs = running.logs();
        let lines = logs.lines().filter(|line| line.contains("breaks a rule"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while lines().len() < 20 {
        assert!(Instant::now() < deadline, "{}", running.logs());
    }
    let lines = lines();
    assert_eq!(lines.len(), 20, "{lines:?}");
    let database = running.database().unwrap();
    let first = database.query_rows("SELECT id FROM users ORDER BY name LIMIT 1");
    assert!(
        lines[0].contains(&format!("id={} ", first[0][0])),
        "{lines:?}"
    );
    assert!(!running.logs().contains("secret"), "{lines:?}");
}

pub(crate) fn a_changed_row_is_read_when_it_is_asked_for(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let path = format!("/users/{}", encoded("Ann"));
    let reloaded = || api.wire("GET", &path, &[("Cache-Control", "no-cache")], None);
    api.must_write(&record("Ann", 30, "x"));
    api.settle();
    let mut age = 50;
    let mut change = || {
        age += 1;
        execute(
            &running,
            &format!("UPDATE users SET age = {age} WHERE name = 'Ann'"),
        );
        record("Ann", age, "x")
    };
    // What was drained just now may still be dirty, and then it is answered with.
    let changed = change();
    let deadline = Instant::now() + Duration::from_secs(20);
    while reloaded().json() != changed {
        assert!(Instant::now() < deadline, "{}", shown(&reloaded()));
    }
    assert_eq!(api.must_get("Ann"), changed);
    let again = change();
    assert_eq!(api.must_get("Ann"), changed, "cached");
    assert_eq!(reloaded().json(), again);
    assert_eq!(api.must_get("Ann"), again);
    for forget in ["/cache/users/Ann", "/cache"] {
        let changed = change();
        assert_eq!(api.client().delete(forget).status, 204);
        assert_eq!(api.must_get("Ann"), changed, "{forget}");
    }
    // Another process on the same parts answers for the same cache.
    let beside = running.start_beside(running.service());
    let other = Api::at(running.service(), beside.base_url());
    let changed = change();
    assert_eq!(other.client().delete("/cache/users/Ann").status, 204);
    assert_eq!(api.must_get("Ann"), changed);
    execute(&running, "DELETE FROM users WHERE name = 'Ann'");
    expect_problem(&reloaded(), 404);
    expect_problem(&api.get("Ann"), 404);
    insert(&running, "('Ann', 60, 'x')");
    assert_eq!(reloaded().json(), record("Ann", 60, "x"));
    assert_eq!(api.must_get("Ann"), record("Ann", 60, "x"));
    api.must_write(&record("Ann", 61, "x"));
    assert_eq!(api.must_get("Ann"), record("Ann", 61, "x"));
}
