//! `GET /journal` and `POST /flush`, which only write-behind has.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{Api, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::problem::Kept;

checks!(journal:
    a_journal_that_is_drained_is_empty_in_every_shard,
    what_is_flushed_is_in_the_database,
    the_newest_write_of_a_name_is_the_one_in_the_database,
    a_flush_of_an_empty_journal_returns_at_once,
    a_bad_timeout_is_named,
);

/// The document of `/journal`, its sums checked.
#[track_caller]
pub(crate) fn journal_of(api: &Api) -> Value {
    let answer = api.client().get("/journal");
    assert_eq!(answer.status, 200, "{}", shown(&answer));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let document = answer.json();
    let shards = document["shards"].as_array().expect("a list of shards");
    assert!(!shards.is_empty());
    for (number, shard) in shards.iter().enumerate() {
        assert_eq!(shard["shard"], number, "{document}");
    }
    let figure = |key: &str| -> Vec<u64> {
        let figures = shards.iter().map(|shard| shard[key].as_u64());
        figures.map(|figure| figure.expect("a number")).collect()
    };
    let depth: u64 = figure("depth").iter().sum();
    assert_eq!(document["depth"], depth, "{document}");
    assert_eq!(
        document["bytes"],
        figure("bytes").iter().sum::<u64>(),
        "{document}"
    );
    let oldest = figure("oldest_age_ms").into_iter().max().unwrap();
    assert_eq!(document["oldest_age_ms"], oldest, "{document}");
    for shard in shards.iter().filter(|shard| shard["depth"] == 0) {
        assert_eq!(shard["oldest_age_ms"], 0, "{document}");
    }
    document
}

pub(crate) fn a_journal_that_is_drained_is_empty_in_every_shard(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    assert_eq!(journal_of(&api)["depth"], 0);
    for number in 0..50 {
        api.must_write(&record(&format!("entry {number}"), 30, "Engineer"));
        journal_of(&api);
    }
    api.settle();
    let document = journal_of(&api);
    assert_eq!(document["depth"], 0, "{document}");
    assert_eq!(document["bytes"], 0, "{document}");
    assert_eq!(document["oldest_age_ms"], 0, "{document}");
}

pub(crate) fn what_is_flushed_is_in_the_database(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let mut expected = Vec::new();
    for number in 0..60_u8 {
        let name = format!("row {number:02} é😀");
        let written = api.must_write(&record(&name, number, "Engineer 😀"));
        if number % 4 == 3 {
            let deleted = api.delete(&name);
            assert_eq!(deleted.status, 204, "{}", shown(&deleted));
            expected.push((name, None, version(&deleted)));
        } else {
            expected.push((name, Some(number), written));
        }
    }
    api.settle();

    let live: Vec<Value> = expected
        .iter()
        .filter_map(|(name, age, _)| age.map(|age| record(name, age, "Engineer 😀")))
        .collect();
    assert_eq!(api.all_users(1000), live);
    if let Some(database) = running.database() {
        let rows = database.query_rows(
            "SELECT name, age, occupation, version, deleted_at IS NULL FROM users ORDER BY name",
        );
        let text = |age: &Option<u8>| age.map_or("NULL".to_owned(), |age| age.to_string());
        let expected: Vec<Vec<String>> = expected
            .iter()
            .map(|(name, age, version)| {
                let occupation = age.map_or("NULL", |_| "Engineer 😀");
                vec![
                    name.clone(),
                    text(age),
                    occupation.to_owned(),
                    version.to_string(),
                    u8::from(age.is_some()).to_string(),
                ]
            })
            .collect();
        assert_eq!(rows, expected);
    }

    // A tombstone keeps its version: what comes after it is newer.
    running.restart();
    let api = Api::of(&running);
    for (name, age, written) in &expected {
        let answer = api.get(name);
        match age {
            Some(_) => assert_eq!(version(&answer), *written, "{name}"),
            None => assert_eq!(answer.status, 404, "{name}"),
        }
        assert!(api.must_write(&record(name, 1, "after")) > *written);
    }
}

pub(crate) fn the_newest_write_of_a_name_is_the_one_in_the_database(turn: &Turn) {
    let api = turn.shared();
    let names: Vec<String> = (0..5).map(|_| own_name("newest")).collect();
    let mut newest = 0;
    for age in 0..40 {
        for name in &names {
            newest = api.must_write(&record(name, age, "Engineer"));
        }
    }
    api.settle();
    let users = api.all_users(1000);
    for name in &names {
        let found: Vec<&Value> = users.iter().filter(|user| user["name"] == *name).collect();
        assert_eq!(found, [&record(name, 39, "Engineer")]);
    }
    assert_eq!(version(&api.get(&names[4])), newest);
}

pub(crate) fn a_flush_of_an_empty_journal_returns_at_once(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    for path in ["/flush", "/flush?timeout_s=0", "/flush?timeout_s=3600"] {
        let began = Instant::now();
        let answer = api.client().request("POST", path, &[], None);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert!(began.elapsed() < Duration::from_secs(2), "{path}");
        assert!(answer.json()["message"].is_string());
    }
}

pub(crate) fn a_bad_timeout_is_named(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("timeout"));
    for (query, fields) in [
        ("timeout_s=", ["timeout_s"].as_slice()),
        ("timeout_s", &["timeout_s"]),
        ("timeout_s=-1", &["timeout_s"]),
        ("timeout_s=1.5", &["timeout_s"]),
        ("timeout_s=1e3", &["timeout_s"]),
        ("timeout_s=soon", &["timeout_s"]),
        ("timeout_s=99999999999999999999", &["timeout_s"]),
        ("timeout_s=1&timeout_s=1", &["timeout_s"]),
        ("timeout=1", &["timeout"]),
        ("timeout_s=x&wait=1", &["timeout_s", "wait"]),
    ] {
        let path = format!("/flush?{query}");
        let answer = kept.api().client().request("POST", &path, &[], None);
        kept.expect_refused(query, &answer, 422, fields);
    }
    let answer = kept
        .api()
        .client()
        .request("POST", "/flush?timeout_s=%zz", &[], None);
    kept.expect_refused("%zz", &answer, 400, &[]);
}
