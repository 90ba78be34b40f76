//! What the services do while their database is unavailable or slow: the real ones, on a real
//! SQLite file and on a real MariaDB or MySQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use std::time::{Duration, Instant};

use compare::pattern::Pattern;
use compare::site::binaries::Binaries;
use compare::site::{Database, Parts, RunningService, Site};
use rusqlite::Connection;
use serde_json::{Value, json};
use testkit::http::Client;
use testkit::servers::{mysql_url, redis_url};
use testkit::wait::wait_until;

/// Shorter than any service waits for its database.
const SHORT: Duration = Duration::from_millis(700);

async fn site(parts: Parts) -> Site {
    let binaries = Binaries::beside_the_tool().unwrap();
    Site::prepare(parts, Some(binaries)).await.unwrap()
}

async fn on_servers() -> Site {
    site(Parts::servers(&redis_url(), &mysql_url()).unwrap()).await
}

fn client(service: &RunningService) -> Client {
    Client::new(service.url().as_str())
}

fn user(name: &str) -> Value {
    json!({"name": name, "age": 36, "occupation": "Mathematician"})
}

fn write(service: &RunningService, name: &str) -> u16 {
    let path = service.pattern().write_path();
    client(service).post_json(path, &user(name)).status
}

fn depth(service: &RunningService) -> u64 {
    client(service).get("/journal").json()["depth"]
        .as_u64()
        .unwrap()
}

fn rows(service: &RunningService) -> u64 {
    let Some(Database::Sqlite(file)) = service.database() else {
        panic!("{:?}", service.database());
    };
    let connection = Connection::open(file).unwrap();
    let count = connection.query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0));
    u64::try_from(count.unwrap_or(0_i64)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn write_behind_goes_on_without_its_file_and_brings_everything_there_afterwards() {
    let site = site(Parts::Embedded).await;
    let service = site.start(Pattern::WriteBehind, true).await.unwrap();
    let lever = service.database_lever().unwrap();
    lever.outage().await.unwrap();
    for number in 0..20 {
        assert_eq!(write(&service, &format!("u{number}")), 200);
    }
    assert_eq!((depth(&service), rows(&service)), (20, 0));
    lever.restore().await.unwrap();
    assert_eq!(
        client(&service)
            .request("POST", "/flush?timeout_s=60", &[], None)
            .status,
        200
    );
    assert_eq!((depth(&service), rows(&service)), (0, 20));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn write_through_waits_for_its_file_and_reads_on() {
    let site = site(Parts::Embedded).await;
    let service = site.start(Pattern::WriteThrough, true).await.unwrap();
    assert_eq!(write(&service, "before"), 200);
    let lever = service.database_lever().unwrap();
    lever.outage().await.unwrap();
    let hasty = Client::with_patience(service.url().as_str(), SHORT);
    let body = user("meanwhile").to_string();
    let headers = [("Content-Type", "application/json")];
    let written = hasty.try_request("POST", "/write-through", &headers, Some(body.as_bytes()));
    assert!(written.is_err(), "{written:?}");
    assert_eq!(client(&service).get("/users/before").status, 200);
    // Answered by the database, since the name has not been read before.
    assert_eq!(client(&service).get("/users/nobody").status, 404);
    assert_eq!(rows(&service), 1);
    lever.restore().await.unwrap();
    wait_until("what waited is written", || rows(&service) == 2);
    assert_eq!(write(&service, "after"), 200);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_stays_away_is_answered_503_by_write_through() {
    let site = site(Parts::Embedded).await;
    let service = site.start(Pattern::WriteThrough, true).await.unwrap();
    let lever = service.database_lever().unwrap();
    lever.outage().await.unwrap();
    assert_eq!(write(&service, "meanwhile"), 503);
    lever.restore().await.unwrap();
    // Refused at once until a probe has found the file again.
    wait_until("it is written", || write(&service, "after") == 200);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_file_takes_one_transaction_at_a_time_each_after_the_delay() {
    const DELAY: Duration = Duration::from_millis(80);
    let site = site(Parts::Embedded).await;
    let service = site.start(Pattern::WriteThrough, true).await.unwrap();
    let lever = service.database_lever().unwrap();
    lever.slow_down(DELAY).await.unwrap();
    let began = Instant::now();
    let mut slow = 0;
    for number in 0..20 {
        let began = Instant::now();
        assert_eq!(write(&service, &format!("u{number}")), 200);
        slow += u32::from(began.elapsed() >= DELAY / 2);
    }
    println!("{slow} of 20 slow, {:?}", began.elapsed());
    // One that comes in a pause is not delayed.
    assert!(slow >= 5, "only {slow} of 20 were slow");
    lever.restore().await.unwrap();
    assert_eq!(rows(&service), 20);
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_behind_goes_on_without_its_server_and_write_through_does_not() {
    let site = on_servers().await;
    let behind = site.start(Pattern::WriteBehind, true).await.unwrap();
    let through = site.start(Pattern::WriteThrough, true).await.unwrap();
    for service in [&behind, &through] {
        assert_eq!(write(service, "before"), 200);
        service.database_lever().unwrap().outage().await.unwrap();
    }
    assert_eq!(write(&behind, "meanwhile"), 200);
    assert_eq!(write(&through, "meanwhile"), 503);
    assert!(depth(&behind) >= 1);
    for service in [&behind, &through] {
        service.database_lever().unwrap().restore().await.unwrap();
    }
    assert_eq!(
        client(&behind)
            .request("POST", "/flush?timeout_s=60", &[], None)
            .status,
        200
    );
    assert_eq!(depth(&behind), 0);
    assert_eq!(write(&through, "after"), 200);
    for service in [behind, through] {
        service.stop().await.unwrap();
    }
    site.clean_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_slow_server_makes_write_through_slow() {
    const DELAY: Duration = Duration::from_millis(120);
    let site = on_servers().await;
    let service = site.start(Pattern::WriteThrough, true).await.unwrap();
    service
        .database_lever()
        .unwrap()
        .slow_down(DELAY)
        .await
        .unwrap();
    for number in 0..3 {
        let began = Instant::now();
        assert_eq!(write(&service, &format!("u{number}")), 200);
        assert!(began.elapsed() >= DELAY, "{:?}", began.elapsed());
    }
    service.stop().await.unwrap();
    site.clean_up().await.unwrap();
}
