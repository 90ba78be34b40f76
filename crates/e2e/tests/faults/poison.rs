//! A record that the database refuses for good, in the middle of others: it goes to the dead letters, and
//! the others get through.

use serde_json::Value;
use testkit::http::{Client, user_path};
use testkit::parts::{Parts, RunningService};
use testkit::service::Service;

use crate::comparison::{compare, flush};
use crate::endpoints::{Caller, Endpoints};
use crate::ledger::Ledger;
use crate::seed::Seed;
use crate::stored;
use crate::workload::{Load, Workload};
use crate::writers::{Writer, number_of, record, version_of};
use testkit::wait::wait_until;

pub(crate) const POISON: &str = "poison";

/// A way to refuse one name, and to take it again.
type Refusal = (&'static str, &'static str);

const CHECK: Refusal = (
    "ALTER TABLE users ADD CONSTRAINT refuse CHECK (name <> 'poison')",
    "ALTER TABLE users DROP CONSTRAINT refuse",
);
const SIGNAL: Refusal = (
    "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW BEGIN \
     IF NEW.name = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; END",
    "DROP TRIGGER refuse",
);
/// The occupation is longer than the column.
const COLUMN: Refusal = (
    "ALTER TABLE users MODIFY occupation VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL",
    "ALTER TABLE users MODIFY occupation VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL",
);

/// A record with a number that is known again, and an occupation too long for the smaller column.
fn poison(number: u64) -> Value {
    let mut poison = record(POISON, number);
    poison["occupation"] = format!("number {number:0>80}").into();
    poison
}

fn dead_letters(client: &Client) -> Vec<Value> {
    let answer = client.get("/dead-letters");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let letters = answer.json()["dead_letters"].as_array().cloned();
    letters.expect("dead letters")
}

/// Refuses the one name while others are written before it, behind it and in the same batch, and waits
/// until all the others are in the database and it is a dead letter; returns its version.
fn refuse(running: &RunningService, refusal: Refusal, seed: Seed) -> u64 {
    let client = running.client();
    running.database().unwrap().query_rows(refusal.0);
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    workload.acknowledges(100);
    let answer = client.put_json(&user_path(POISON), &poison(1));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let version = version_of(&answer).expect("a version");
    workload.acknowledges(300);
    let ledger = workload.end();

    wait_until("the poison is a dead letter", || {
        !dead_letters(&client).is_empty()
    });
    compare(&ledger, running.base_url(), running.installation());
    let letters = dead_letters(&client);
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["name"], POISON);
    assert_eq!(letters[0]["version"].as_u64(), Some(version), "{letters:?}");
    let reason = letters[0]["reason"].as_str();
    assert!(
        reason.is_some_and(|reason| !reason.is_empty()),
        "{letters:?}"
    );
    let rows = running
        .database()
        .unwrap()
        .query_rows("SELECT name FROM users");
    assert!(!rows.concat().contains(&POISON.to_owned()));
    version
}

fn goes_through_after_a_replay(refusal: Refusal) {
    let seed = Seed::of_this_run();
    let mut running = Parts::RedisMariaDb.start(Service::WriteBehind);
    let version = refuse(&running, refusal, seed);
    // It is kept over a crash.
    running.crash_and_restart();
    let client = running.client();
    assert_eq!(dead_letters(&client).len(), 1);

    running.database().unwrap().query_rows(refusal.1);
    let answer = client.request("POST", &format!("/dead-letters/{POISON}/replay"), &[], None);
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    flush(running.base_url());
    wait_until("no dead letter is left", || {
        dead_letters(&client).is_empty()
    });
    let rows = running
        .database()
        .unwrap()
        .query_rows("SELECT age, occupation, version FROM users WHERE name = 'poison'");
    let occupation = poison(1)["occupation"].as_str().unwrap().to_owned();
    let row = rows.concat();
    assert_eq!(row[..2], ["1".to_owned(), occupation]);
    assert!(row[2].parse::<u64>().unwrap() >= version, "{row:?}");
    assert_eq!(client.get(&user_path(POISON)).json(), poison(1));
}

