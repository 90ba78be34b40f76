//! Deletes.

use std::thread;

use serde_json::Value;

use crate::api::{encoded, record, shown, version};
use crate::combination::{Turn, own_name};
use crate::problem::expect_problem;

checks!(deletes:
    a_deleted_user_is_gone_for_every_call,
    a_user_that_never_was_cannot_be_deleted,
    a_deleted_name_can_be_written_again,
    a_delete_takes_no_other_user_with_it,
    of_deletes_that_race_for_one_user_one_is_told_that_it_did_it,
    a_deleted_user_is_on_no_page,
);

pub(crate) fn a_deleted_user_is_gone_for_every_call(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("deleted");
    let written = api.must_write(&record(&name, 30, "Engineer"));
    let answer = api.delete(&name);
    assert_eq!(answer.status, 204, "{}", shown(&answer));
    assert!(answer.body.is_empty());
    assert!(version(&answer) > written);

    for _ in 0..2 {
        expect_problem(&api.get(&name), 404);
        expect_problem(&api.read(&name), 404);
        expect_problem(&api.delete(&name), 404);
    }
    let head = api.wire("HEAD", &format!("/users/{}", encoded(&name)), &[], None);
    assert_eq!(head.status, 404);
}

pub(crate) fn a_user_that_never_was_cannot_be_deleted(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("never");
    for _ in 0..2 {
        expect_problem(&api.delete(&name), 404);
        expect_problem(&api.get(&name), 404);
    }
}

pub(crate) fn a_deleted_name_can_be_written_again(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("again");
    let mut newest = 0;
    for age in 0..5 {
        let written = api.must_write(&record(&name, age, "Engineer"));
        assert!(written > newest);
        assert_eq!(api.must_get(&name), record(&name, age, "Engineer"));
        let deleted = api.delete(&name);
        assert_eq!(deleted.status, 204, "{}", shown(&deleted));
        assert!(version(&deleted) > written);
        newest = version(&deleted);
    }
    // Also when the database has the tombstone, and not only the cache.
    api.settle();
    expect_problem(&api.delete(&name), 404);
    assert!(api.must_write(&record(&name, 9, "Engineer")) > newest);
    api.settle();
    assert_eq!(api.must_get(&name), record(&name, 9, "Engineer"));
}

pub(crate) fn a_delete_takes_no_other_user_with_it(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("neighbour");
    let neighbours = [
        name.to_uppercase(),
        format!("{name}0"),
        format!("{name}%"),
        name[..name.len() - 1].to_owned() + "_",
    ];
    for neighbour in neighbours.iter().chain([&name]) {
        api.must_write(&record(neighbour, 30, "Engineer"));
    }
    assert_eq!(api.delete(&name).status, 204);
    for neighbour in &neighbours {
        assert_eq!(api.must_get(neighbour), record(neighbour, 30, "Engineer"));
    }
}

pub(crate) fn of_deletes_that_race_for_one_user_one_is_told_that_it_did_it(turn: &Turn) {
    let api = turn.shared();
    for _ in 0..10 {
        let name = own_name("race");
        api.must_write(&record(&name, 30, "Engineer"));
        let statuses: Vec<u16> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| api.delete(&name).status))
                .collect();
            let threads = threads.into_iter();
            threads.map(|thread| thread.join().unwrap()).collect()
        });
        let deleted = statuses.iter().filter(|status| **status == 204).count();
        let missing = statuses.iter().filter(|status| **status == 404).count();
        assert_eq!((deleted, missing), (1, 3), "{statuses:?}");
        expect_problem(&api.get(&name), 404);
    }
}

pub(crate) fn a_deleted_user_is_on_no_page(turn: &Turn) {
    let api = turn.shared();
    let start = own_name("page");
    let names: Vec<String> = (0..6).map(|number| format!("{start} {number}")).collect();
    for name in &names {
        api.must_write(&record(name, 30, "Engineer"));
    }
    for name in names.iter().step_by(2) {
        assert_eq!(api.delete(name).status, 204);
    }
    api.settle();
    let path = format!("/users?after={}&limit=3", encoded(&start));
    let page = api.client().get(&path).json();
    let users = page["users"].as_array().unwrap();
    let found: Vec<&Value> = users.iter().map(|user| &user["name"]).collect();
    assert_eq!(found, [&names[1], &names[3], &names[5]]);
}
