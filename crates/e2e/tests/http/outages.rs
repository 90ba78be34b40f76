//! Outages: the database or the cache away for a while, by a network that is cut or by a table that has
//! another name.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::http::Response;
use testkit::parts::Installation;
use testkit::proxy::ChaosProxy;
use testkit::service::ServiceProcess;
use testkit::wait::wait_until;

use crate::api::{Api, record, shown, version};
use crate::combination::Turn;
use crate::journal::journal_of;
use crate::problem::{assert_nothing_leaks, expect_problem, problem_type};
use crate::prometheus::Metrics;

checks!(outages:
    what_needs_the_database_is_503_and_works_again_afterwards,
    what_does_not_need_the_database_goes_on,
    the_longer_an_outage_lasts_the_later_clients_come_back,
    errors_are_counted_by_operation_part_and_kind,
    readiness_names_the_unavailable_part,
    what_is_acknowledged_while_the_cache_comes_and_goes_is_kept,
    without_the_cache_write_through_goes_on_and_write_behind_acknowledges_nothing,
    told_to_refuse_write_through_does_nothing_without_its_cache,
    forgetting_needs_the_cache,
);

/// How long a probe waits, as the manifests for Kubernetes have it; less than a statement may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A service whose network can be cut. The parts are the check's own, so an outage that a failing check
/// does not end disturbs no other check.
pub(crate) struct Site {
    // The fields are dropped in this order.
    process: ServiceProcess,
    pub(crate) api: Api,
    pub(crate) database: ChaosProxy,
    pub(crate) cache: ChaosProxy,
    installation: Installation,
}

impl Site {
    pub(crate) fn start(turn: &Turn) -> Self {
        Site::start_with(turn, &[])
    }

    pub(crate) fn start_with(turn: &Turn, settings: &[(&str, &str)]) -> Self {
        let mut installation = turn.install();
        for (name, value) in settings {
            installation.set(name, value);
        }
        let database = installation.proxy_before("DATABASE_URL");
        let cache = installation.proxy_before("CACHE_URL");
        let process = installation.start(turn.service());
        Site {
            api: Api::at(turn.service(), process.base_url()),
            process,
            database,
            cache,
            installation,
        }
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.installation.database().unwrap().query_rows(sql)
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::parse(self.api.client().get("/metrics").text())
    }
}

/// A way for the database to be unavailable: what begins it, and what ends it.
type Outage = (fn(&Site), fn(&Site));

const NETWORK: Outage = (|site| site.database.cut(), |site| site.database.restore());
const TABLE: Outage = (
    |site| drop(site.query("RENAME TABLE users TO users_away")),
    |site| drop(site.query("RENAME TABLE users_away TO users")),
);

/// What the drivers say of such outages, which is for the log.
const DRIVERS_WORDS: &[&str] = &["Table", "exist", "test_", "connection", "rror", "127.0.0.1"];

/// What is answered while a part is unavailable; a write's outcome may be unknown.
const TYPES: &[&str] = &["unavailable", "outcome-unknown"];

#[track_caller]
fn expect_unavailable(answer: &Response) {
    let problem = problem_type(answer);
    assert!(TYPES.contains(&problem.as_str()), "{problem}");
    expect_problem(answer, 503);
    for word in DRIVERS_WORDS {
        assert!(!answer.text().contains(word), "{}", answer.text());
    }
    let seconds = answer.header("Retry-After").expect("a Retry-After");
    let seconds: u64 = seconds.parse().expect("a number of seconds");
    assert!((1..=3600).contains(&seconds), "{seconds}");
}

