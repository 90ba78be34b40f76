//! Forgetting what is cached, and reads that do not rely on it.

use testkit::http::Response;

use crate::api::{Api, CacheStatus, cache_status, encoded, record, shown};
use crate::combination::{Turn, own_name};
use crate::problem::expect_problem;

checks!(cache:
    a_forgotten_value_is_read_from_the_database,
    forgetting_takes_a_delete_of_a_valid_name,
    a_read_that_asks_for_it_goes_to_the_database,
    a_read_that_asks_for_less_is_answered_by_the_cache,
    an_absent_user_is_asked_for_in_the_same_way,
);

/// Reads until the cache alone answers: what was drained just now may still be dirty.
#[track_caller]
fn expect_cached(api: &Api, name: &str) {
    let statuses: Vec<CacheStatus> = (0..2).map(|_| cache_status(&api.get(name))).collect();
    assert_eq!(statuses[1], CacheStatus::Hit, "{statuses:?}");
}

fn reload(api: &Api, name: &str, directive: &str) -> Response {
    let path = format!("/users/{}", encoded(name));
    api.wire("GET", &path, &[("Cache-Control", directive)], None)
}

/// A user whose value is clean in the cache.
fn cached(api: &Api, name: &str) -> serde_json::Value {
    let user = record(name, 30, "Engineer");
    api.must_write(&user);
    api.settle();
    // A dirty value is answered by the cache.
    let is_clean = || cache_status(&reload(api, name, "no-cache")) != CacheStatus::Hit;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_clean() {
        assert!(std::time::Instant::now() < deadline, "it stays dirty");
    }
    expect_cached(api, name);
    user
}

pub(crate) fn a_forgotten_value_is_read_from_the_database(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    let name = own_name("forgotten / é");
    let user = cached(&api, &name);
    let one = format!("/cache/users/{}", encoded(&name));
    for path in [one.as_str(), "/cache"] {
        for _ in 0..2 {
            let answer = api.client().delete(path);
            assert_eq!(answer.status, 204, "{path}: {}", shown(&answer));
            assert!(answer.body.is_empty());
        }
        let answer = api.get(&name);
        assert_eq!(cache_status(&answer), CacheStatus::Miss { stored: true });
        assert_eq!(answer.json(), user);
        expect_cached(&api, &name);
    }
    for path in ["/cache/users/absent", "/cache"] {
        assert_eq!(api.client().delete(path).status, 204);
    }
}

pub(crate) fn forgetting_takes_a_delete_of_a_valid_name(turn: &Turn) {
    let running = turn.start();
    let api = Api::of(&running);
    for path in ["/cache", "/cache/users/a"] {
        for method in ["GET", "POST", "PUT", "PATCH"] {
            let answer = api.wire(method, path, &[], None);
            expect_problem(&answer, 405);
            assert_eq!(
                answer.header("Allow"),
                Some("DELETE, OPTIONS"),
                "{method} {path}"
            );
        }
    }
    assert_eq!(
        expect_problem(&api.client().delete("/cache/users/%20a"), 422),
        ["name"]
    );
    expect_problem(&api.client().delete("/cache/users/%F"), 400);
    expect_problem(&api.client().delete("/cache/users"), 404);
}

pub(crate) fn a_read_that_asks_for_it_goes_to_the_database(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("reloaded");
    let user = cached(&api, &name);
    let requested = CacheStatus::Requested { stored: true };
    for directive in ["no-cache", "max-age=0", "No-Cache, no-store"] {
        let answer = reload(&api, &name, directive);
        assert_eq!(answer.json(), user);
        assert_eq!(cache_status(&answer), requested, "{directive}");
        let body = serde_json::json!({ "name": name }).to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Cache-Control", directive),
        ];
        let path = api.service.read_path();
        let answer = api.wire("POST", path, &headers, Some(body.as_bytes()));
        assert_eq!(answer.json(), user);
        assert_eq!(cache_status(&answer), requested, "{directive}");
        expect_cached(&api, &name);
    }
}

pub(crate) fn a_read_that_asks_for_less_is_answered_by_the_cache(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("relied");
    let user = cached(&api, &name);
    for directive in [
        "no-store",
        "max-age=1",
        "min-fresh=0",
        "only-if-cached",
        "x, y=z",
    ] {
        let answer = reload(&api, &name, directive);
        assert_eq!(cache_status(&answer), CacheStatus::Hit, "{directive}");
        assert_eq!(answer.json(), user);
    }
}

pub(crate) fn an_absent_user_is_asked_for_in_the_same_way(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("absent");
    for _ in 0..2 {
        let answer = reload(&api, &name, "no-cache");
        expect_problem(&answer, 404);
        assert_eq!(
            cache_status(&answer),
            CacheStatus::Requested { stored: true }
        );
    }
    expect_problem(&api.get(&name), 404);
}
