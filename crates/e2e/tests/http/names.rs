//! Names: equal byte for byte and in no other way, and in a path however they are encoded.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::http::user_path;
use testkit::records::{invalid_names, valid_names};

use crate::api::{Api, encoded, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::problem::{Kept, expect_problem};

/// Bytes that a position in the list of users may have.
const POSITION_BYTES_MAX: usize = 1_020;

checks!(names:
    every_valid_name_is_a_user_of_its_own_in_cache_and_database,
    a_name_in_a_path_may_be_encoded_in_any_way,
    a_name_is_decoded_once,
    an_invalid_name_is_refused_by_every_call,
);

/// As many characters in a name as a URL that clients send can have.
const PATH_CHARACTERS_MAX: usize = 1000;

pub(crate) fn every_valid_name_is_a_user_of_its_own_in_cache_and_database(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let names = valid_names();
    let mut expected: BTreeMap<String, Value> = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let (age, occupation) = ((index % 151) as u8, format!("number {index}"));
        let written = match index % 3 {
            0 => api.put(name, &json!({ "age": age, "occupation": occupation })),
            1 => api.put(name, &record(name, age, &occupation)),
            _ => api.write(&record(name, age, &occupation)),
        };
        assert_eq!(written.status, 200, "{name:?}: {}", shown(&written));
        expected.insert(name.clone(), record(name, age, &occupation));
    }
    // Each third is written again, and another third deleted.
    for (index, name) in names.iter().enumerate() {
        match index % 3 {
            0 => {
                api.must_write(&record(name, 99, "second"));
                expected.insert(name.clone(), record(name, 99, "second"));
            }
            1 => {
                let deleted = api.delete(name);
                assert_eq!(deleted.status, 204, "{name:?}: {}", shown(&deleted));
                expected.remove(name);
            }
            _ => {}
        }
    }
    expect_exactly(&api, &names, &expected);

    api.settle();
    let in_order: Vec<&Value> = expected.values().collect();
    assert_eq!(api.all_users(50).iter().collect::<Vec<_>>(), in_order);

    running.restart();
    let api = Api::of(&running);
    for name in &names {
        let expected = if expected.contains_key(name) {
            200
        } else {
            404
        };
        assert_eq!(api.get(name).status, expected, "{name:?}");
    }
}

fn expect_exactly(api: &Api, names: &[String], expected: &BTreeMap<String, Value>) {
    for name in names {
        for answer in [api.get(name), api.read(name)] {
            match expected.get(name) {
                Some(record) => assert_eq!(&answer.json(), record, "{name:?}"),
                None => assert_eq!(answer.status, 404, "{name:?}"),
            }
        }
    }
}

pub(crate) fn a_name_in_a_path_may_be_encoded_in_any_way(turn: &Turn) {
    let api = turn.shared();
    let start = own_name("path");
    // What a path may have as it is: unreserved, sub-delims, ':' and '@' of RFC 3986.
    let name = format!("{start}aZ09-._~!$&'()*+,;=:@é/😀%");
    let hex = |upper: bool, byte: u8| match upper {
        true => format!("%{byte:02X}"),
        false => format!("%{byte:02x}"),
    };
    let everything = |upper| -> String { name.bytes().map(|byte| hex(upper, byte)).collect() };
    let mixed: String = name
        .bytes()
        .enumerate()
        .map(|(index, byte)| hex(index % 2 == 0, byte))
        .collect();
    let as_little_as_possible = format!(
        "{}aZ09-._~!$&'()*+,;=:@%C3%a9%2f%f0%9F%98%80%25",
        start.replace(' ', "%20")
    );
    let forms = [
        everything(true),
        everything(false),
        mixed,
        as_little_as_possible,
    ];
    for (age, form) in forms.iter().enumerate() {
        let path = format!("/users/{form}");
        let body = json!({ "age": age, "occupation": form }).to_string();
        let headers = [("Content-Type", "application/json")];
        let put = api.wire("PUT", &path, &headers, Some(body.as_bytes()));
        assert_eq!(put.status, 200, "{path}: {}", shown(&put));
        for other in &forms {
            let answer = api.wire("GET", &format!("/users/{other}"), &[], None);
            assert_eq!(answer.status, 200, "{other}: {}", shown(&answer));
            assert_eq!(answer.json(), record(&name, age as u8, form));
            assert_eq!(version(&answer), version(&put));
        }
    }
    for form in &forms {
        let path = format!("/users/{form}");
        assert_eq!(api.wire("DELETE", &path, &[], None).status, 204, "{path}");
        assert_eq!(api.wire("HEAD", &path, &[], None).status, 404, "{path}");
        api.must_write(&record(&name, 1, "again"));
    }
}

pub(crate) fn a_name_is_decoded_once(turn: &Turn) {
    let api = turn.shared();
    let start = own_name("once");
    let names = [
        format!("{start}%41"),
        format!("{start}A"),
        format!("{start}%2541"),
        format!("{start}+"),
        format!("{start}%20 x"),
        format!("{start}  x"),
        format!("{start}%2Fx"),
        format!("{start}/x"),
        format!("{start}?x=%3D"),
        format!("{start}?x=="),
    ];
    for (age, name) in names.iter().enumerate() {
        let put = api.put(name, &json!({ "age": age, "occupation": name }));
        assert_eq!(put.status, 200, "{name:?}: {}", shown(&put));
    }
    api.settle();
    for (age, name) in names.iter().enumerate() {
        assert_eq!(api.must_get(name), record(name, age as u8, name));
        let page = format!("/users?limit=1&after={}", encoded(name));
        let found = api.client().get(&page).json()["users"][0]["name"].clone();
        let found = found.as_str().unwrap_or("\u{10ffff}");
        let next = names.iter().filter(|other| *other > name).min();
        assert!(next.is_none_or(|next| next == found), "{name:?}: {found:?}");
    }
}

pub(crate) fn an_invalid_name_is_refused_by_every_call(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("invalid name"));
    let api = kept.api();
    for (name, reason) in invalid_names() {
        let body = json!({ "age": 30, "occupation": "Engineer" });
        let whole = record(&name, 30, "Engineer");
        let (status, fields) = match whole.to_string().len() {
            ..16_000 => (422, ["name"].as_slice()),
            _ => (413, [].as_slice()),
        };
        kept.expect_refused(reason, &api.write(&whole), status, fields);
        kept.expect_refused(reason, &api.read(&name), status, fields);

        let after = format!("/users?after={}", encoded(&name));
        if name.chars().count() > PATH_CHARACTERS_MAX {
            continue;
        }
        // A position in the list is no name.
        match name.len() {
            ..=POSITION_BYTES_MAX => assert_eq!(api.client().get(&after).status, 200, "{reason}"),
            _ => kept.expect_refused(reason, &api.client().get(&after), 422, &["after"]),
        }
        // A path without a name is that of another resource.
        let (status, fields) = match name.as_str() {
            "" => (404, [].as_slice()),
            _ => (422, ["name"].as_slice()),
        };
        kept.expect_refused(reason, &api.get(&name), status, fields);
        kept.expect_refused(reason, &api.put(&name, &body), status, fields);
        kept.expect_refused(reason, &api.delete(&name), status, fields);
        let head = api.wire("HEAD", &user_path(&name), &[], None);
        assert_eq!(head.status, status, "{reason}");
    }
    expect_problem(&api.put(&kept.name, &record(" ", 30, "Engineer")), 422);
    kept.assert_unchanged();
}
