//! A Redis whose `maxmemory-policy` is changed to one that evicts anything while a service runs, and which then
//! has no room for what it holds.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::http::{Client, user_path};
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::proxy::ChaosProxy;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::Service;
use testkit::wait::wait_until;

/// Far more than the server lacks.
const WRITES: usize = 1_000;
const LACKING_BYTES: u64 = 100_000;
const OCCUPATION_CHARS: usize = 250;

fn set(admin: &mut RedisConnection, name: &str, value: &str) {
    let words = ["CONFIG", "SET", name, value];
    admin.command(&words).expect("a setting");
}

pub(crate) fn used_bytes(admin: &mut RedisConnection) -> u64 {
    let used = admin.info("memory", "used_memory").expect("an answer");
    used.expect("a number")
}

fn put(client: &Client, name: &str, age: u8) -> (u16, Value) {
    let occupation = "x".repeat(OCCUPATION_CHARS);
    let record = json!({ "name": name, "age": age, "occupation": occupation });
    let answer = client.put_json(&user_path(name), &record);
    (answer.status, answer.json())
}

#[test]
#[ignore = "needs servers"]
fn evictions_after_a_change_at_runtime_are_stopped_and_counted() {
    let redis = OwnServer::redis(AppendFsync::BySystem, "0");
    let mut admin = RedisConnection::open(redis.url()).expect("Redis");
    let mut installation =
        Installation::on(Service::WriteBehind, redis.url(), TestDatabase::create());
    let url = installation
        .setting("DATABASE_URL")
        .expect("a URL")
        .to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &proxy.url(&url));
    let running = installation.run();
    let client = running.client();
    // Nothing is drained meanwhile.
    proxy.cut();
    let mut acknowledged = BTreeMap::new();
    for number in 0..WRITES {
        let name = format!("user {number}");
        if put(&client, &name, 30).0 == 200 {
            acknowledged.insert(name, 30);
        }
    }
    assert_eq!(acknowledged.len(), WRITES);
    set(&mut admin, "maxmemory-policy", "allkeys-random");
    let room = used_bytes(&mut admin) - LACKING_BYTES;
    set(&mut admin, "maxmemory", &room.to_string());
    let mut number = 0;
    wait_until("writes are refused", || {
        number += 1;
        let name = format!("late {number}");
        let (status, answer) = put(&client, &name, 31);
        match status {
            200 => assert!(acknowledged.insert(name, 31).is_none()),
            503 => {
                let detail = answer["detail"].as_str().expect("a detail");
                return detail.contains("allkeys-random")
                    && detail.ends_with("nothing was written");
            }
            other => panic!("{other}: {answer}"),
        }
        false
    });
    let ready = client.get("/readyz");
    assert_eq!(ready.status, 503, "{}", ready.text());
    let problem = ready.json()["parts"]["journal"]["problem"].clone();
    assert!(
        problem
            .as_str()
            .is_some_and(|problem| problem.contains("allkeys-random")),
        "{problem}"
    );
    let metrics = client.get("/metrics").text().to_owned();
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("write_cache_writes_refused") && line.ends_with(" 1"))
    );

    // What is left of them is drained in spite of it.
    proxy.restore();
    wait_until("it is drained", || {
        client.get("/journal").json()["depth"] == 0
    });
    wait_until("reads go on", || {
        acknowledged.keys().all(|name| {
            let status = client.get(&user_path(name)).status;
            assert!(matches!(status, 200 | 404 | 503), "{status}");
            status != 503
        })
    });
    let database = running.installation().database().expect("a database");
    let rows = database.query_rows("SELECT name, age FROM users");
    let stored: BTreeMap<&str, &str> = rows
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    let missing = acknowledged
        .iter()
        .filter(|(name, age)| stored.get(name.as_str()) != Some(&age.to_string().as_str()));
    let missing = missing.count() as u64;
    let lost = client.get("/journal").json()["lost"]
        .as_u64()
        .expect("a number");
    assert!(
        missing <= lost,
        "{missing} are missing and {lost} are counted"
    );

    set(&mut admin, "maxmemory", "0");
    set(&mut admin, "maxmemory-policy", "noeviction");
    wait_until("writes go on", || put(&client, "Ann", 32).0 == 200);
    assert_eq!(client.get("/readyz").status, 200);
}

/// It could evict the marks of writes under way.
#[test]
#[ignore = "needs servers"]
fn write_through_bypasses_a_redis_that_evicts_anything() {
    const HIT: &str = "write-through; hit";
    const BYPASS: &str = "write-through; fwd=bypass; detail=bypass";
    let redis = OwnServer::redis(AppendFsync::BySystem, "0");
    let mut admin = RedisConnection::open(redis.url()).expect("Redis");
    let database = TestDatabase::create();
    let installation = Installation::on(Service::WriteThrough, redis.url(), database);
    set(&mut admin, "maxmemory-policy", "allkeys-lru");
    let refused = installation.command().output().expect("the binary");
    assert_eq!(refused.status.code(), Some(64));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("CACHE_URL") && said.contains("allkeys-lru"),
        "{said}"
    );

    set(&mut admin, "maxmemory-policy", "volatile-lru");
    let running = installation.run();
    let client = running.client();
    let source = |age: u8| {
        let read = client.get(&user_path("Ann"));
        assert_eq!((read.status, &read.json()["age"]), (200, &json!(age)));
        read.header("Cache-Status").map(str::to_owned)
    };
    assert_eq!(put(&client, "Ann", 30).0, 200);
    wait_until("it is cached", || source(30).as_deref() == Some(HIT));
    set(&mut admin, "maxmemory-policy", "allkeys-lru");
    wait_until("the cache is bypassed", || {
        source(30).as_deref() == Some(BYPASS)
    });
    assert_eq!(put(&client, "Ann", 31).0, 200);
    assert_eq!(source(31).as_deref(), Some(BYPASS));
    set(&mut admin, "maxmemory-policy", "noeviction");
    wait_until("the cache is used", || source(31).as_deref() == Some(HIT));
}
