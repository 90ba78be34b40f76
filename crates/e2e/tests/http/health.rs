//! `/healthz` and `/readyz`: what the service says of itself and of its parts.

use std::collections::BTreeSet;

use serde_json::json;

use crate::api::{Api, record, shown};
use crate::combination::Turn;

checks!(health:
    a_living_service_says_so,
    a_ready_service_lists_its_parts_and_what_each_keeps,
    no_password_is_shown_anywhere,
);

pub(crate) fn a_living_service_says_so(turn: &Turn) {
    let api = turn.shared();
    let answer = api.client().get("/healthz");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "status": "alive" }));
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
}

pub(crate) fn a_ready_service_lists_its_parts_and_what_each_keeps(turn: &Turn) {
    let api = turn.shared();
    let answer = api.client().get("/readyz");
    assert_eq!(answer.status, 200, "{}", shown(&answer));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let document = answer.json();
    let own = turn.service().write_path().trim_start_matches('/');
    assert_eq!(document["service"], own);
    assert_eq!(document["status"], "ready");

    let parts = document["parts"].as_object().unwrap();
    let found: BTreeSet<&str> = parts.keys().map(String::as_str).collect();
    let mut expected = BTreeSet::from(["cache", "database"]);
    if turn.is_write_behind() {
        expected.insert("journal");
    }
    assert_eq!(found, expected);
    for part in parts.values() {
        assert_eq!(part["up"], true, "{part}");
        for key in ["kind", "at", "durability"] {
            assert!(
                part[key].as_str().is_some_and(|text| !text.is_empty()),
                "{part}"
            );
        }
        assert_eq!(part.get("problem"), None, "{part}");
    }
}

pub(crate) fn no_password_is_shown_anywhere(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let mut told = String::new();
    for path in ["/readyz", "/healthz", "/metrics", "/nowhere", "/journal"] {
        told += api.client().get(path).text();
    }
    api.must_write(&record("a name of a user", 30, "Engineer"));
    api.client().get("/users");
    assert!(running.terminate().success());
    let logs = running.logs();
    // MariaDB's URL has the user root with the password root.
    for text in [&told, &logs] {
        assert!(!text.contains("root"), "{text}");
    }
    assert!(!logs.contains("a name of a user"), "{logs}");
    if let Some(database) = running.database() {
        let url = database.url();
        let (scheme, place) = url.split_once("root:root@").expect("a URL with a password");
        // Nor are the driver's options, of which some name files.
        let place = place.split('?').next().unwrap();
        assert!(told.contains(&format!("{scheme}{place}")), "{told}");
    }
}
