//! Stops and crashes: what was acknowledged is there afterwards.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::http::Response;
use testkit::parts::RunningService;

use crate::api::{Api, CacheStatus, cache_status, record, version};
use crate::combination::Turn;
use crate::problem::expect_problem;

checks!(restarts:
    what_was_written_is_there_after_a_stop_and_after_a_kill,
    a_read_after_a_restart_is_a_miss_once_unless_the_cache_stayed,
    a_burst_that_was_acknowledged_before_a_kill_is_kept,
    every_write_that_was_acknowledged_when_the_kill_came_is_kept,
    a_stop_answers_what_is_in_flight_and_leaves_nothing_undrained,
    a_write_is_newer_than_all_that_the_database_had_at_the_start,
);

const THREADS: usize = 8;
const ENOUGH_WITHIN: Duration = Duration::from_secs(60);

/// What the record of a name in a burst is.
fn burst_record(name: &str) -> Value {
    let age = name.bytes().map(u32::from).sum::<u32>() % 151;
    record(name, age as u8, &format!("occupation of {name}"))
}

pub(crate) fn what_was_written_is_there_after_a_stop_and_after_a_kill(turn: &Turn) {
    let mut running = turn.start();
    let restarts: [fn(&mut RunningService); 3] = [
        RunningService::restart,
        RunningService::crash_and_restart,
        RunningService::restart,
    ];
    let mut newest = 0;
    for (round, restart) in (0..).zip(restarts) {
        let api = Api::of(&running);
        let fresh = format!("fresh {round}");
        for (name, age) in [
            ("kept", 1),
            (fresh.as_str(), 2),
            ("kept", round),
            ("deleted", 3),
        ] {
            let written = api.must_write(&record(name, age, "Engineer"));
            assert!(written > newest, "round {round}");
            newest = written;
        }
        let kept = version(&api.get("kept"));
        let deleted = api.delete("deleted");
        assert_eq!(deleted.status, 204);
        newest = version(&deleted);

        restart(&mut running);
        let api = Api::of(&running);
        for _ in 0..2 {
            let answer = api.get("kept");
            assert_eq!(answer.json(), record("kept", round, "Engineer"));
            assert_eq!(version(&answer), kept);
            assert_eq!(api.must_get(&fresh), record(&fresh, 2, "Engineer"));
            expect_problem(&api.get("deleted"), 404);
        }
        expect_problem(&api.delete("deleted"), 404);
    }
    let api = Api::of(&running);
    api.settle();
    let expected = [
        record("fresh 0", 2, "Engineer"),
        record("fresh 1", 2, "Engineer"),
        record("fresh 2", 2, "Engineer"),
        record("kept", 2, "Engineer"),
    ];
    assert_eq!(api.all_users(3), expected);
}

pub(crate) fn a_read_after_a_restart_is_a_miss_once_unless_the_cache_stayed(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let written = api.must_write(&record("cached", 30, "Engineer"));
    api.settle();
    running.restart();
    let api = Api::of(&running);
    let first = if turn.parts().cache_outlives_service() {
        CacheStatus::Hit
    } else {
        CacheStatus::Miss { stored: true }
    };
    for expected in [first, CacheStatus::Hit, CacheStatus::Hit] {
        let answer = api.get("cached");
        assert_eq!(answer.json(), record("cached", 30, "Engineer"));
        assert_eq!(version(&answer), written);
        assert_eq!(cache_status(&answer), expected);
    }
}

pub(crate) fn a_burst_that_was_acknowledged_before_a_kill_is_kept(turn: &Turn) {
    const NAMES_EACH: usize = 40;
    let mut running = turn.start();
    let api = Api::of(&running);
    let names: BTreeSet<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let api = &api;
                scope.spawn(move || {
                    let names = (0..NAMES_EACH).map(|number| format!("burst {thread} {number}"));
                    let names: Vec<String> = names.collect();
                    for name in &names {
                        api.must_write(&burst_record(name));
                    }
                    names
                })
            })
            .collect();
        let threads = threads.into_iter();
        threads.flat_map(|thread| thread.join().unwrap()).collect()
    });
    running.crash_and_restart();
    expect_all(&running, &names, &BTreeSet::new());
}

pub(crate) fn every_write_that_was_acknowledged_when_the_kill_came_is_kept(turn: &Turn) {
    const ACKNOWLEDGED_BEFORE_THE_KILL: usize = 150;
    let mut running = turn.start();
    let api = Api::of(&running);
    let (acknowledged, unknown) = write_into_a_cut(
        &api,
        THREADS,
        ACKNOWLEDGED_BEFORE_THE_KILL,
        |_| Outcome::Unknown,
        || {
            running.process().kill_9();
        },
    );
    running.start_again();
    assert!(acknowledged.len() >= ACKNOWLEDGED_BEFORE_THE_KILL);
    expect_all(&running, &acknowledged, &unknown);
}

/// What an answer other than `200` says of its write.
enum Outcome {
    Unknown,
    DidNotTakePlace,
}

