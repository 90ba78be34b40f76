//! Databases that are copied, and services on them.

use std::process::Output;

use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::parts::Installation;
use testkit::redis_connection::RedisConnection;
use testkit::servers::{TestDatabase, redis_url};
use testkit::service::{Service, run_to_end};

/// The exit code for what an operator has to decide.
pub(crate) const REFUSED: i32 = 64;

/// Recreates the tables of `from` in `to`, rows and all, as a restored dump does.
pub(crate) fn copy_tables(from: &TestDatabase, to: &TestDatabase) {
    for table in from.query_rows("SHOW TABLES").concat() {
        let there = format!("`{}`.`{table}`", to.name());
        let here = format!("`{}`.`{table}`", from.name());
        to.query_rows(&format!("DROP TABLE IF EXISTS {there}"));
        to.query_rows(&format!("CREATE TABLE {there} LIKE {here}"));
        to.query_rows(&format!("INSERT INTO {there} SELECT * FROM {here}"));
    }
}

/// A copy of the database of `installation`, to be served by the same Redis.
pub(crate) fn copy_of(installation: &Installation, service: Service) -> Installation {
    let copy = TestDatabase::create();
    copy_tables(installation.database().unwrap(), &copy);
    Installation::on(service, &redis_url(), copy)
}

/// Runs the service, or a subcommand of it, to its end.
pub(crate) fn run(installation: &Installation, arguments: &[&str]) -> Output {
    let mut command = installation.command();
    run_to_end(command.env("LISTEN", "127.0.0.1:0").args(arguments))
}

/// Expects that the service, or a subcommand, ends with a sentence that has all of `words` and no password.
#[track_caller]
pub(crate) fn expect_refused(installation: &Installation, arguments: &[&str], words: &[&str]) {
    let output = run(installation, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(REFUSED), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("root:root"), "{said}");
}

/// Expects that a subcommand succeeds; what it has said.
#[track_caller]
pub(crate) fn expect_done(installation: &Installation, arguments: &[&str]) -> String {
    let output = run(installation, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The status of a write of a user.
pub(crate) fn write(client: &Client, name: &str, age: u32) -> u16 {
    let user = json!({ "name": name, "age": age, "occupation": "Engineer" });
    client.put_json(&user_path(name), &user).status
}

#[track_caller]
pub(crate) fn must_write(client: &Client, name: &str, age: u32) {
    assert_eq!(write(client, name, age), 200, "{name}");
}

/// The age of a user, if there is one.
#[track_caller]
pub(crate) fn age(client: &Client, name: &str) -> Option<u64> {
    let answer = client.get(&user_path(name));
    match answer.status {
        200 => answer.json()["age"].as_u64(),
        404 => None,
        status => panic!("{name}: {status} {}", answer.text()),
    }
}

/// Returns when the database has all that was acknowledged.
#[track_caller]
pub(crate) fn settle(service: Service, client: &Client) {
    if service == Service::WriteBehind {
        let answer = client.request("POST", "/flush?timeout_s=30", &[], None);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Name and age of each user in the database.
pub(crate) fn rows(database: &TestDatabase) -> Vec<Vec<String>> {
    database.query_rows("SELECT name, age FROM users WHERE deleted_at IS NULL ORDER BY name")
}

/// The binding in the tests' Redis of the database of `installation`.
pub(crate) struct StoredBinding {
    redis: RedisConnection,
    key: String,
}

impl StoredBinding {
    pub(crate) fn of(installation: &Installation) -> Self {
        let database = installation.database().unwrap();
        let identity = database.query_rows("SELECT identity FROM users_identity");
        StoredBinding {
            redis: RedisConnection::open(&redis_url()).unwrap(),
            key: format!("wc:{{{}}}:binding", identity[0][0]),
        }
    }

    pub(crate) fn get(&mut self) -> String {
        self.redis.ask(&["GET", &self.key]).unwrap()
    }

    /// How many processes are registered.
    pub(crate) fn registrations(&mut self) -> u64 {
        let served = self.key.replace(":binding", ":served");
        self.redis.ask(&["HLEN", &served]).unwrap()
    }

    pub(crate) fn set(&mut self, binding: &str) {
        self.redis.command(&["SET", &self.key, binding]).unwrap();
    }
}
