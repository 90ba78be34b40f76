//! Many names that the database refuses: their limit holds up no other name, and what waits for room
//! gets on by itself.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::thread;

use rusqlite::Connection;
use serde_json::{Value, json};
use testkit::http::{Client, user_path};
use testkit::parts::{Parts, RunningService};
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::comparison::flush;

const MAX: u64 = 3;
const MORE: u64 = 4;
const SETTINGS: [(&str, &str); 2] = [("DEAD_LETTERS_MAX", "3"), ("JOURNAL_ENTRIES_MAX", "20")];

/// The database refuses all names that begin with `bad`.
fn refuse(running: &RunningService) {
    match running.database() {
        Some(database) => {
            database.query_rows(
                "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW BEGIN \
                 IF NEW.name LIKE 'bad%' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not bad'; \
                 END IF; END",
            );
        }
        None => sqlite(
            running,
            "CREATE TRIGGER refuse BEFORE INSERT ON users WHEN NEW.name LIKE 'bad%' \
             BEGIN SELECT RAISE(ABORT, 'not bad'); END",
        ),
    }
}

fn take_again(running: &RunningService) {
    match running.database() {
        Some(database) => drop(database.query_rows("DROP TRIGGER refuse")),
        None => sqlite(running, "DROP TRIGGER refuse"),
    }
}

fn sqlite_file(running: &RunningService) -> PathBuf {
    running.folder().join("data/write-behind/users.db")
}

fn sqlite(running: &RunningService, statement: &str) {
    let connection = Connection::open(sqlite_file(running)).unwrap();
    connection
        .busy_timeout(std::time::Duration::from_secs(30))
        .unwrap();
    connection.execute_batch(statement).unwrap();
}

fn stored_names(running: &RunningService) -> Vec<String> {
    let query = "SELECT name FROM users WHERE deleted_at IS NULL ORDER BY name";
    match running.database() {
        Some(database) => database.query_rows(query).concat(),
        None => {
            let connection = Connection::open(sqlite_file(running)).unwrap();
            let mut statement = connection.prepare(query).unwrap();
            let names = statement.query_map([], |row| row.get(0)).unwrap();
            names.map(Result::unwrap).collect()
        }
    }
}

fn record(name: &str, age: u64) -> Value {
    json!({"name": name, "age": age, "occupation": "Engineer"})
}

fn put(client: &Client, name: &str, age: u64) {
    let answer = client.put_json(&user_path(name), &record(name, age));
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
}

fn bad(number: u64) -> String {
    format!("bad{number}")
}

fn figures(client: &Client) -> (u64, u64, u64) {
    let journal = client.get("/journal").json();
    let figure = |key: &str| journal[key].as_u64().unwrap();
    (figure("depth"), figure("dead_letters"), figure("held_back"))
}

/// Names, and whether each is held back.
fn letters(client: &Client) -> BTreeMap<String, bool> {
    let mut listed = BTreeMap::new();
    let mut path = "/dead-letters?limit=2".to_owned();
    loop {
        let page = client.get(&path).json();
        let letters = page["dead_letters"].as_array().unwrap();
        assert!(letters.len() <= 2);
        for letter in letters {
            let name = letter["name"].as_str().unwrap().to_owned();
            let before = listed.insert(name, letter["held_back"].as_bool().unwrap());
            assert_eq!(before, None);
        }
        let Some(next) = page["next"].as_str() else {
            return listed;
        };
        path = format!("/dead-letters?limit=2&after={next}");
    }
}