#[test]
#[ignore = "needs servers"]
fn a_record_that_a_constraint_refuses_holds_nothing_up_and_can_be_replayed() {
    goes_through_after_a_replay(CHECK);
}

#[test]
#[ignore = "needs servers"]
fn a_record_that_a_trigger_refuses_holds_nothing_up_and_can_be_replayed() {
    goes_through_after_a_replay(SIGNAL);
}

#[test]
#[ignore = "needs servers"]
fn a_record_that_a_column_cannot_hold_holds_nothing_up_and_can_be_replayed() {
    goes_through_after_a_replay(COLUMN);
}

#[test]
#[ignore = "needs servers"]
fn a_dead_letter_that_is_discarded_is_gone_and_the_name_can_be_written_again() {
    let seed = Seed::of_this_run();
    let running = Parts::RedisMariaDb.start(Service::WriteBehind);
    refuse(&running, CHECK, seed);
    let client = running.client();
    let answer = client.delete(&format!("/dead-letters/{POISON}"));
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    assert_eq!(dead_letters(&client), Vec::<Value>::new());

    running.database().unwrap().query_rows(CHECK.1);
    let answer = client.put_json(&user_path(POISON), &record(POISON, 2));
    assert_eq!(answer.status, 200, "{}", answer.text());
    flush(running.base_url());
    let read = client.get(&user_path(POISON));
    assert_eq!(number_of(POISON, &read.json()), Some(2));
    let row = stored::rows(running.database().unwrap())[POISON];
    assert_eq!((row.number, row.version), (Some(2), version_of(&answer)));
}

/// A newer write of a dead letter's name that the database takes is the one that stays.
#[test]
#[ignore = "needs servers"]
fn a_replay_takes_nothing_newer_back() {
    let seed = Seed::of_this_run();
    let running = Parts::RedisMariaDb.start(Service::WriteBehind);
    refuse(&running, COLUMN, seed);
    let client = running.client();
    let endpoints = Endpoints::new([running.base_url()]);
    // Short enough for the column.
    let answer = client.put_json(&user_path(POISON), &record(POISON, 2));
    assert_eq!(answer.status, 200, "{}", answer.text());
    flush(running.base_url());
    running.database().unwrap().query_rows(COLUMN.1);
    // Whether there still is something to replay is not for this test to say.
    let _ = client.request("POST", &format!("/dead-letters/{POISON}/replay"), &[], None);
    flush(running.base_url());
    let read = client.get(&user_path(POISON));
    assert_eq!(number_of(POISON, &read.json()), Some(2));
    let row = stored::rows(running.database().unwrap())[POISON];
    assert_eq!((row.number, row.version), (Some(2), version_of(&answer)));

    // And other names are written as ever.
    let ledger = Ledger::new(1);
    let mut writer = Writer {
        caller: Caller::new(&endpoints, 0, Load::USUAL.wait_timeout),
        choices: seed.choices(0),
        names: vec![0],
        may_come_late: false,
        pause: Load::USUAL.pause,
    };
    writer.put_each(&ledger);
    compare(&ledger, running.base_url(), running.installation());
}

/// A client that waits for the database is told that it will never have the record.
#[test]
#[ignore = "needs servers"]
fn a_write_that_waits_for_the_database_is_told_that_it_is_refused() {
    let running = Parts::RedisMariaDb.start(Service::WriteBehind);
    let client = running.client();
    running.database().unwrap().query_rows(CHECK.0);
    let path = format!("{}?durability=persisted", user_path(POISON));
    let answer = client.put_json(&path, &poison(1));
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(dead_letters(&client).len(), 1);
    // It was acknowledged by the journal, so readers see it.
    assert_eq!(client.get(&user_path(POISON)).json(), poison(1));
    let answer = client.request("POST", &format!("/dead-letters/{POISON}/replay"), &[], None);
    assert_eq!(answer.status, 409, "{}", answer.text());

    running.database().unwrap().query_rows(CHECK.1);
    let answer = client.put_json(&path, &poison(2));
    assert_eq!(answer.header("Durability"), Some("persisted"));
    assert_eq!(dead_letters(&client), Vec::<Value>::new());
}
