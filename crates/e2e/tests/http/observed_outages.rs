//! What metrics and answers say of an outage while it goes on.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use testkit::wait::wait_until;

use crate::api::record;
use crate::combination::Turn;
use crate::outages::Site;

checks!(observed_outages:
    only_answered_commits_count_as_committed_rows,
    metrics_have_each_part_and_since_when_it_is_so,
    a_request_that_hangs_is_seen,
    readiness_says_when_to_come_back,
);

/// While the database takes statements and answers none.
pub(crate) fn only_answered_commits_count_as_committed_rows(turn: &Turn) {
    const SENT: &str = "write_cache_store_rows_sent_total";
    const COMMITTED: &str = "write_cache_store_rows_committed_total";
    let site = Site::start_with(turn, &[("DATABASE_TIMEOUT_MS", "1000")]);
    site.api.must_write(&record("there", 30, "Engineer"));
    site.api.settle();
    let before = site.metrics();
    assert!(before.sum(COMMITTED, &[]) >= 1.0);
    site.database.hold();
    site.api.write(&record("meanwhile", 30, "Engineer"));
    wait_until("rows are sent that nothing answers", || {
        site.metrics().sum(SENT, &[]) > before.sum(SENT, &[])
    });
    let held = site.metrics();
    assert_eq!(held.sum(COMMITTED, &[]), before.sum(COMMITTED, &[]));
    site.database.release();
    wait_until("rows are committed", || {
        site.api.write(&record("afterwards", 30, "Engineer"));
        site.metrics().sum(COMMITTED, &[]) > before.sum(COMMITTED, &[])
    });
}

pub(crate) fn metrics_have_each_part_and_since_when_it_is_so(turn: &Turn) {
    let site = Site::start(turn);
    let now_s = || {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        since_1970.unwrap().as_secs_f64()
    };
    for (part, proxy) in [("database", &site.database), ("cache", &site.cache)] {
        let labels = [("part", part)];
        let is_up = || site.metrics().sum("write_cache_up", &labels) == 1.0;
        let changed_s = || {
            site.metrics()
                .sum("write_cache_up_changed_timestamp_seconds", &labels)
        };
        let mut since_s = changed_s();
        for up in [false, true] {
            match up {
                false => proxy.cut(),
                true => proxy.restore(),
            }
            wait_until("the part is found to have changed", || is_up() == up);
            let changed = changed_s();
            assert!(changed > since_s, "{part} {up}: {changed} {since_s}");
            let now = now_s();
            assert!(changed <= now, "{part} {up}: {changed} {now}");
            since_s = changed;
        }
    }
}

pub(crate) fn a_request_that_hangs_is_seen(turn: &Turn) {
    const AGE: &str = "write_cache_http_oldest_request_age_seconds";
    let site = Site::start(turn);
    site.api.must_write(&record("there", 30, "Engineer"));
    site.api.settle();
    assert_eq!(site.metrics().sum(AGE, &[]), 0.0);
    site.database.hold();
    let hanging = site.api.clone();
    let hanging = thread::spawn(move || hanging.get("not in the cache").status);
    wait_until("the request is seen", || {
        let metrics = site.metrics();
        metrics.sum("write_cache_http_requests_in_flight", &[]) == 1.0
            && metrics.sum("write_cache_calls_in_flight", &[("part", "database")]) >= 1.0
            && metrics.sum(AGE, &[]) > 0.5
    });
    site.database.release();
    assert!([404, 503].contains(&hanging.join().unwrap()));
    wait_until("no request is left", || {
        let metrics = site.metrics();
        metrics.sum("write_cache_http_requests_in_flight", &[]) == 0.0
            && metrics.sum(AGE, &[]) == 0.0
    });
    // What was refused is no part of the latencies of what was answered.
    let outcomes = ["answered", "failed"].map(|outcome| {
        let labels = [("route", "/users/{name}"), ("outcome", outcome)];
        site.metrics()
            .sum("write_cache_http_request_duration_seconds_count", &labels)
    });
    assert_eq!(outcomes.iter().sum::<f64>(), 1.0);
}

/// By the same time as the answers to calls of that part.
pub(crate) fn readiness_says_when_to_come_back(turn: &Turn) {
    let site = Site::start(turn);
    let needed = match turn.is_write_behind() {
        true => &site.cache,
        false => &site.database,
    };
    let retry_after = || {
        let answer = site.api.client().get("/readyz");
        answer.header("Retry-After").map(str::to_owned)
    };
    assert_eq!(retry_after(), None);
    needed.cut();
    assert_eq!(retry_after().as_deref(), Some("1"));
    wait_until("probes are told to come back later", || {
        retry_after().as_deref() == Some("2")
    });
    wait_until("writers are told the same", || {
        let answer = site.api.write(&record("refused", 30, "Engineer"));
        assert_eq!(answer.status, 503);
        answer.header("Retry-After") == Some("2")
    });
    needed.restore();
    wait_until("it is ready", || retry_after().is_none());
}
