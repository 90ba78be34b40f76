//! What is seen of services and servers while they are at work: real ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use std::time::{Duration, Instant};

use compare::observe::{Observations, Observer, Watched};
use compare::pattern::Pattern;
use compare::report::Slice;
use compare::server_url::ServerUrl;
use compare::servers::mysql::{Counts, StatusReader};
use compare::site::binaries::Binaries;
use compare::site::{Backends, RunningService, Site};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use serde_json::json;
use testkit::http::Client;
use testkit::own_servers::OwnServer;
use testkit::servers::{TestDatabase, mysql_url, redis_url};

const EVERY: Duration = Duration::from_millis(20);

async fn site(parts: Backends) -> Site {
    let binaries = Binaries::beside_the_tool().unwrap();
    Site::prepare(parts, Some(binaries)).await.unwrap()
}

fn write_and_read(service: &RunningService, writes: u32) {
    let client = Client::new(service.url().as_str());
    for number in 0..writes {
        let name = format!("u{number}");
        let user = json!({"name": name, "age": 36, "occupation": "Mathematician"});
        let written = client.post_json(service.pattern().write_path(), &user);
        assert_eq!(written.status, 200, "{}", written.text());
    }
    assert_eq!(client.get("/users/u0").status, 200);
    assert_eq!(client.get("/users/absent").status, 404);
}

fn processes(seen: &Observations) -> Vec<&'static str> {
    seen.processes().iter().map(|used| used.process).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_journal_and_what_the_processes_use_is_seen() {
    let site = site(Backends::Embedded).await;
    let service = site.start(Pattern::WriteBehind, true).await.unwrap();
    // Nothing leaves the journal meanwhile.
    let lever = service.database_lever().unwrap();
    lever.outage().await.unwrap();
    let observer = Observer::start(Watched::of(&service), EVERY).await;
    let began = Instant::now();
    write_and_read(&service, 30);
    let seen = observer.stop().await.unwrap();
    let seconds = began.elapsed().as_secs_f64();

    let journal = seen.journal().unwrap();
    assert_eq!(journal.depth, 30);
    assert!(
        journal.age_s > 0.0 && journal.age_s <= seconds,
        "{journal:?}"
    );
    assert_eq!(processes(&seen), ["compare", "service"]);
    for used in seen.processes() {
        assert!(used.memory_bytes_max > 1 << 20, "{used:?}");
        assert!(used.cpu_s >= 0.0 && used.cpu_s < 60.0, "{used:?}");
    }
    let whole = Slice {
        seconds,
        ..Slice::default()
    };
    let mut slices = [whole];
    seen.fill_in(&mut slices, began);
    assert_eq!(slices[0].journal_depth, Some(30));

    lever.restore().await.unwrap();
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_the_tool_has_not_started_is_found_by_where_it_listens() {
    let site = site(Backends::Embedded).await;
    let service = site.start(Pattern::WriteThrough, false).await.unwrap();
    let unknown = Watched {
        service_pid: None,
        ..Watched::of(&service)
    };
    let seen = Observer::start(unknown, EVERY).await.stop().await.unwrap();
    assert_eq!(processes(&seen), ["compare", "service"]);
    assert!(seen.journal().is_none());
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn servers_are_asked_for_what_they_count_and_use() {
    let site = site(Backends::servers(&redis_url(), &mysql_url()).unwrap()).await;
    let service = site.start(Pattern::WriteThrough, false).await.unwrap();
    let observer = Observer::start(Watched::of(&service), EVERY).await;
    write_and_read(&service, 30);
    let seen = observer.stop().await.unwrap();
    assert_eq!(
        processes(&seen),
        ["compare", "service", "Redis", "database"]
    );
    let load = seen.database().unwrap();
    assert_eq!(load.counted_by, "the server");
    // Others are at work on it, too.
    assert!(load.rows >= 30 && load.commits >= 30, "{load:?}");
    assert!(load.statements > load.commits, "{load:?}");
    service.stop().await.unwrap();
    site.clean_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_server_counts_statements_and_rows_that_changed_and_not_those_that_did_not() {
    // A server of its own, so that no other client's statements are counted.
    let server = OwnServer::database();
    let database = TestDatabase::create_on(server.url());
    database.query_rows("CREATE TABLE users (name VARCHAR(9) PRIMARY KEY, value INT, version INT)");
    let url = ServerUrl::mysql(&database.url()).unwrap();
    let mut reader = StatusReader::connect(&url).await.unwrap();
    let mut writer = Conn::new(Opts::from_url(url.expose()).unwrap())
        .await
        .unwrap();
    let upsert = async |writer: &mut Conn, rows: &[(&str, u32)]| {
        let values: Vec<String> = rows.iter().map(|_| "(?, 1, ?)".to_owned()).collect();
        let statement = format!(
            "INSERT INTO users (name, value, version) VALUES {} ON DUPLICATE KEY UPDATE \
             value = IF(VALUES(version) > version, VALUES(value), value), \
             version = IF(VALUES(version) > version, VALUES(version), version)",
            values.join(", ")
        );
        let values = rows.iter().flat_map(|(name, version)| {
            [
                mysql_async::Value::from(*name),
                mysql_async::Value::from(*version),
            ]
        });
        writer
            .exec_drop(statement, values.collect::<Vec<_>>())
            .await
            .unwrap();
    };

    // The server counts the end of a connection as a statement, too, when it comes to it.
    let only_these = async |writer: &mut Conn| {
        let connected: Option<(String, u32)> = writer
            .query_first("SHOW STATUS LIKE 'Threads_connected'")
            .await
            .unwrap();
        connected.unwrap().1 == 2
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while !only_these(&mut writer).await {
        assert!(Instant::now() < deadline, "another connection stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let before = reader.begin().await.unwrap();
    assert_eq!(reader.end().await.unwrap().since(before), Counts::default());

    let before = reader.begin().await.unwrap();
    // Four new ones; one that is newer, one that is as it was, one that is new, and that again
    // to fill up the statement; and none.
    upsert(&mut writer, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]).await;
    upsert(&mut writer, &[("a", 2), ("b", 1), ("e", 1), ("e", 1)]).await;
    upsert(&mut writer, &[("a", 1)]).await;
    for _ in 0..3 {
        let _: Vec<String> = writer.exec("SELECT name FROM users", ()).await.unwrap();
    }
    let counts = reader.end().await.unwrap().since(before);
    let expected = Counts {
        statements: 6,
        rows: 6,
        commits: 3,
    };
    assert_eq!(counts, expected);
    writer.disconnect().await.unwrap();
}
