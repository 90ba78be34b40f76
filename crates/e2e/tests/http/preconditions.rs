//! `If-Match` and `If-None-Match`: what is judged.

use serde_json::Value;
use testkit::http::{Response, user_path};

use crate::api::{Api, cache_status, encoded, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::problem::{Kept, expect_problem};

checks!(preconditions:
    a_write_takes_place_where_its_preconditions_hold_and_nowhere_else,
    a_read_is_not_modified_or_failed_as_its_preconditions_say,
    a_precondition_that_cannot_be_read_is_refused,
    as_many_entity_tags_as_there_may_be_are_read_and_no_more,
    a_precondition_covers_up_nothing_else_that_is_wrong,
    a_conditional_write_waits_for_the_database_too,
    preconditions_know_what_only_the_database_knows,
);

/// How a write is called, and the status of one that takes place.
const WRITES: &[(Call, u16)] = &[(Call::Put, 200), (Call::Post, 200), (Call::Delete, 204)];

/// Header lines, in which `{v}` stands for the version that there is and `{o}` for an older one.
struct Case {
    lines: &'static [(&'static str, &'static str)],
    /// Whether they hold for a user that is there, and for one that is not.
    there: bool,
    absent: bool,
    /// How a read of a user that is there is answered.
    read: u16,
}

const fn case(
    lines: &'static [(&'static str, &'static str)],
    there: bool,
    absent: bool,
    read: u16,
) -> Case {
    Case {
        lines,
        there,
        absent,
        read,
    }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case(&[("If-Match", "*")], true, false, 200),
    case(&[("If-Match", " * ")], true, false, 200),
    case(&[("If-Match", "\"{v}\"")], true, false, 200),
    case(&[("If-Match", "\"{o}\"")], false, false, 412),
    case(&[("If-Match", "W/\"{v}\"")], false, false, 412),
    case(&[("If-Match", "\"0{v}\"")], false, false, 412),
    case(&[("If-Match", "\"other\"")], false, false, 412),
    case(&[("If-Match", "\"{o}\",\"a,b\" , W/\"{o}\",, \"{v}\"")], true, false, 200),
    case(&[("If-Match", "\"{o}\""), ("if-match", "\"{v}\"")], true, false, 200),
    case(&[("If-None-Match", "*")], false, true, 304),
    case(&[("If-None-Match", "\"{v}\"")], false, true, 304),
    case(&[("If-None-Match", "W/\"{v}\"")], false, true, 304),
    case(&[("If-None-Match", "\"{o}\"")], true, true, 200),
    case(&[("If-None-Match", "\"0{v}\", W/\"other\"")], true, true, 200),
    case(&[("If-None-Match", "\"{o}\", \"{v}\"")], false, true, 304),
    case(&[("If-None-Match", "\"{o}\""), ("If-None-Match", "\"{v}\"")], false, true, 304),
    case(&[("If-Match", "\"{v}\""), ("If-None-Match", "\"{o}\"")], true, false, 200),
    case(&[("If-Match", "\"{v}\""), ("If-None-Match", "\"{v}\"")], false, false, 304),
    case(&[("If-Match", "\"{o}\""), ("If-None-Match", "\"{v}\"")], false, false, 412),
    case(&[("If-Match", "*"), ("If-None-Match", "\"{o}\"")], true, false, 200),
    case(&[("If-Match", "*"), ("If-None-Match", "\"{v}\"")], false, false, 304),
    case(&[("If-Match", "*"), ("If-None-Match", "*")], false, false, 304),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Put,
    Post,
    Delete,
}

/// A write of a name with header lines of its own.
pub(crate) fn call(api: &Api, call: Call, name: &str, age: u8, lines: &[(&str, &str)]) -> Response {
    let (method, path) = match call {
        Call::Put => ("PUT", user_path(name)),
        Call::Post => ("POST", api.service.write_path().to_owned()),
        Call::Delete => ("DELETE", user_path(name)),
    };
    request(api, method, &path, name, age, lines)
}

fn request(
    api: &Api,
    method: &str,
    path: &str,
    name: &str,
    age: u8,
    lines: &[(&str, &str)],
) -> Response {
    let body = record(name, age, "Engineer").to_string();
    let has_body = matches!(method, "PUT" | "POST");
    let mut headers = lines.to_vec();
    if has_body {
        headers.push(("Content-Type", "application/json"));
    }
    let body = has_body.then_some(body.as_bytes());
    api.client().request(method, path, &headers, body)
}

/// The lines with their versions.
fn filled(lines: &[(&'static str, &str)], held: u64, older: u64) -> Vec<(&'static str, String)> {
    let fill = |value: &str| {
        let value = value.replace("{v}", &held.to_string());
        value.replace("{o}", &older.to_string())
    };
    lines
        .iter()
        .map(|(name, value)| (*name, fill(value)))
        .collect()
}

fn borrowed<'a>(lines: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    lines
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// What a name is when it is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Never,
    Deleted,
    There,
}

impl Before {
    /// Makes a name so. Returns its version and an older one; of one that never was there are none, and
    /// that of a row which no service has written is the nearest.
    pub(crate) fn make(self, api: &Api, name: &str) -> (u64, u64) {
        if self == Before::Never {
            return (0, 1);
        }
        let older = api.must_write(&record(name, 1, "Engineer"));
        let held = match self {
            Before::Deleted => version(&api.delete(name)),
            _ => api.must_write(&record(name, 2, "Engineer")),
        };
        (held, older)
    }
}

pub(crate) fn a_write_takes_place_where_its_preconditions_hold_and_nowhere_else(turn: &Turn) {
    let api = turn.shared();
    for case in CASES {
        for (write, done) in WRITES {
            for before in [Before::Never, Before::Deleted, Before::There] {
                let name = own_name("conditional");
                let (held, older) = before.make(&api, &name);
                let lines = filled(case.lines, held, older);
                let answer = call(&api, *write, &name, 3, &borrowed(&lines));

                let is_there = before == Before::There;
                let holds = if is_there { case.there } else { case.absent };
                let asks_if_match = lines.iter().any(|(name, _)| *name == "If-Match");
                let expected = match (write, holds) {
                    // There is nothing to delete, and no version of it was asked for.
                    (Call::Delete, _) if !is_there && !asks_if_match => 404,
                    (_, true) => *done,
                    (_, false) => 412,
                };
                let what = format!("{write:?} {before:?} {lines:?}: {}", shown(&answer));
                assert_eq!(answer.status, expected, "{what}");
                let read = api.get(&name);
                if expected == *done {
                    assert!(version(&answer) > held, "{what}");
                    match write {
                        Call::Delete => assert_eq!(read.status, 404, "{what}"),
                        _ => {
                            assert_eq!(read.json(), record(&name, 3, "Engineer"), "{what}");
                            assert_eq!(version(&read), version(&answer), "{what}");
                        }
                    }
                    continue;
                }
                assert_eq!(expect_problem(&answer, expected), [""; 0], "{what}");
                match is_there {
                    false => assert_eq!(read.status, 404, "{what}"),
                    true => {
                        assert_eq!(read.json(), record(&name, 2, "Engineer"), "{what}");
                        assert_eq!(version(&read), held, "{what}");
                    }
                }
            }
        }
    }
}

pub(crate) fn a_read_is_not_modified_or_failed_as_its_preconditions_say(turn: &Turn) {
    let api = turn.shared();
    for case in CASES {
        for before in [Before::Never, Before::Deleted, Before::There] {
            let name = own_name("read");
            let (held, older) = before.make(&api, &name);
            let lines = filled(case.lines, held, older);
            // A user that does not exist is not found, whatever the lines say.
            let expected = match before {
                Before::Never | Before::Deleted => 404,
                Before::There => case.read,
            };
            for method in ["GET", "HEAD"] {
                let answer = api.wire(method, &user_path(&name), &borrowed(&lines), None);
                let what = format!("{method} {before:?} {lines:?}: {}", shown(&answer));
                assert_eq!(answer.status, expected, "{what}");
                cache_status(&answer);
                match expected {
                    200 if method == "GET" => {
                        assert_eq!(answer.json(), record(&name, 2, "Engineer"));
                    }
                    404 | 412 if method == "GET" => {
                        expect_problem(&answer, expected);
                    }
                    _ => assert!(answer.body.is_empty(), "{what}"),
                }
                if matches!(expected, 200 | 304) {
                    assert_eq!(version(&answer), held, "{what}");
                }
                if expected == 304 {
                    // It would be the length of what was not sent.
                    assert_eq!(answer.header("Content-Length"), None, "{what}");
                }
            }
        }
    }
}

pub(crate) fn a_precondition_that_cannot_be_read_is_refused(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("malformed"));
    let api = kept.api();
    for value in [
        "",
        ",",
        "7",
        "\"7",
        "7\"",
        "\"7\" \"8\"",
        "\"7\"8",
        "\"7 8\"",
        "*, *",
        "*,\"7\"",
        "W/7",
        "w/\"7\"",
        "W/ \"7\"",
        "W/*",
        "any",
    ] {
        for header in ["If-Match", "If-None-Match"] {
            let lines = [(header, value)];
            for (write, _) in WRITES {
                let answer = call(api, *write, &kept.name, 3, &lines);
                kept.expect_refused(&format!("{write:?} {lines:?}"), &answer, 400, &[]);
                let detail = answer.json()["detail"].clone();
                assert!(detail.as_str().unwrap().contains(header), "{detail}");
            }
            let answer = api.wire("GET", &user_path(&kept.name), &lines, None);
            kept.expect_refused(&format!("GET {lines:?}"), &answer, 400, &[]);
        }
    }
    // One line is fine by itself.
    let lines = [("If-None-Match", "\"7\""), ("If-None-Match", "*")];
    let answer = call(api, Call::Put, &kept.name, 3, &lines);
    kept.expect_refused("two lines", &answer, 400, &[]);
}

pub(crate) fn as_many_entity_tags_as_there_may_be_are_read_and_no_more(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("many"));
    let api = kept.api();
    let held = version(&api.get(&kept.name));
    // Of none that exists but the last.
    let list = |count: usize| {
        let mut tags: Vec<String> = (1..count).map(|number| format!("\"{number}\"")).collect();
        tags.push(format!("\"{held}\""));
        tags.join(", ")
    };
    let too_many = list(33);
    for header in ["If-Match", "If-None-Match"] {
        let answer = call(api, Call::Put, &kept.name, 3, &[(header, &too_many)]);
        kept.expect_refused(header, &answer, 400, &[]);
    }
    let lines = [("If-None-Match", list(32))];
    let answer = call(api, Call::Put, &kept.name, 3, &borrowed(&lines));
    kept.expect_refused("32 tags", &answer, 412, &[]);
    let name = own_name("many");
    let held = api.must_write(&record(&name, 1, "Engineer"));
    let list = format!("\"1\",{}\"{held}\"", "\"x\",".repeat(30));
    let answer = call(api, Call::Put, &name, 2, &[("If-Match", &list)]);
    assert_eq!(answer.status, 200, "{}", shown(&answer));
}

