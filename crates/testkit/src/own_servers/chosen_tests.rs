//! The tests run on the servers that scripts/test was told to take, and nothing goes to them otherwise than
//! it should.

use std::env;

use super::{AppendFsync, OwnServer};
use crate::redis_connection::RedisConnection;
use crate::servers::{mysql_url, query, redis_url};

/// What scripts/test was told; nothing when a test runs on servers that it did not start.
fn chosen() -> Option<String> {
    env::var("TEST_SERVERS").ok()
}

fn the_only(url: &str, sql: &str) -> String {
    let rows = query(url, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.concat().pop().expect("a value")
}

/// Each with the answer to a statement: the shared one and one of a test's own.
fn databases_answer(sql: &str) -> [String; 2] {
    let own = OwnServer::database();
    [&mysql_url(), own.url()].map(|url| the_only(url, sql))
}

fn redis_versions() -> [String; 2] {
    let own = OwnServer::redis(AppendFsync::BySystem, "0");
    [&redis_url(), own.url()].map(|url| {
        let version = RedisConnection::open(url)
            .and_then(|mut redis| redis.info("server", "redis_version"))
            .expect("an answer");
        version.expect("a version")
    })
}

#[test]
#[ignore = "needs servers"]
fn the_servers_are_those_that_were_chosen() {
    let (databases, redis) = (databases_answer("SELECT VERSION()"), redis_versions());
    let have = |versions: &[String], start| versions.iter().all(|one| one.starts_with(start));
    match chosen().as_deref() {
        Some("mysql9-redis8") => {
            assert!(have(&databases, "9."), "{databases:?}");
            assert!(have(&redis, "8."), "{redis:?}");
        }
        // Whatever the machine has; only the own one of a test is known to be a MariaDB.
        Some("installed") => assert!(databases[1].contains("MariaDB"), "{databases:?}"),
        Some(other) => panic!("unknown servers: {other}"),
        None => {}
    }
}

/// MySQL as most people have it now: passwords by caching_sha2_password, and TLS.
#[test]
#[ignore = "needs servers"]
fn sessions_with_a_chosen_mysql_are_encrypted_and_no_others_are_let_in() {
    let own = OwnServer::database();
    for url in [&mysql_url(), own.url()] {
        let status = query(url, "SHOW STATUS LIKE 'Ssl_cipher'").expect("a status");
        let is_encrypted = !status[0][1].is_empty();
        let (plain, options) = url.split_once('?').unwrap_or((url, ""));
        assert_eq!(is_encrypted, options.contains("require_ssl=true"), "{url}");
        if chosen().as_deref() != Some("mysql9-redis8") {
            continue;
        }
        assert!(is_encrypted);
        let refused = query(&format!("{plain}?prefer_socket=false"), "SELECT 1");
        let refused = refused.expect_err("a session in plain text").to_string();
        assert!(refused.contains("require_secure_transport"), "{refused}");
        let by = "SELECT plugin FROM mysql.user WHERE user = 'root' AND host = '127.0.0.1'";
        assert_eq!(the_only(url, by), "caching_sha2_password");
    }
}
