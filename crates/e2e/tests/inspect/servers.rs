//! On Redis and MySQL or MariaDB, beside services that run.

use std::collections::BTreeMap;

use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::{Installation, Parts};
use testkit::proxy::ChaosProxy;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{delete, flush, inspect, write};

const NAME: &str = "Zoë \"the\" user";

#[test]
#[ignore = "needs servers"]
fn a_name_that_was_never_written_is_nowhere() {
    let running = Parts::RedisMariaDb.start(Service::WriteBehind);
    let found = inspect(running.installation(), NAME);
    found.expect(0, &["404", "no part has anything"]);
    assert_eq!(found.json["agree"], true);
    assert!(found.line("database").contains("no row"));
}

#[test]
#[ignore = "needs servers"]
fn both_services_agree_on_what_is_written_and_deleted() {
    for service in Service::all() {
        let running = Parts::RedisMariaDb.start(service);
        let client = running.client();
        let version = write(&client, NAME, 30);
        if service == Service::WriteBehind {
            flush(&client);
        }
        let found = inspect(running.installation(), NAME);
        let version = version.to_string();
        found.expect(0, &[&version, "from the cache", "agree", "\"age\":30"]);
        assert_eq!(found.json["cache"]["state"], "clean");
        assert_eq!(found.json["database"]["holds"]["value"]["age"], 30);
        assert_eq!(found.json["reader"]["version"].to_string(), version);
        assert!(found.json["cache"]["expires_in_s"].as_f64().unwrap() > 0.0);
        delete(&client, NAME);
        if service == Service::WriteBehind {
            flush(&client);
        }
        let found = inspect(running.installation(), NAME);
        found.expect(0, &["404", "agree"]);
        assert!(
            found.line("database").contains("tombstone"),
            "{}",
            found.text
        );
    }
}

/// A process whose database is unavailable, and the same settings with it.
struct CutOff {
    process: testkit::service::ServiceProcess,
    proxy: ChaosProxy,
    installation: Installation,
}

fn cut_off(redis_url: &str) -> CutOff {
    let mut installation =
        Installation::on(Service::WriteBehind, redis_url, TestDatabase::create());
    let proxy = installation.proxy_before("DATABASE_URL");
    let process = installation.start(Service::WriteBehind);
    CutOff {
        process,
        proxy,
        installation,
    }
}

#[test]
#[ignore = "needs servers"]
fn writes_that_wait_are_shown_in_their_order() {
    let redis = OwnServer::redis(AppendFsync::EverySecond, "0");
    let mut site = cut_off(redis.url());
    let client = site.process.client();
    let first = write(&client, NAME, 29);
    flush(&client);
    site.proxy.cut();
    write(&client, "another", 1);
    write(&client, NAME, 30);
    delete(&client, NAME);
    let newest = write(&client, NAME, 31).to_string();
    // The database is unavailable to this process as well, and Redis alone tells where its data is.
    let found = inspect(&site.installation, NAME);
    let words = [
        "from the cache",
        &newest,
        "which the database gets when it is available",
    ];
    found.expect(1, &words);
    assert_eq!(found.json["database"]["is_read"], false);
    assert_eq!(found.json["cache"]["state"], "dirty");
    let waiting = found.json["journal"]["waiting"].as_array().unwrap();
    let ages: Vec<&serde_json::Value> =
        waiting.iter().map(|entry| &entry["value"]["age"]).collect();
    assert_eq!(
        ages,
        [
            &serde_json::json!(30),
            &serde_json::Value::Null,
            &serde_json::json!(31)
        ]
    );
    // To this process it is available.
    let url = site.installation.database().unwrap().url();
    site.installation.set("DATABASE_URL", &url);
    let found = inspect(&site.installation, NAME);
    let words = ["newer write", &newest, &first.to_string(), "drained"];
    found.expect(0, &words);
    assert_eq!(found.json["database"]["holds"]["version"], first);
    // Nothing was changed: it drains as it would have.
    site.proxy.restore();
    flush(&client);
    inspect(&site.installation, NAME).expect(0, &["agree", &newest]);
}

#[test]
#[ignore = "needs servers"]
fn a_write_that_the_database_refuses_is_shown_with_its_reason() {
    let settings = [("DEAD_LETTERS_MAX", "1")];
    let running = Parts::RedisMariaDb.start_with(Service::WriteBehind, &settings);
    let client = running.client();
    write(&client, "before", 1);
    flush(&client);
    let refuse = "ALTER TABLE users ADD CONSTRAINT refuse CHECK (name NOT LIKE 'refused%')";
    running.database().unwrap().query_rows(refuse);
    let version = write(&client, "refused", 30).to_string();
    wait_until("it is a dead letter", || {
        client.get("/dead-letters").text().contains("refused")
    });
    let found = inspect(running.installation(), "refused");
    found.expect(0, &["refused version", &version, "replay or delete"]);
    assert!(found.line("dead").contains("refuse"), "{}", found.text);
    assert_eq!(found.json["journal"]["dead_letter"]["value"]["age"], 30);
    let version = write(&client, "refused too", 31).to_string();
    wait_until("it is held back", || {
        client.get("/journal").json()["held_back"] == 1
    });
    let found = inspect(running.installation(), "refused too");
    found.expect(0, &["refused version", &version, "held back until"]);
}