pub(crate) fn what_needs_the_database_is_503_and_works_again_afterwards(turn: &Turn) {
    let site = Site::start(turn);
    let api = &site.api;
    let mut newest = api.must_write(&record("there", 30, "Engineer"));
    api.settle();

    for (number, (begin, end)) in [NETWORK, TABLE].into_iter().enumerate() {
        begin(&site);
        expect_unavailable(&api.get(&format!("not in the cache {number}")));
        expect_unavailable(&api.read(&format!("not in the cache either {number}")));
        expect_unavailable(&api.client().get("/users"));
        if !turn.is_write_behind() {
            expect_unavailable(&api.write(&record("there", 31, "Engineer")));
            expect_unavailable(&api.write(&record("new", 31, "Engineer")));
            expect_unavailable(&api.put("new", &record("new", 32, "Engineer")));
            expect_unavailable(&api.delete("there"));
        }
        api.assert_healthy();
        end(&site);

        expect_problem(&api.get(&format!("not in the cache {number}")), 404);
        if number == 0 {
            assert_eq!(api.must_get("there"), record("there", 30, "Engineer"));
            expect_problem(&api.get("new"), 404);
        }
        let written = api.must_write(&record("there", 33, "Engineer"));
        assert!(written > newest);
        newest = written;
        api.must_write(&record("new", 34, "Engineer"));
        api.settle();
        let expected = [
            record("new", 34, "Engineer"),
            record("there", 33, "Engineer"),
        ];
        assert_eq!(api.all_users(10), expected);
    }
}

pub(crate) fn the_longer_an_outage_lasts_the_later_clients_come_back(turn: &Turn) {
    let site = Site::start(turn);
    let api = &site.api;
    let retry_after = |name| {
        let answer = api.get(name);
        expect_unavailable(&answer);
        answer.header("Retry-After").unwrap().to_owned()
    };
    site.database.cut();
    assert_eq!(retry_after("not in the cache"), "1");
    wait_until("clients are told to come back later", || {
        retry_after("not in the cache") == "2"
    });
    site.database.restore();
    wait_until("the database is there", || {
        api.get("not in the cache").status == 404
    });
    // The next outage is another one.
    site.database.cut();
    assert_eq!(retry_after("not in the cache either"), "1");
}

pub(crate) fn what_does_not_need_the_database_goes_on(turn: &Turn) {
    const NAMES: u8 = 30;
    let site = Site::start(turn);
    let api = &site.api;
    let first = api.must_write(&record("there", 30, "Engineer"));
    api.settle();

    site.database.cut();
    // It needs the database, and takes nothing from readers that do not.
    let no_cache = [("Cache-Control", "no-cache")];
    expect_unavailable(&api.wire("GET", "/users/there", &no_cache, None));
    let read = api.get("there");
    assert_eq!(read.json(), record("there", 30, "Engineer"));
    assert_eq!(version(&read), first);
    if !turn.is_write_behind() {
        return;
    }

    let name = |number: u8| format!("during {number:02}");
    let during = |number| record(&name(number), number, "Engineer");
    for number in 0..NAMES {
        api.must_write(&during(number));
        assert_eq!(api.must_get(&name(number)), during(number));
    }
    assert_eq!(api.delete("there").status, 204);
    expect_problem(&api.get("there"), 404);

    let entries = u64::from(NAMES) + 1;
    thread::sleep(Duration::from_millis(20));
    let journal = journal_of(api);
    assert_eq!(journal["depth"], entries, "{journal}");
    assert!(journal["bytes"].as_u64().unwrap() > 0, "{journal}");
    let oldest_age_ms = journal["oldest_age_ms"].as_u64().unwrap();
    assert!(oldest_age_ms >= 20, "{journal}");
    let metrics = site.metrics();
    assert_eq!(
        metrics.sum("write_cache_journal_depth_entries", &[]),
        entries as f64
    );
    assert!(metrics.sum("write_cache_journal_depth_bytes", &[]) > 0.0);
    assert!(
        metrics.sum("write_cache_journal_oldest_age_seconds", &[]) >= oldest_age_ms as f64 / 1000.0
    );
    for timeout_s in [0, 1] {
        let began = Instant::now();
        let path = format!("/flush?timeout_s={timeout_s}");
        expect_problem(&api.client().request("POST", &path, &[], None), 504);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_secs(timeout_s), "{waited:?}");
        assert!(waited < Duration::from_secs(timeout_s + 5), "{waited:?}");
    }
    site.database.restore();

    api.settle();
    assert_eq!(journal_of(api)["depth"], 0);
    let expected: Vec<Value> = (0..NAMES).map(during).collect();
    assert_eq!(api.all_users(1000), expected);
}

