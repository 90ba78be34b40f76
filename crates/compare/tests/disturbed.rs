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
use compare::site::{Backends, Database, RunningService, Site};
use rusqlite::Connection;
use serde_json::{Value, json};
use testkit::http::Client;
use testkit::servers::{mysql_url, redis_url};
use testkit::wait::wait_until;

async fn site(parts: Backends) -> Site {
    let binaries = Binaries::beside_the_tool().unwrap();
    Site::prepare(parts, Some(binaries)).await.unwrap()
}

async fn on_servers() -> Site {
    site(Backends::servers(&redis_url(), &mysql_url()).unwrap()).await
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

fn rows(service: &RunningService) -> u64 {
    let Some(Database::Sqlite(file)) = service.database() else {
        panic!("{:?}", service.database());
    };
    let connection = Connection::open(file).unwrap();
    let count = connection.query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0));
    u64::try_from(count.unwrap_or(0_i64)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_answered_503_by_write_through() {
    let site = site(Backends::Embedded).await;
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
    let site = site(Backends::Embedded).await;
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
