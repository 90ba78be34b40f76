//! Batches while a part is unavailable.

use std::collections::BTreeMap;
use std::thread;

use serde_json::Value;
use testkit::wait::wait_until;

use crate::combination::Turn;
use crate::outages::Site;
use crate::problem::{assert_nothing_leaks, expect_problem};
use crate::streams::{Batch, delete, put};

checks!(batch_outages:
    each_line_of_an_outage_is_refused_and_later_ones_are_written,
    a_line_that_waits_for_the_database_is_told_what_is_known,
    a_locked_row_holds_up_no_order,
);

#[track_caller]
fn expect_unavailable(line: &Value) {
    let document = line.to_string();
    assert_nothing_leaks(&document);
    assert_eq!(line["status"], 503, "{document}");
    let kind = line["type"].as_str().unwrap();
    assert!(
        ["/problems/unavailable", "/problems/outcome-unknown"].contains(&kind),
        "{document}"
    );
    assert!(
        line["retry_after_s"]
            .as_u64()
            .is_some_and(|seconds| seconds > 0),
        "{document}"
    );
}

pub(crate) fn each_line_of_an_outage_is_refused_and_later_ones_are_written(turn: &Turn) {
    let site = Site::start(turn);
    let api = &site.api;
    let part = match turn.is_write_behind() {
        true => &site.cache,
        false => &site.database,
    };
    let mut stream = Batch::open(api, "");
    let mut known: BTreeMap<String, u64> = BTreeMap::new();
    let mut number = 0;
    for round in 0..3 {
        wait_until("lines are written again", || {
            number += 1;
            let name = format!("before {number}");
            stream.send(put(&name, round));
            let line = stream.next();
            assert_eq!(line["line"], number);
            if line["status"] != 200 {
                expect_unavailable(&line);
                return false;
            }
            known.insert(name, round);
            true
        });
        part.cut();
        let lines: String = (0..500)
            .map(|place| put(&format!("in outage {place}"), round))
            .collect();
        stream.send(lines + "x\n" + &delete("before 1"));
        for _ in 0..500 {
            number += 1;
            expect_unavailable(&stream.next());
        }
        assert_eq!(stream.next()["status"], 400);
        expect_unavailable(&stream.next());
        number += 2;
        part.restore();
    }
    stream.finish();
    assert_eq!(stream.rest(), Vec::<Value>::new());
    wait_until("it is as it was", || {
        api.client().get("/readyz").status == 200
    });
    // The delete may have taken place.
    known.remove("before 1");
    for (name, age) in &known {
        assert_eq!(api.must_get(name)["age"], *age, "{name}");
    }
    api.settle();
    let users = api.all_users(1000);
    for (name, age) in known {
        let user = users.iter().find(|user| user["name"] == name);
        assert_eq!(user.unwrap()["age"], age);
    }
}

pub(crate) fn a_line_that_waits_for_the_database_is_told_what_is_known(turn: &Turn) {
    if !turn.is_write_behind() {
        return;
    }
    let site = Site::start(turn);
    let api = &site.api;
    let mut stream = Batch::open(api, "?durability=persisted&timeout_s=1");
    stream.send(put("first", 1));
    assert_eq!(stream.next()["status"], 200);
    site.database.cut();
    stream.send([put("second", 1), put("third", 1), delete("first")].concat());
    let lines = [stream.next(), stream.next(), stream.next()];
    site.database.restore();
    for line in &lines {
        let kind = line["type"].as_str().unwrap();
        let known = ["/problems/not-persisted", "/problems/persistence-unknown"];
        assert!(known.contains(&kind), "{line}");
    }
    stream.finish();
    assert_eq!(stream.rest(), Vec::<Value>::new());
    api.settle();
    for name in ["second", "third"] {
        assert_eq!(api.must_get(name)["age"], 1);
    }
    expect_problem(&api.get("first"), 404);
    assert_eq!(api.all_users(10).len(), 2);
}

/// Another transaction locks a row for a moment: later lines of the name come later.
pub(crate) fn a_locked_row_holds_up_no_order(turn: &Turn) {
    let site = Site::start(turn);
    let api = &site.api;
    let mut stream = Batch::open(api, "");
    stream.send(put("locked", 1));
    assert_eq!(stream.next()["status"], 200);
    api.settle();
    let mut body = String::new();
    for age in 2..50 {
        body += &put("locked", age);
        body += &put(&format!("free {age}"), age);
    }
    thread::scope(|scope| {
        let site = &site;
        let sleep = "SELECT name FROM users WHERE name >= 'locked' AND SLEEP(2) = 0 FOR UPDATE";
        scope.spawn(move || site.query(sleep));
        let look = "SELECT name FROM users WHERE name = 'locked' FOR UPDATE SKIP LOCKED";
        wait_until("the row is locked", || site.query(look).is_empty());
        stream.send(&body);
        for place in 0..96 {
            let line = stream.next();
            assert_eq!(line["status"], 200, "{place}: {line}");
        }
    });
    stream.finish();
    assert_eq!(stream.rest(), Vec::<Value>::new());
    assert_eq!(api.must_get("locked")["age"], 49);
    api.settle();
    let users = api.all_users(1000);
    assert_eq!(users.last().unwrap()["age"], 49);
}