pub(crate) fn errors_are_counted_by_operation_part_and_kind(turn: &Turn) {
    let site = Site::start(turn);
    for (number, (begin, end)) in (1..).zip([NETWORK, TABLE]) {
        begin(&site);
        site.api.write(&record("Xaver", number, "Obituarist"));
        thread::sleep(Duration::from_millis(100));
        let metrics = site.metrics();
        assert_eq!(metrics.kind("write_cache_errors_total"), Some("counter"));
        let of_the_database = [("part", "database"), ("kind", "unavailable")];
        assert!(metrics.sum("write_cache_errors_total", &of_the_database) >= f64::from(number));
        assert!(
            !metrics
                .label_values("write_cache_errors_total", "operation")
                .is_empty()
        );
        end(&site);
    }
    // The log names no user and no password, whatever the database's errors say.
    let logs = site.process.logs();
    for never in ["root", "Xaver", "Obituarist"] {
        assert!(!logs.contains(never), "{logs}");
    }
}

pub(crate) fn readiness_names_the_unavailable_part(turn: &Turn) {
    let site = Site::start(turn);
    for (part, proxy) in [("database", &site.database), ("cache", &site.cache)] {
        proxy.cut();
        let answer = site.api.client().get("/readyz");
        // Write-through goes on without its cache, write-behind without its database.
        let is_needed = (part == "cache") == turn.is_write_behind();
        let status = if is_needed { 503 } else { 200 };
        assert_eq!(answer.status, status, "{}", shown(&answer));
        assert_eq!(answer.header("Retry-After").is_some(), is_needed);
        let document = answer.json();
        let expected = if is_needed { "not ready" } else { "ready" };
        assert_eq!(document["status"], expected);
        for (name, state) in document["parts"].as_object().unwrap() {
            // A journal in Redis is unavailable when the cache is.
            let is_away = name == part || (part == "cache" && name == "journal");
            assert_eq!(state["up"], !is_away, "{document}");
            assert_eq!(state["problem"].is_string(), is_away, "{document}");
        }
        let places = ["mysql://", "redis://"];
        let rest = places
            .iter()
            .fold(document.to_string(), |text, place| text.replace(place, ""));
        assert_nothing_leaks(&rest);
        site.api.assert_healthy();
        proxy.restore();
        assert_eq!(site.api.client().get("/readyz").status, 200);
    }
    // A probe of `/readyz` is answered before its timeout even if the database does not answer.
    site.database.hold();
    let asked_at = Instant::now();
    let answer = site.api.client().get("/readyz");
    let took = asked_at.elapsed();
    site.database.release();
    assert_eq!(
        answer.status,
        if turn.is_write_behind() { 200 } else { 503 }
    );
    assert_eq!(answer.json()["parts"]["database"]["up"], false);
    assert!(took < PROBE_TIMEOUT, "{took:?}");
}

