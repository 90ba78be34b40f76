//! What waits in the journal while the database takes no writes, and what becomes of it at a crash and at
//! a stop.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::parts::Installation;
use testkit::service::ServiceProcess;
use testkit::wait::wait_until;

use crate::api::{Api, record, version};
use crate::combination::Turn;
use crate::journal::journal_of;
use crate::problem::expect_problem;

checks!(backlog:
    what_only_the_journal_has_is_read_after_a_crash,
    a_stop_drains_what_waits,
    a_stop_that_is_cut_short_says_what_is_left,
    a_stop_while_the_database_takes_no_writes_leaves_them_for_the_next_start,
);

const NAMES: u8 = 20;

fn name(number: u8) -> String {
    format!("waiting {number:02}")
}

fn second(number: u8) -> Value {
    record(&name(number), number, "second")
}

/// A service with a backlog: every second name was drained at a first version and has another now, and
/// "gone" was drained and is deleted now.
struct Backlog {
    process: ServiceProcess,
    versions: Vec<u64>,
}

impl Backlog {
    fn build(turn: &Turn, installation: &Installation) -> Self {
        let process = installation.start(turn.service());
        let api = Api::at(turn.service(), process.base_url());
        for number in (0..NAMES).step_by(2) {
            api.must_write(&record(&name(number), 1, "first"));
        }
        api.must_write(&record("gone", 1, "first"));
        api.settle();

        // As a deadlock that comes again and again: a transient error, which no single record causes.
        query(
            installation,
            "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW \
             SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'",
        );
        let versions = (0..NAMES).map(|number| api.must_write(&second(number)));
        let versions = versions.collect();
        assert_eq!(api.delete("gone").status, 204);
        // Long enough for a few attempts, so that the drainer waits before the next.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(journal_of(&api)["depth"], u64::from(NAMES) + 1);
        Backlog { process, versions }
    }

    fn expect_read(&self, api: &Api) {
        for (number, written) in (0..NAMES).zip(&self.versions) {
            let answer = api.get(&name(number));
            assert_eq!(answer.json(), second(number));
            assert_eq!(version(&answer), *written);
        }
        expect_problem(&api.get("gone"), 404);
    }
}

fn query(installation: &Installation, sql: &str) -> Vec<Vec<String>> {
    installation.database().expect("a server").query_rows(sql)
}

fn stop_refusing(installation: &Installation) {
    query(installation, "DROP TRIGGER refuse");
}

fn expect_stored(installation: &Installation) {
    let sql = "SELECT name, age, occupation FROM users WHERE deleted_at IS NULL ORDER BY name";
    let expected: Vec<[String; 3]> = (0..NAMES)
        .map(|number| [name(number), number.to_string(), "second".to_owned()])
        .collect();
    assert_eq!(query(installation, sql), expected);
}

pub(crate) fn what_only_the_journal_has_is_read_after_a_crash(turn: &Turn) {
    // With the cache that stays, and with one that is empty again.
    for cache in [None, Some("memory:")] {
        let mut installation = turn.install();
        if let Some(url) = cache {
            installation.set("CACHE_URL", url);
        }
        let mut backlog = Backlog::build(turn, &installation);
        for _ in 0..2 {
            backlog.process.kill_9();
            backlog.process = installation.start(turn.service());
            let api = Api::at(turn.service(), backlog.process.base_url());
            backlog.expect_read(&api);
            assert_eq!(journal_of(&api)["depth"], u64::from(NAMES) + 1);
        }
        let api = Api::at(turn.service(), backlog.process.base_url());
        stop_refusing(&installation);
        api.settle();
        expect_stored(&installation);
        backlog.expect_read(&api);
    }
}

pub(crate) fn a_stop_drains_what_waits(turn: &Turn) {
    let installation = turn.install();
    let mut backlog = Backlog::build(turn, &installation);
    stop_refusing(&installation);
    assert!(backlog.process.terminate().success());
    expect_stored(&installation);
}

pub(crate) fn a_stop_that_is_cut_short_says_what_is_left(turn: &Turn) {
    let mut installation = turn.install();
    installation.set("SHUTDOWN_DEADLINE_S", "600");
    let mut backlog = Backlog::build(turn, &installation);
    backlog.process.begin_to_terminate();
    wait_until("it stops", || backlog.process.logs().contains("stopping"));
    assert!(backlog.process.interrupt().success());
    let logs = backlog.process.logs();
    assert!(logs.contains("left in the journal"), "{logs}");

    backlog.process = installation.start(turn.service());
    let api = Api::at(turn.service(), backlog.process.base_url());
    backlog.expect_read(&api);
    stop_refusing(&installation);
    api.settle();
    expect_stored(&installation);
}

pub(crate) fn a_stop_while_the_database_takes_no_writes_leaves_them_for_the_next_start(
    turn: &Turn,
) {
    let mut installation = turn.install();
    installation.set("SHUTDOWN_DEADLINE_S", "1");
    let mut backlog = Backlog::build(turn, &installation);
    let began = Instant::now();
    assert!(backlog.process.terminate().success());
    assert!(began.elapsed() < Duration::from_secs(5));

    backlog.process = installation.start(turn.service());
    let api = Api::at(turn.service(), backlog.process.base_url());
    backlog.expect_read(&api);
    stop_refusing(&installation);
    api.settle();
    expect_stored(&installation);
}