/// Writes from several threads, each until a write of its own is not acknowledged, and makes the cut when
/// `enough` are. Returns the names that were acknowledged, and the names with a write of unknown outcome:
/// without an answer, or with one of which `refused` says so.
fn write_into_a_cut(
    api: &Api,
    threads: usize,
    enough: usize,
    refused: fn(&Response) -> Outcome,
    cut: impl FnOnce(),
) -> (BTreeSet<String>, BTreeSet<String>) {
    let acknowledged = Mutex::new(BTreeSet::new());
    let unknown = Mutex::new(BTreeSet::new());
    let deadline = Instant::now() + ENOUGH_WITHIN;
    thread::scope(|scope| {
        for thread in 0..threads {
            let (acknowledged, unknown) = (&acknowledged, &unknown);
            scope.spawn(move || {
                for number in 0.. {
                    let name = format!("cut {thread} {number}");
                    let body = burst_record(&name).to_string();
                    let headers = [("Content-Type", "application/json")];
                    let path = api.service.write_path();
                    let answer =
                        api.client()
                            .try_request("POST", path, &headers, Some(body.as_bytes()));
                    let outcome = match answer {
                        Ok(answer) if answer.status == 200 => {
                            acknowledged.lock().unwrap().insert(name);
                            continue;
                        }
                        Ok(answer) => refused(&answer),
                        // The connection was refused, or closed.
                        Err(_) => Outcome::Unknown,
                    };
                    if let Outcome::Unknown = outcome {
                        unknown.lock().unwrap().insert(name);
                    }
                    return;
                }
            });
        }
        while acknowledged.lock().unwrap().len() < enough && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        // In any case, or the threads would go on for ever.
        cut();
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() >= enough, "{}", acknowledged.len());
    (acknowledged, unknown.into_inner().unwrap())
}

/// Expects the record of every name that was acknowledged, in the service and in the database, and of the
/// others either the record or none.
fn expect_all(
    running: &RunningService,
    acknowledged: &BTreeSet<String>,
    unknown: &BTreeSet<String>,
) {
    let api = Api::of(running);
    for name in acknowledged {
        assert_eq!(api.must_get(name), burst_record(name));
    }
    for name in unknown {
        let answer = api.get(name);
        assert!(answer.status == 404 || answer.json() == burst_record(name));
    }
    api.settle();
    let mut missing = acknowledged.clone();
    for user in api.all_users(1000) {
        let name = user["name"].as_str().unwrap();
        assert_eq!(user, burst_record(name));
        assert!(missing.remove(name) || unknown.contains(name), "{name}");
    }
    assert_eq!(missing, BTreeSet::new());
    if let Some(database) = running.database() {
        let rows = database.query_rows("SELECT name FROM users WHERE deleted_at IS NULL");
        let rows: BTreeSet<String> = rows.into_iter().flatten().collect();
        assert!(rows.is_superset(acknowledged));
    }
}

pub(crate) fn a_stop_answers_what_is_in_flight_and_leaves_nothing_undrained(turn: &Turn) {
    let mut running = turn.start();
    let api = Api::of(&running);
    let (acknowledged, unknown) = write_into_a_cut(
        &api,
        4,
        50,
        |answer| {
            expect_problem(answer, 503);
            Outcome::DidNotTakePlace
        },
        || assert!(running.terminate().success()),
    );
    if let Some(database) = running.database() {
        // Already before it starts again.
        let rows = database.query_rows("SELECT name FROM users");
        let rows: BTreeSet<String> = rows.into_iter().flatten().collect();
        assert!(rows.is_superset(&acknowledged));
    }
    running.start_again();
    expect_all(&running, &acknowledged, &unknown);
}

pub(crate) fn a_write_is_newer_than_all_that_the_database_had_at_the_start(turn: &Turn) {
    // The clock of the parts' own cache, and that of the process.
    for env in [[].as_slice(), &[("CACHE_URL", "memory:")]] {
        let running = turn.parts().start_with(turn.service(), env);
        expect_newer_than_the_database(running);
    }
}

fn expect_newer_than_the_database(mut running: RunningService) {
    const YEAR_US: u64 = 365 * 24 * 3600 * 1_000_000;
    let written = Api::of(&running).must_write(&record("there", 30, "Engineer"));
    assert!(running.terminate().success());
    let mut future = written;
    if let Some(database) = running.database() {
        // As after a clock that was wrong, or on another machine.
        future += YEAR_US;
        database.query_rows(&format!(
            "INSERT INTO users (name, age, occupation, version) VALUES ('ahead', 1, 'x', {future})"
        ));
        let ceiling = format!("UPDATE cache_epoch SET reserved_through = {future}");
        database.query_rows(&ceiling);
    }
    running.start_again();
    let api = Api::of(&running);
    if running.database().is_some() {
        let read = api.get("ahead");
        assert_eq!(read.json(), record("ahead", 1, "x"));
        assert_eq!(version(&read), future);
    }
    for name in ["ahead", "there", "elsewhere"] {
        let written = api.must_write(&record(name, 2, "Engineer"));
        assert!(written > future, "{written} {future}");
        api.settle();
        assert_eq!(api.must_get(name), record(name, 2, "Engineer"));
    }
    let expected = ["ahead", "elsewhere", "there"].map(|name| record(name, 2, "Engineer"));
    assert_eq!(api.all_users(10), expected);
}
