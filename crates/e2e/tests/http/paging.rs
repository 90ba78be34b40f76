//! `GET /users`: pages from the database, in the order of the names' bytes.

use serde_json::{Value, json};

use crate::api::{Api, encoded, record, shown};
use crate::combination::{Turn, own_name};
use crate::problem::{Kept, expect_problem};

checks!(paging:
    an_empty_database_has_one_empty_page,
    the_pages_have_every_user_once_in_the_order_of_bytes,
    a_page_begins_behind_the_name_given_whether_that_is_there_or_not,
    a_page_has_a_hundred_users_unless_it_is_told_otherwise,
    a_bad_parameter_is_named,
    a_query_that_cannot_be_decoded_is_400,
);

pub(crate) fn an_empty_database_has_one_empty_page(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    for path in ["/users", "/users?", "/users?limit=1", "/users?after=x"] {
        let answer = api.client().get(path);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(answer.json(), json!({ "users": [], "next": null }));
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
    }
}

/// Written in this order, which is none of those that a collation would give.
const UNSORTED: &[&str] = &[
    "é",
    "z",
    "a",
    "Z",
    "e\u{301}",
    "ä",
    "A",
    "😀",
    "a b",
    "a!b",
    "ab",
    "aB",
    "a\u{a0}b",
    "0",
    "10",
    "9",
    "\u{ffff}",
    "\u{10000}",
    "ß",
    "ss",
    "_",
    "%",
    "~",
    "a\u{301}",
    "i",
    "I",
    "ı",
    "a'b",
];

pub(crate) fn the_pages_have_every_user_once_in_the_order_of_bytes(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    for name in UNSORTED {
        api.must_write(&record(name, 30, name));
    }
    api.settle();
    let mut sorted = UNSORTED.to_vec();
    sorted.sort_unstable();
    let expected: Vec<Value> = sorted.iter().map(|name| record(name, 30, name)).collect();
    for limit in [
        1,
        2,
        3,
        UNSORTED.len() - 1,
        UNSORTED.len(),
        UNSORTED.len() + 1,
        1000,
    ] {
        assert_eq!(api.all_users(limit), expected, "limit {limit}");
    }

    // What a page does not fill is the end, and says so.
    let page = |limit: usize| api.client().get(&format!("/users?limit={limit}")).json();
    assert_eq!(page(UNSORTED.len() + 1)["next"], Value::Null);
    let first = page(3);
    assert_eq!(first["users"].as_array().unwrap().len(), 3);
    assert_eq!(first["next"], sorted[2]);
    let beyond = api.client().get("/users?after=%F4%8F%BF%BF").json();
    assert_eq!(beyond, json!({ "users": [], "next": null }));
}

pub(crate) fn a_page_begins_behind_the_name_given_whether_that_is_there_or_not(turn: &Turn) {
    let api = turn.shared();
    let start = own_name("after");
    let names = [
        format!("{start} b"),
        format!("{start} d"),
        format!("{start} f+&=%"),
    ];
    for name in &names {
        api.must_write(&record(name, 30, "Engineer"));
    }
    api.settle();
    for (after, expected) in [
        (format!("{start} a"), &names[..]),
        (format!("{start} b"), &names[1..]),
        (format!("{start} c"), &names[1..]),
        (format!("{start} d"), &names[2..]),
    ] {
        let forms = [encoded(&after), after.replace(' ', "+")];
        for form in forms {
            let limit = expected.len();
            let page = api
                .client()
                .get(&format!("/users?after={form}&limit={limit}"));
            let page = page.json();
            let users = page["users"].as_array().unwrap();
            let found: Vec<&Value> = users.iter().map(|user| &user["name"]).collect();
            assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{form}");
            assert_eq!(page["next"], *expected.last().unwrap(), "{form}");
        }
    }
}

pub(crate) fn a_page_has_a_hundred_users_unless_it_is_told_otherwise(turn: &Turn) {
    let api = turn.shared();
    let start = own_name("hundred");
    for number in 0..101 {
        api.must_write(&record(&format!("{start} {number:03}"), 30, "Engineer"));
    }
    api.settle();
    let page = api
        .client()
        .get(&format!("/users?after={}", encoded(&start)));
    let page = page.json();
    assert_eq!(page["users"].as_array().unwrap().len(), 100);
    assert_eq!(page["next"], format!("{start} 099"));
}

pub(crate) fn a_bad_parameter_is_named(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("parameter"));
    for (query, fields) in [
        ("limit=0", ["limit"].as_slice()),
        ("limit=-1", &["limit"]),
        ("limit=%2B5", &["limit"]),
        ("limit=1001", &["limit"]),
        ("limit=4294967297", &["limit"]),
        ("limit=99999999999999999999", &["limit"]),
        ("limit=1.5", &["limit"]),
        ("limit=1e2", &["limit"]),
        ("limit=ten", &["limit"]),
        ("limit=%D9%A1", &["limit"]),
        ("limit=+1", &["limit"]),
        ("limit=", &["limit"]),
        ("limit", &["limit"]),
        ("limit=1&limit=1", &["limit"]),
        ("limit=1&limit=2", &["limit"]),
        ("limit=0&limit=x", &["limit"]),
        ("a=1&a=2&a=3", &["a"]),
        ("after=a&after=b", &["after"]),
        ("before=a", &["before"]),
        ("Limit=1", &["Limit"]),
        ("page=2&offset=7", &["offset", "page"]),
        ("limit=0&after=&x=1", &["limit", "x"]),
        ("%6cimit=0", &["limit"]),
    ] {
        let path = format!("/users?{query}");
        let answer = kept.api().wire("GET", &path, &[], None);
        kept.expect_refused(query, &answer, 422, fields);
    }
}

pub(crate) fn a_query_that_cannot_be_decoded_is_400(turn: &Turn) {
    let api = turn.shared();
    for query in [
        "after=%",
        "after=%4",
        "after=%zz",
        "after=%FF",
        "after=%C3%28",
        "%zz=1",
    ] {
        let answer = api.wire("GET", &format!("/users?{query}"), &[], None);
        expect_problem(&answer, 400);
    }
    api.assert_healthy();
}