pub(crate) fn a_precondition_covers_up_nothing_else_that_is_wrong(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("wrong"));
    let api = kept.api();
    let path = user_path(&kept.name);
    // Whether it holds or not.
    for tag in ["\"7\"", "*"] {
        let json = ("Content-Type", "application/json");
        let line = ("If-Match", tag);
        let put = |path: &str, headers: &[(&str, &str)], body: &str| {
            let body = Some(body.as_bytes());
            api.client().request("PUT", path, headers, body)
        };
        let answer = put(&path, &[json, line], r#"{"age": 200, "occupation": "x"}"#);
        kept.expect_refused(tag, &answer, 422, &["age"]);
        let answer = put(&path, &[json, line], "{");
        kept.expect_refused(tag, &answer, 400, &[]);
        let answer = put(&path, &[line], "{}");
        kept.expect_refused(tag, &answer, 415, &[]);
        let unknown = format!("{path}?wait=1");
        let body = r#"{"age": 20, "occupation": "x"}"#;
        let answer = put(&unknown, &[json, line], body);
        kept.expect_refused(tag, &answer, 422, &["wait"]);
        let answer = api.client().request("PATCH", &path, &[line], None);
        kept.expect_refused(tag, &answer, 405, &[]);
    }
}

pub(crate) fn a_conditional_write_waits_for_the_database_too(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let name = own_name("persisted");
    let path = format!("/users/{}?durability=persisted", encoded(&name));
    let stored = || -> Option<Value> {
        let users = api.all_users(1000).into_iter();
        users.into_iter().find(|user| user["name"] == name)
    };
    let created = request(&api, "PUT", &path, &name, 1, &[("If-None-Match", "*")]);
    assert_eq!(created.status, 200, "{}", shown(&created));
    assert_eq!(created.header("Durability"), Some("persisted"));
    assert_eq!(stored(), Some(record(&name, 1, "Engineer")));

    let again = request(&api, "PUT", &path, &name, 2, &[("If-None-Match", "*")]);
    expect_problem(&again, 412);
    assert_eq!(stored(), Some(record(&name, 1, "Engineer")));

    let tag = format!("\"{}\"", version(&created));
    let replaced = request(&api, "PUT", &path, &name, 3, &[("If-Match", &tag)]);
    assert_eq!(replaced.status, 200, "{}", shown(&replaced));
    assert_eq!(stored(), Some(record(&name, 3, "Engineer")));

    let late = request(&api, "DELETE", &path, &name, 0, &[("If-Match", &tag)]);
    expect_problem(&late, 412);
    assert_eq!(stored(), Some(record(&name, 3, "Engineer")));

    let tag = format!("\"{}\"", version(&replaced));
    let deleted = request(&api, "DELETE", &path, &name, 0, &[("If-Match", &tag)]);
    assert_eq!(deleted.status, 204, "{}", shown(&deleted));
    assert_eq!(deleted.header("Durability"), Some("persisted"));
    assert_eq!(stored(), None);
}

pub(crate) fn preconditions_know_what_only_the_database_knows(turn: &Turn) {
    let installation = turn.install();
    let names: Vec<String> = (0..CASES.len()).map(|_| own_name("stored")).collect();
    let versions: Vec<(u64, u64)> = {
        let running = installation.start(turn.service());
        let api = Api::at(turn.service(), running.base_url());
        let made = names.iter().map(|name| Before::There.make(&api, name));
        let made = made.collect();
        api.settle();
        made
    };
    let running = installation.start(turn.service());
    let api = Api::at(turn.service(), running.base_url());
    for (case, (name, (held, older))) in CASES.iter().zip(names.iter().zip(versions)) {
        let lines = filled(case.lines, held, older);
        let answer = call(&api, Call::Put, name, 3, &borrowed(&lines));
        let expected = if case.there { 200 } else { 412 };
        assert_eq!(answer.status, expected, "{lines:?}: {}", shown(&answer));
        let age = if case.there { 3 } else { 2 };
        assert_eq!(api.must_get(name), record(name, age, "Engineer"));
    }
}
