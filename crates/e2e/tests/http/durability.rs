//! `?durability=persisted`: an answer that waits for the database.

use serde_json::Value;

use crate::api::{Api, encoded, record, shown};
use crate::combination::{Turn, own_name};
use crate::problem::expect_problem;

checks!(durability:
    a_write_that_waits_for_the_database_is_in_it_when_it_is_answered,
    a_write_that_does_not_wait_says_how_safe_it_is,
    a_durability_that_there_is_not_is_named,
);

/// What the database has of this name; the page is read from it and from nowhere else.
fn stored(api: &Api, name: &str) -> Option<Value> {
    api.all_users(1000)
        .into_iter()
        .find(|user| user["name"] == name)
}

fn put(api: &Api, name: &str, query: &str, age: u8) -> testkit::http::Response {
    let path = format!("/users/{}{query}", encoded(name));
    api.client().put_json(&path, &record(name, age, "Engineer"))
}

pub(crate) fn a_write_that_waits_for_the_database_is_in_it_when_it_is_answered(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let name = own_name("persisted");
    for age in 0..20 {
        let answer = put(&api, &name, "?durability=persisted", age);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(answer.header("Durability"), Some("persisted"));
        let stored = stored(&api, &name);
        assert_eq!(stored, Some(record(&name, age, "Engineer")));
    }
    let path = format!(
        "{}?durability=persisted&timeout_s=20",
        turn.service().write_path()
    );
    let answer = api
        .client()
        .post_json(&path, &record(&name, 77, "Engineer"));
    assert_eq!(
        answer.header("Durability"),
        Some("persisted"),
        "{}",
        shown(&answer)
    );
    assert_eq!(stored(&api, &name).unwrap()["age"], 77);

    let path = format!("/users/{}?durability=persisted", encoded(&name));
    let answer = api.client().delete(&path);
    assert_eq!(answer.status, 204, "{}", shown(&answer));
    assert_eq!(answer.header("Durability"), Some("persisted"));
    assert_eq!(stored(&api, &name), None);
    expect_problem(&api.client().delete(&path), 404);
}

pub(crate) fn a_write_that_does_not_wait_says_how_safe_it_is(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("journaled");
    let own = match turn.is_write_behind() {
        true => "journaled",
        false => "persisted",
    };
    for query in [
        "",
        "?durability=journaled",
        "?durability=journaled&timeout_s=0",
    ] {
        let answer = put(&api, &name, query, 7);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(answer.header("Durability"), Some(own), "{query}");
    }
}

pub(crate) fn a_durability_that_there_is_not_is_named(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("eternal");
    for (query, field) in [
        ("?durability=eternal", "durability"),
        ("?durability=", "durability"),
        ("?durability=persisted&durability=persisted", "durability"),
        ("?durability=persisted&timeout_s=-1", "timeout_s"),
        ("?durability=persisted&timeout_s=soon", "timeout_s"),
        ("?durabilty=persisted", "durabilty"),
    ] {
        let fields = expect_problem(&put(&api, &name, query, 7), 422);
        assert_eq!(fields, [field], "{query}");
    }
    expect_problem(&api.get(&name), 404);
}