fn replay(client: &Client, query: &str) -> (BTreeMap<String, String>, Value) {
    let answer = client.request("POST", &format!("/dead-letters/replay{query}"), &[], None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/x-ndjson"));
    let lines = answer.text().lines();
    let mut lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = lines.pop().unwrap();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let outcomes = lines
        .iter()
        .map(|line| (text(line, "name"), text(line, "outcome")));
    (outcomes.collect(), summary)
}

/// Three dead letters and four names that are held back.
fn full(parts: Parts) -> RunningService {
    let running = parts.start_with(Service::WriteBehind, &SETTINGS);
    let client = running.client();
    refuse(&running);
    for number in 0..MAX + MORE {
        put(&client, &bad(number), 1);
    }
    wait_until("all are refused", || figures(&client) == (0, MAX, MORE));
    running
}

fn other_names_are_drained(parts: Parts) {
    let mut running = full(parts);
    // More than the journal takes at the same time.
    for number in 0..40 {
        let client = running.client();
        put(&client, &format!("good{number:02}"), 1);
        wait_until("it is drained", || figures(&client) == (0, MAX, MORE));
    }
    assert_eq!(stored_names(&running).len(), 40);
    let client = running.client();
    // What was acknowledged is read.
    assert_eq!(client.get(&user_path("bad5")).json(), record("bad5", 1));
    let ready = client.get("/readyz");
    assert_eq!(ready.status, 200);
    let warning = ready.json()["parts"]["journal"]["warning"].clone();
    assert!(
        warning.as_str().is_some_and(|warning| warning
            .contains("in a shard is reached: there are 3 dead letters, and 4 more")),
        "{warning}"
    );
    let metrics = client.get("/metrics").text().to_owned();
    let has = |line: &str| {
        metrics
            .lines()
            .any(|it| it.starts_with(line) && it.ends_with(" 4"))
    };
    assert!(has("write_cache_journal_held_back_entries{"), "{metrics}");
    assert!(
        running
            .logs()
            .contains("the limit of dead letters in a shard is reached")
    );
    let flushed = client.request("POST", "/flush?timeout_s=0", &[], None);
    assert_eq!(flushed.status, 504, "{}", flushed.text());
    // All of it is there after a crash.
    running.crash_and_restart();
    let client = running.client();
    assert_eq!(figures(&client), (0, MAX, MORE));
    assert_eq!(
        letters(&client)
            .values()
            .filter(|held_back| **held_back)
            .count(),
        4
    );
    assert_eq!(client.get(&user_path("bad5")).json(), record("bad5", 1));
    put(&client, "good40", 1);
    wait_until("it is drained", || figures(&client) == (0, MAX, MORE));
}

#[test]
fn names_beyond_the_limit_hold_up_no_other_on_disk() {
    other_names_are_drained(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn names_beyond_the_limit_hold_up_no_other_in_redis() {
    other_names_are_drained(Parts::RedisMariaDb);
}

fn waits_for_room_or_the_database(parts: Parts) {
    let running = full(parts);
    let client = running.client();
    let dead = |letters: BTreeMap<String, bool>| {
        let dead = letters.into_iter().filter(|(_, held_back)| !held_back);
        dead.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let before = dead(letters(&client));
    let answer = client.delete(&format!("/dead-letters/{}", before[0]));
    assert_eq!(answer.status, 204, "{}", answer.text());
    wait_until("another one takes its place", || {
        figures(&client) == (0, MAX, MORE - 1)
    });
    take_again(&running);
    wait_until("what was held back is in the database", || {
        figures(&client) == (0, MAX, 0)
    });
    flush(running.base_url());
    assert_eq!(stored_names(&running).len() as u64, MORE - 1);
    assert_eq!(dead(letters(&client)).len() as u64, MAX);
}

#[test]
fn what_is_held_back_gets_on_by_itself_on_disk() {
    waits_for_room_or_the_database(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn what_is_held_back_gets_on_by_itself_in_redis() {
    waits_for_room_or_the_database(Parts::RedisMariaDb);
}

fn all_that_match_are_replayed(parts: Parts) {
    let running = full(parts);
    let client = running.client();
    let (outcomes, summary) = replay(&client, "?name_prefix=bad0");
    assert_eq!(outcomes, [("bad0".to_owned(), "refused".to_owned())].into());
    assert_eq!(
        summary,
        json!({"complete": true, "written": 0, "superseded": 0, "left": 1})
    );
    let (outcomes, _) = replay(&client, "?reason=something+else");
    assert_eq!(outcomes, BTreeMap::new());
    // One has a newer row, which another service has written.
    take_again(&running);
    let letter = client.get("/dead-letters?name_prefix=bad1").json()["dead_letters"][0].clone();
    let version = letter["version"].as_u64().unwrap() + 1;
    let newer = format!(
        "INSERT INTO users (name, age, occupation, version) VALUES ('bad1', 99, 'Engineer', {version})"
    );
    match running.database() {
        Some(database) => drop(database.query_rows(&newer)),
        None => sqlite(&running, &newer),
    }
    let mut replayed = BTreeMap::new();
    for query in ["?name_prefix=bad&reason=not+bad", ""] {
        let (outcomes, summary) = replay(&client, query);
        assert_eq!(summary["complete"], true, "{summary}");
        assert_eq!(summary["left"], 0, "{summary}");
        // Some that were held back may have got on by themselves.
        replayed.extend(outcomes);
    }
    assert_eq!(replayed.get("bad1").map(String::as_str), Some("superseded"));
    assert_eq!(replayed.get("bad0").map(String::as_str), Some("written"));
    assert_eq!(letters(&client), BTreeMap::new());
    assert_eq!(client.get(&user_path("bad1")).json(), record("bad1", 99));
    flush(running.base_url());
    let expected: Vec<String> = (0..MAX + MORE).map(bad).collect();
    assert_eq!(stored_names(&running), expected);
    let (outcomes, summary) = replay(&client, "");
    assert_eq!((outcomes.len(), &summary["complete"]), (0, &json!(true)));
}

#[test]
fn all_that_match_are_replayed_on_disk() {
    all_that_match_are_replayed(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn all_that_match_are_replayed_in_redis() {
    all_that_match_are_replayed(Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn a_replay_without_the_database_is_refused() {
    let running = full(Parts::RedisMariaDb);
    let client = running.client();
    let database = running.database().unwrap();
    database.query_rows("RENAME TABLE users TO users_elsewhere");
    let answer = client.request("POST", "/dead-letters/replay", &[], None);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("Retry-After").is_some());
    database.query_rows("RENAME TABLE users_elsewhere TO users");
    wait_until("it is replayed", || {
        let path = "/dead-letters/replay?name_prefix=bad0";
        client.request("POST", path, &[], None).status == 200
    });
}

/// Refused writes alone reach a limit of the journal.
fn held_back_writes_reach_a_limit(limit: (&str, &str), says: &str) {
    let settings = [("DEAD_LETTERS_MAX", "3"), limit];
    let running = Parts::Embedded.start_with(Service::WriteBehind, &settings);
    let client = running.client();
    refuse(&running);
    let mut number = 0;
    let refusal = loop {
        let name = bad(number);
        let answer = client.put_json(&user_path(&name), &record(&name, 1));
        if answer.status != 200 {
            break answer;
        }
        number += 1;
        assert!(number < 100, "it is never full");
        let refused = number.min(MAX);
        wait_until("it is refused", || {
            figures(&client) == (0, refused, number - refused)
        });
    };
    assert_eq!(refusal.status, 503, "{}", refusal.text());
    assert!(refusal.text().contains(says), "{}", refusal.text());
    assert!(number > MAX);
    take_again(&running);
    wait_until("what was held back is in the database", || {
        figures(&client) == (0, MAX, 0)
    });
    wait_until("writes are taken again", || {
        let answer = client.put_json(&user_path("good"), &record("good", 1));
        answer.status == 200
    });
}

#[test]
fn the_entries_of_held_back_writes_are_bounded() {
    held_back_writes_reach_a_limit(
        ("JOURNAL_ENTRIES_MAX", "6"),
        "limit of entries is reached, with refused writes",
    );
}

#[test]
fn the_bytes_of_held_back_writes_are_bounded() {
    held_back_writes_reach_a_limit(
        ("JOURNAL_BYTES_MAX", "4000"),
        "limit of bytes is reached, with refused writes",
    );
}

/// A client that disconnects in the middle of a replay leaves each letter in the database or where it was.
#[test]
fn a_replay_beside_one_that_was_cut_off_is_whole() {
    const LETTERS: usize = 1_500;
    const CLIENTS: usize = 8;
    let settings = [("DEAD_LETTERS_MAX", "2000")];
    let running = Parts::Embedded.start_with(Service::WriteBehind, &settings);
    let client = running.client();
    refuse(&running);
    thread::scope(|scope| {
        for first in 0..CLIENTS {
            let client = &client;
            scope.spawn(move || {
                for number in (first..LETTERS).step_by(CLIENTS) {
                    put(client, &format!("bad{number:04}"), 1);
                }
            });
        }
    });
    wait_until("all are refused", || {
        figures(&client) == (0, LETTERS as u64, 0)
    });
    take_again(&running);
    let address = running.base_url().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /dead-letters/replay HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 300]).unwrap();
    drop(stream);
    // Beside what may be under way still.
    let (outcomes, summary) = replay(&client, "");
    assert_eq!(summary["complete"], true, "{summary}");
    assert!(
        outcomes.values().all(|outcome| outcome == "written"),
        "{outcomes:?}"
    );
    wait_until("no letter is left", || figures(&client) == (0, 0, 0));
    assert_eq!(stored_names(&running).len(), LETTERS);
}

/// The process dies after the refused writes are set aside, and before their entries are acknowledged.
fn survives_a_crash_before_the_acknowledgement(parts: Parts) {
    let mut installation = parts.install(Service::WriteBehind);
    for (name, value) in SETTINGS {
        installation.set(name, value);
    }
    let mut running = installation.run();
    refuse(&running);
    running.terminate();
    running.set("FAULT_POINTS", "drain.applied=crash@1");
    running.start_again();
    let client = running.client();
    for number in 0..MAX + MORE {
        let name = bad(number);
        let path = user_path(&name);
        let body = record(&name, 1).to_string();
        let headers = [("Content-Type", "application/json")];
        // It may die meanwhile; then the write is not acknowledged.
        if client
            .try_request("PUT", &path, &headers, Some(body.as_bytes()))
            .is_err()
        {
            break;
        }
    }
    running.process().wait();
    running.set("FAULT_POINTS", "");
    running.start_again();
    let client = running.client();
    for number in 0..MAX + MORE {
        put(&client, &bad(number), 2);
    }
    wait_until("all are refused", || figures(&client) == (0, MAX, MORE));
    for number in 0..MAX + MORE {
        let name = bad(number);
        assert_eq!(client.get(&user_path(&name)).json(), record(&name, 2));
    }
    assert_eq!(letters(&client).len() as u64, MAX + MORE);
}

#[test]
fn a_crash_between_refusal_and_acknowledgement_doubles_nothing_on_disk() {
    survives_a_crash_before_the_acknowledgement(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn a_crash_between_refusal_and_acknowledgement_doubles_nothing_in_redis() {
    survives_a_crash_before_the_acknowledgement(Parts::RedisMariaDb);
}
