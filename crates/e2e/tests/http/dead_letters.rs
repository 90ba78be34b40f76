//! `/dead-letters` where there is nothing wrong. (Records that a database refuses are in the fault tests.)

use serde_json::json;

use crate::api::shown;
use crate::combination::Turn;
use crate::problem::expect_problem;

checks!(dead_letters:
    where_nothing_was_refused_there_is_no_dead_letter,
    what_is_no_dead_letter_can_be_neither_replayed_nor_deleted,
);

pub(crate) fn where_nothing_was_refused_there_is_no_dead_letter(turn: &Turn) {
    let api = turn.shared();
    for path in [
        "/dead-letters",
        "/dead-letters?limit=1",
        "/dead-letters?limit=1000",
        "/dead-letters?after=x&name_prefix=y&reason=z",
    ] {
        let answer = api.client().get(path);
        assert_eq!(answer.status, 200, "{}", shown(&answer));
        assert_eq!(answer.json(), json!({ "dead_letters": [], "next": null }));
    }
    for path in [
        "/dead-letters?limit=0",
        "/dead-letters?limit=1001",
        "/dead-letters?limit=x",
    ] {
        assert_eq!(expect_problem(&api.client().get(path), 422), ["limit"]);
    }
    let replayed = api
        .client()
        .request("POST", "/dead-letters/replay", &[], None);
    let nothing = json!({ "complete": true, "written": 0, "superseded": 0, "left": 0 });
    assert_eq!((replayed.status, replayed.json()), (200, nothing));
    let unknown = api
        .client()
        .request("POST", "/dead-letters/replay?name=x", &[], None);
    assert_eq!(expect_problem(&unknown, 422), ["name"]);
    let journal = api.client().get("/journal").json();
    assert_eq!(journal["dead_letters"], 0, "{journal}");
    assert_eq!(journal["held_back"], 0, "{journal}");
    assert_eq!(journal["dead_letters_max"], 10_000, "{journal}");
    assert_eq!(journal["lost"], 0, "{journal}");
}

pub(crate) fn what_is_no_dead_letter_can_be_neither_replayed_nor_deleted(turn: &Turn) {
    let api = turn.shared();
    for name in [
        "absent",
        "replay",
        "%20entry%207-0%20of%20shard%203",
        "a%2Fb",
        "%F0%9F%98%80",
    ] {
        let path = format!("/dead-letters/{name}");
        expect_problem(&api.client().delete(&path), 404);
        let replay = format!("{path}/replay");
        expect_problem(&api.client().request("POST", &replay, &[], None), 404);
        expect_problem(&api.client().get(&replay), 405);
        expect_problem(&api.client().get(&path), 405);
    }
    expect_problem(&api.client().delete("/dead-letters/%F"), 400);
}