pub(crate) fn what_is_acknowledged_while_the_cache_comes_and_goes_is_kept(turn: &Turn) {
    let site = Site::start(turn);
    let api = &site.api;
    let name = "in and out";
    // The age that was acknowledged last, and those that may have been written since.
    let mut acknowledged = (0, api.must_write(&record(name, 0, "Engineer")));
    let mut since = Vec::new();
    for age in 1..=60_u8 {
        match age % 10 {
            3 => site.cache.cut(),
            7 => site.cache.restore(),
            _ => {}
        }
        let answer = api.write(&record(name, age, "Engineer"));
        match answer.status {
            200 => {
                assert!(version(&answer) > acknowledged.1);
                acknowledged = (age, version(&answer));
                since.clear();
            }
            _ => {
                expect_unavailable(&answer);
                since.push(age);
            }
        }
        let answer = api.get(name);
        match answer.status {
            200 => {
                let read = answer.json();
                let read_age = read["age"].as_u64().unwrap() as u8;
                let is_current = read_age == acknowledged.0 || since.contains(&read_age);
                assert!(is_current, "{read} after {acknowledged:?} {since:?}");
            }
            _ => expect_unavailable(&answer),
        }
    }
    let last = api.must_write(&record(name, 99, "Engineer"));
    assert!(last > acknowledged.1);
    api.settle();
    assert_eq!(api.must_get(name), record(name, 99, "Engineer"));
    assert_eq!(api.all_users(10), [record(name, 99, "Engineer")]);
}

pub(crate) fn without_the_cache_write_through_goes_on_and_write_behind_acknowledges_nothing(
    turn: &Turn,
) {
    const BYPASS: &str = "write-through; fwd=bypass; detail=bypass";
    let site = Site::start(turn);
    let api = &site.api;
    let mut newest = api.must_write(&record("there", 0, "Engineer"));
    site.cache.cut();
    for age in 1..5 {
        let write = record("there", age, "Engineer");
        if turn.is_write_behind() {
            expect_unavailable(&api.write(&write));
            continue;
        }
        let written = api.must_write(&write);
        assert!(written > newest);
        newest = written;
        let read = api.get("there");
        assert_eq!((read.json(), version(&read)), (write, written));
        assert_eq!(read.header("Cache-Status"), Some(BYPASS));
    }
    if !turn.is_write_behind() {
        api.must_write(&record("new", 30, "Engineer"));
        assert_eq!(api.delete("new").status, 204);
        assert_eq!(api.delete("new").status, 404);
        let readiness = api.client().get("/readyz").json();
        assert_eq!(readiness["bypassing"], true, "{readiness}");
        assert_eq!(site.metrics().sum("write_cache_cache_bypassed", &[]), 1.0);
    }
    site.cache.restore();
    assert!(api.must_write(&record("there", 20, "Engineer")) > newest);
    assert_eq!(api.must_get("there"), record("there", 20, "Engineer"));
    if !turn.is_write_behind() {
        wait_until("the cache is used again", || {
            let read = api.get("there");
            assert_eq!(read.json(), record("there", 20, "Engineer"));
            read.header("Cache-Status") == Some("write-through; hit")
        });
        expect_problem(&api.get("new"), 404);
    }
}

pub(crate) fn told_to_refuse_write_through_does_nothing_without_its_cache(turn: &Turn) {
    if turn.is_write_behind() {
        return;
    }
    let site = Site::start_with(turn, &[("CACHE_UNAVAILABLE", "refuse")]);
    let api = &site.api;
    let newest = api.must_write(&record("there", 0, "Engineer"));
    site.cache.cut();
    for age in 1..5 {
        expect_unavailable(&api.write(&record("there", age, "Engineer")));
        expect_unavailable(&api.get("there"));
    }
    assert_eq!(api.client().get("/readyz").status, 503);
    site.cache.restore();
    wait_until("the cache is used again", || {
        api.write(&record("there", 20, "Engineer")).status == 200
    });
    assert!(version(&api.get("there")) > newest);
    assert_eq!(api.must_get("there"), record("there", 20, "Engineer"));
}

pub(crate) fn forgetting_needs_the_cache(turn: &Turn) {
    let site = Site::start(turn);
    let api = &site.api;
    site.cache.cut();
    for path in ["/cache", "/cache/users/there"] {
        expect_unavailable(&api.client().delete(path));
    }
    site.cache.restore();
    let deadline = Instant::now() + Duration::from_secs(30);
    for path in ["/cache", "/cache/users/there"] {
        while api.client().delete(path).status != 204 {
            assert!(Instant::now() < deadline, "{path}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}
