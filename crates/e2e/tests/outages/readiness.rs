//! `/readyz` says what calls find, and why, since when and with which consequence.

use serde_json::Value;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::Site;

/// A way for writes to fail while the server answers: what begins it, and what ends it.
type Fault = (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

const REDIS_FAULTS: &[Fault] = &[
    (
        &["CONFIG", "SET", "min-replicas-to-write", "1"],
        &["CONFIG", "SET", "min-replicas-to-write", "0"],
        "fewer replicas",
    ),
    (
        &["REPLICAOF", "127.0.0.1", "1"],
        &["REPLICAOF", "NO", "ONE"],
        "replica",
    ),
    (
        &["ACL", "SETUSER", "default", "-eval", "-evalsha"],
        &["ACL", "SETUSER", "default", "+@all"],
        "permit",
    ),
    (
        &["CONFIG", "SET", "maxmemory", "1"],
        &["CONFIG", "SET", "maxmemory", "0"],
        "out of memory",
    ),
];

fn expect_unavailable(part: &Value, problem: &str, consequence: &str) {
    assert_eq!(part["up"], false, "{part}");
    let text = |key: &str| part[key].as_str().unwrap_or_default().to_owned();
    assert!(text("problem").contains(problem), "{part}");
    assert!(text("consequence").contains(consequence), "{part}");
    let since = text("since");
    assert!(since.starts_with("20") && since.ends_with('Z'), "{part}");
}

fn expect_ready(site: &Site) {
    wait_until("it is ready", || site.readiness().0 == 200);
    let (_, document) = site.readiness();
    for part in document["parts"].as_object().unwrap().values() {
        for key in ["problem", "since", "consequence"] {
            assert_eq!(part.get(key), None, "{document}");
        }
    }
    wait_until("writes are taken", || site.put("again").status == 200);
}

/// It does not change from one question to the next, with writes in between and without.
#[test]
#[ignore = "needs servers"]
fn write_behind_is_not_ready_while_redis_takes_no_writes() {
    let site = Site::start(Service::WriteBehind);
    assert_eq!(site.put("before").status, 200);
    for (begin, end, problem) in REDIS_FAULTS {
        site.command_redis(begin);
        wait_until("writes are refused", || site.put("meanwhile").status == 503);
        let (mut last, mut since) = (site.readiness(), None);
        for round in 0..6 {
            let (status, document) = &last;
            assert_eq!(*status, 503, "{begin:?}: {document}");
            let journal = &document["parts"]["journal"];
            expect_unavailable(journal, problem, "writes are refused");
            // One outage, however often it is asked for.
            let now = journal["since"].clone();
            assert_eq!(*since.get_or_insert(now.clone()), now);
            if round % 2 == 0 {
                assert_eq!(site.put("meanwhile").status, 503);
            }
            last = site.readiness();
        }
        site.command_redis(end);
        expect_ready(&site);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_read_only_database_is_what_each_service_makes_of_it() {
    for service in Service::all() {
        let site = Site::start(service);
        assert_eq!(site.put("before").status, 200);
        site.query_database("SET GLOBAL read_only = 1");
        wait_until("it is noticed", || {
            site.readiness().1["parts"]["database"]["up"] == false
        });
        let (status, document) = site.readiness();
        let database = &document["parts"]["database"];
        match service {
            Service::WriteBehind => {
                expect_unavailable(database, "read-only", "writes wait in the journal");
                assert_eq!(status, 200, "{document}");
                assert_eq!(site.put("meanwhile").status, 200);
            }
            Service::WriteThrough => {
                expect_unavailable(database, "read-only", "writes are refused");
                assert_eq!(status, 503, "{document}");
                assert_eq!(site.put("meanwhile").status, 503);
                let text = document.to_string();
                assert!(!text.contains("journal"), "{text}");
            }
        }
        site.query_database("SET GLOBAL read_only = 0");
        expect_ready(&site);
    }
}

/// No probe can detect that the table is missing.
#[test]
#[ignore = "needs servers"]
fn a_missing_table_is_an_outage_after_some_failures() {
    let site = Site::start(Service::WriteThrough);
    assert_eq!(site.put("before").status, 200);
    let name = site.running.database().unwrap().name().to_owned();
    let rename = |from: &str, to: &str| {
        site.query_database(&format!("RENAME TABLE `{name}`.{from} TO `{name}`.{to}"));
    };
    rename("users", "users_away");
    assert_eq!(site.put("one").status, 503);
    assert_eq!(site.readiness().0, 200, "one failed call is no outage");
    wait_until("it is an outage", || {
        assert_eq!(site.put("many").status, 503);
        site.readiness().0 == 503
    });
    rename("users_away", "users");
    wait_until("writes are taken", || site.put("again").status == 200);
    expect_ready(&site);
}
