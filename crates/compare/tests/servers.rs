//! Services that are started on a real Redis and a real MariaDB or MySQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use cache_core::redis::patterns;
use compare::pattern::Pattern;
use compare::server_url::ServerUrl;
use compare::servers::mysql;
use compare::site::binaries::Binaries;
use compare::site::{Backends, Database, RunningService, Site};
use deadpool_redis::redis::{Client as Redis, Commands as _, Connection};
use serde_json::json;
use testkit::http::Client;
use testkit::own_servers::OwnServer;
use testkit::servers::{TestDatabase, mysql_url, redis_url};

async fn on_servers() -> Site {
    let binaries = Binaries::beside_the_tool().unwrap();
    let parts = Backends::servers(&redis_url(), &mysql_url()).unwrap();
    Site::prepare(parts, Some(binaries)).await.unwrap()
}

fn database_of(service: &RunningService) -> &ServerUrl {
    match service.database() {
        Some(Database::Mysql(url)) => url,
        other => panic!("{other:?}"),
    }
}

fn name_of(database: &ServerUrl) -> String {
    let (_, name) = database.expose().split_once("/compare_").unwrap();
    format!("compare_{}", name.split('?').next().unwrap())
}

/// The databases of that name, asked from one of another name.
fn databases(name: &str) -> usize {
    let asking = TestDatabase::create();
    asking
        .query_rows(&format!("SHOW DATABASES LIKE '{name}'"))
        .len()
}

/// The names of all keys of these patterns.
fn kept(redis: &mut Connection, patterns: &[String]) -> Vec<String> {
    let of = patterns.iter().map(|pattern| redis.keys(pattern).unwrap());
    let kept: Vec<Vec<String>> = of.collect();
    kept.concat()
}

fn write(service: &RunningService, name: &str) {
    let client = Client::new(service.url().as_str());
    let user = json!({"name": name, "age": 36, "occupation": "Mathematician"});
    let written = client.post_json(service.pattern().write_path(), &user);
    assert_eq!(written.status, 200, "{}", written.text());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn each_service_has_a_database_of_its_own_and_nothing_of_it_is_left() {
    let site = on_servers().await;
    let mut redis = Redis::open(redis_url()).unwrap().get_connection().unwrap();
    let bystander = format!("wc:{{{:016x}}}:probe", fastrand::u64(..));
    let _: () = redis.set(&bystander, "another's").unwrap();

    let mut made = Vec::new();
    for pattern in Pattern::BOTH {
        let service = site.start(pattern, false).await.unwrap();
        write(&service, "Ada");
        let database = database_of(&service).clone();
        let identity = mysql::identity(&database).await.unwrap().unwrap();
        let keys = patterns(&identity);
        let names = kept(&mut redis, &keys);
        assert!(!names.is_empty(), "{pattern:?} keeps nothing in Redis");
        assert_eq!(databases(&name_of(&database)), 1);
        service.stop().await.unwrap();
        made.push((name_of(&database), keys));
    }
    assert_ne!(made[0], made[1]);
    site.clean_up().await.unwrap();
    for (name, keys) in made {
        assert_eq!(databases(&name), 0, "{name}");
        let names = kept(&mut redis, &keys);
        assert!(names.is_empty(), "{names:?}");
    }
    let kept: Option<String> = redis.get(&bystander).unwrap();
    assert_eq!(kept.as_deref(), Some("another's"));
    let _: () = redis.del(&bystander).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_cannot_be_removed_is_named() {
    let mut server = OwnServer::database();
    let binaries = Binaries::beside_the_tool().unwrap();
    let parts = Backends::servers(&redis_url(), server.url()).unwrap();
    let site = Site::prepare(parts, Some(binaries)).await.unwrap();
    let mut names = Vec::new();
    for pattern in Pattern::BOTH {
        let service = site.start(pattern, false).await.unwrap();
        names.push(name_of(database_of(&service)));
        service.stop().await.unwrap();
    }
    server.stop();
    let error = site.clean_up().await.unwrap_err().to_string();
    for name in &names {
        assert!(error.contains(name.as_str()), "{error}");
    }
    assert!(error.contains("left in redis://"), "{error}");
    server.restart();
    site.clean_up().await.unwrap();
}

/// A service that tells which database it was given, without the options, and ends.
const SAYS_ITS_DATABASE: &str = "#!/bin/sh
named=${DATABASE_URL##*/}
echo \"${named%%\\?*}\"
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_database_whose_service_did_not_start_is_dropped_all_the_same() {
    let binaries = tempfile::tempdir().unwrap();
    for pattern in Pattern::BOTH {
        let binary = binaries.path().join(pattern.service());
        std::fs::write(&binary, SAYS_ITS_DATABASE).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let binaries = Binaries::in_folder(binaries.path()).unwrap();
    let parts = Backends::servers(&redis_url(), &mysql_url()).unwrap();
    let site = Site::prepare(parts, Some(binaries)).await.unwrap();
    let refused = site
        .start(Pattern::WriteBehind, false)
        .await
        .unwrap_err()
        .to_string();
    let name = refused.lines().last().unwrap();
    assert!(name.starts_with("compare_wb_"), "{refused}");
    assert_eq!(databases(name), 1);
    site.clean_up().await.unwrap();
    assert_eq!(databases(name), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_user_who_may_not_create_databases_is_told_so() {
    let granted = TestDatabase::create();
    let user = format!("u{:08x}", fastrand::u32(..));
    granted.query_rows(&format!(
        "CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY 'hidden'"
    ));
    granted.query_rows(&format!(
        "GRANT ALL ON `{}`.* TO '{user}'@'127.0.0.1'",
        granted.name()
    ));
    let (_, address) = mysql_url()
        .rsplit_once('@')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let url = format!("mysql://{user}:hidden@{address}");
    let url = testkit::servers::without_socket(&url);
    let parts = Backends::servers(&redis_url(), &url).unwrap();
    let binaries = Binaries::beside_the_tool().unwrap();
    let refused = Site::prepare(parts, Some(binaries)).await;
    granted.query_rows(&format!("DROP USER '{user}'@'127.0.0.1'"));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("may not create databases"), "{refused}");
    assert!(!refused.contains("hidden"), "{refused}");
}