#[test]
#[ignore = "needs servers"]
fn a_redis_that_is_unavailable_is_shown_as_such() {
    let mut redis = OwnServer::redis(AppendFsync::EverySecond, "0");
    for service in Service::all() {
        let installation = Installation::on(service, redis.url(), TestDatabase::create());
        let process = installation.start(service);
        let version = write(&process.client(), NAME, 30).to_string();
        if service == Service::WriteBehind {
            flush(&process.client());
        }
        drop(process);
        redis.kill_9();
        let found = inspect(&installation, NAME);
        let from = match service {
            Service::WriteThrough => "from the database",
            Service::WriteBehind => "a reader gets an error",
        };
        found.expect(1, &[from]);
        assert!(
            found.line("cache").contains("unavailable"),
            "{}",
            found.text
        );
        assert!(found.line("database").contains(&version), "{}", found.text);
        redis.restart();
    }
}

/// The value of a key, and in how many milliseconds it expires; -1 is never.
type Held = (Vec<u8>, i64);

/// Every key that is there.
fn keys_and_values(admin: &mut RedisConnection) -> BTreeMap<String, Held> {
    let keys: Vec<String> = admin.ask(&["KEYS", "*"]).unwrap();
    let mut all = BTreeMap::new();
    for key in keys {
        let value: Option<Vec<u8>> = admin.ask(&["DUMP", &key]).unwrap();
        let left_ms: i64 = admin.ask(&["PTTL", &key]).unwrap();
        // A key may expire meanwhile.
        if let Some(value) = value
            && left_ms != -2
        {
            all.insert(key, (value, left_ms));
        }
    }
    all
}

/// Keys may have expired, and nothing else.
#[track_caller]
fn expect_unchanged(mut before: BTreeMap<String, Held>, after: BTreeMap<String, Held>) {
    for (key, (value, left_ms)) in after {
        let (value_before, left_ms_before) = before.remove(&key).expect(&key);
        assert_eq!(value, value_before, "{key}");
        assert_eq!(left_ms == -1, left_ms_before == -1, "{key}");
        assert!(left_ms <= left_ms_before, "{key}");
    }
    assert!(
        before.values().all(|(_, left_ms)| *left_ms >= 0),
        "{before:?}"
    );
}

/// All rows of all tables.
fn all_rows(database: &TestDatabase) -> BTreeMap<String, Vec<Vec<String>>> {
    let tables = database.query_rows("SHOW TABLES").concat();
    let rows = |table: String| {
        let rows = database.query_rows(&format!("SELECT * FROM `{table}`"));
        (table, rows)
    };
    tables.into_iter().map(rows).collect()
}

#[test]
#[ignore = "needs servers"]
fn a_look_changes_no_key_and_no_row() {
    let redis = OwnServer::redis(AppendFsync::EverySecond, "0");
    let mut site = cut_off(redis.url());
    let client = site.process.client();
    write(&client, NAME, 30);
    site.proxy.cut();
    write(&client, NAME, 31);
    let mut admin = RedisConnection::open(redis.url()).unwrap();
    let url = site.installation.database().unwrap().url();
    // What a service does meanwhile would count.
    site.process.pause();
    let keys = keys_and_values(&mut admin);
    let rows = all_rows(site.installation.database().unwrap());
    assert!(!keys.is_empty() && !rows.is_empty());
    inspect(&site.installation, NAME).expect(1, &["when it is available"]);
    site.installation.set("DATABASE_URL", &url);
    inspect(&site.installation, NAME).expect(0, &["newer write"]);
    expect_unchanged(keys, keys_and_values(&mut admin));
    assert_eq!(all_rows(site.installation.database().unwrap()), rows);
    site.process.resume();
}

#[test]
#[ignore = "needs servers"]
fn a_mark_of_doubt_is_shown() {
    let running = Parts::RedisMariaDb.start(Service::WriteThrough);
    let client = running.client();
    let version = write(&client, NAME, 30).to_string();
    let database = running.database().unwrap();
    database.query_rows("RENAME TABLE users TO users_elsewhere");
    let user = serde_json::json!({ "age": 31, "occupation": "Engineer" });
    let answer = client.put_json(&testkit::http::user_path(NAME), &user);
    assert_eq!(answer.status, 503, "{}", answer.text());
    database.query_rows("RENAME TABLE users_elsewhere TO users");
    let found = inspect(running.installation(), NAME);
    found.expect(0, &["from the database", &version, "under way"]);
    assert!(found.line("cache").contains("marked"), "{}", found.text);
}

#[test]
#[ignore = "needs servers"]
fn a_name_that_cannot_be_is_refused() {
    let installation = Parts::RedisMariaDb.install(Service::WriteThrough);
    let mut command = installation.command();
    command.args(["inspect", " Ann"]);
    let output = testkit::service::run_to_end(&mut command);
    assert_eq!(output.status.code(), Some(64));
}
