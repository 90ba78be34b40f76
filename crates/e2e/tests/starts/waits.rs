//! What a start waits for, and what ends it at once.

use std::time::{Duration, Instant};

use testkit::own_servers::OwnServer;
use testkit::parts::{Installation, Parts};
use testkit::proxy::authority;
use testkit::servers::{TestDatabase, mysql_url, redis_url, without_socket};
use testkit::service::Service;

use crate::site::{Cache, REFUSED, expect_end, must_run, run};
use crate::starting::{Gate, NotReady, Starting};

/// Longer than a test may take, so what ended earlier did not wait for it.
const VERY_LONG: &str = "3600";

/// With the host and port of `url` replaced by those of a gate.
fn through(gate: &Gate, url: &str) -> String {
    url.replacen(authority(url), &format!("127.0.0.1:{}", gate.port), 1)
}

fn patient(service: Service) -> Installation {
    let mut installation = Parts::RedisMariaDb.install(service);
    installation.set("STARTUP_DEADLINE_S", VERY_LONG);
    // Otherwise it starts without.
    installation.set(
        "CACHE_UNAVAILABLE",
        if service == Service::WriteThrough {
            "refuse"
        } else {
            ""
        },
    );
    installation
}

#[test]
#[ignore = "needs servers"]
fn a_redis_that_is_not_ready_is_waited_for() {
    for error in [
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "NOREPLICAS Not enough good replicas to write.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN The cluster is down",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
    ] {
        let mut installation = patient(Service::WriteBehind);
        let url = installation.setting("CACHE_URL").unwrap().to_owned();
        let gate = Gate::before(authority(&url).to_owned(), NotReady::Redis(error));
        installation.set("CACHE_URL", &through(&gate, &url));
        let mut starting = Starting::spawn(&installation);
        // The driver has words of its own for some codes.
        starting.waits(error.split_once(' ').unwrap().1);
        gate.refuses(3);
        gate.open();
        starting.listens();
    }
}

#[test]
#[ignore = "needs servers"]
fn a_redis_without_its_replicas_is_waited_for() {
    let mut cache = Cache::start(&["--min-replicas-to-write", "1"]);
    for service in Service::all() {
        cache.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
        let mut installation = cache.install(service);
        installation.set("STARTUP_DEADLINE_S", VERY_LONG);
        if service == Service::WriteThrough {
            installation.set("CACHE_UNAVAILABLE", "refuse");
        }
        let mut starting = Starting::spawn(&installation);
        starting.waits("NOREPLICAS");
        cache.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        starting.listens();
    }
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_is_not_ready_is_waited_for() {
    for (code, text) in [
        (1040, "#08004Too many connections"),
        (1053, "#08S01Server shutdown in progress"),
        (2013, "#HY000Server is starting"),
    ] {
        for service in Service::all() {
            let mut installation = patient(service);
            let url = without_socket(installation.setting("DATABASE_URL").unwrap());
            let address = authority(&url).to_owned();
            let gate = Gate::before(address, NotReady::Mysql(code, text));
            installation.set("DATABASE_URL", &through(&gate, &url));
            let mut starting = Starting::spawn(&installation);
            starting.waits(text.get(6..).unwrap());
            gate.refuses(2);
            gate.open();
            starting.listens();
        }
    }
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_does_not_listen_yet_is_waited_for() {
    let mut server = OwnServer::database();
    let database = TestDatabase::create_on(server.url());
    let url = database.url();
    server.kill_9();
    let mut installation = patient(Service::WriteBehind);
    installation.set("DATABASE_URL", &url);
    let mut starting = Starting::spawn(&installation);
    starting.waits("refused");
    server.restart();
    starting.listens();
    drop(starting);
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_takes_no_writes_yet_is_waited_for() {
    let server = OwnServer::database();
    for service in Service::all() {
        let mut installation = patient(service);
        let database = TestDatabase::create_on(server.url());
        installation.set("DATABASE_URL", &database.url());
        must_run(&installation, &["migrate"]);
        // A server that is read-only takes the writes of an administrator.
        let user = format!("reader_{}", service.default_port());
        let name = database.name();
        database.query_rows(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'x'"));
        database.query_rows(&format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON `{name}`.* TO '{user}'@'%'"
        ));
        installation.set(
            "DATABASE_URL",
            &as_user(&database.url(), &format!("{user}:x")),
        );
        database.query_rows("SET GLOBAL read_only = 1");
        let mut starting = Starting::spawn(&installation);
        starting.waits("read-only");
        database.query_rows("SET GLOBAL read_only = 0");
        starting.listens();
        drop(starting);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_start_ends_at_the_deadline_and_not_before() {
    const DEADLINE: Duration = Duration::from_secs(3);
    for service in Service::all() {
        let mut installation = patient(service);
        installation.set("STARTUP_DEADLINE_S", "3");
        for (key, url) in [
            ("DATABASE_URL", "mysql://me@127.0.0.1:1/users"),
            ("CACHE_URL", "redis://127.0.0.1:1"),
        ] {
            let began = Instant::now();
            let output = run(&installation, |command| {
                command.env(key, url);
            });
            let took = began.elapsed();
            expect_end(&output, 1, &["is unavailable"]);
            assert!(took + Duration::from_secs(1) > DEADLINE, "{key}: {took:?}");
        }
    }
}

/// Expects that the start ends without waiting for its deadline.
#[track_caller]
fn expect_ended_at_once(installation: &Installation, code: i32, words: &[&str]) {
    let output = run(installation, |command| {
        command.env("STARTUP_DEADLINE_S", VERY_LONG);
    });
    expect_end(&output, code, words);
}

/// The URL with another user and password.
fn as_user(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{user}@{host}")
}

#[test]
#[ignore = "needs servers"]
fn a_wrong_password_ends_the_start_at_once() {
    for service in Service::all() {
        let mut installation = patient(service);
        let url = installation.setting("DATABASE_URL").unwrap().to_owned();
        let wrong = as_user(&url, "root:wrong-sesame");
        installation.set("DATABASE_URL", &wrong);
        expect_ended_at_once(&installation, 1, &["DATABASE_URL", "password"]);
        installation.set("DATABASE_URL", &url);
        let wrong = as_user(&redis_url(), "unknown:wrong-sesame");
        installation.set("CACHE_URL", &wrong);
        expect_ended_at_once(&installation, 1, &["CACHE_URL", "WRONGPASS"]);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_database_that_the_user_may_not_create_ends_the_start_at_once() {
    let mut installation = patient(Service::WriteBehind);
    let database = installation.database().unwrap();
    let user = format!("u{}", std::process::id());
    database.query_rows(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'x'"));
    let url = as_user(&mysql_url(), &format!("{user}:x"));
    let (address, options) = url.split_once('?').unwrap_or((&url, ""));
    let url = format!("{}/not_there?{options}", address.trim_end_matches('/'));
    installation.set("DATABASE_URL", &url);
    expect_ended_at_once(&installation, 1, &["not_there", "GRANT", "create it"]);
    let database = installation.database().unwrap();
    database.query_rows(&format!("DROP USER '{user}'@'%'"));
}

#[test]
#[ignore = "needs servers"]
fn a_binary_log_of_statements_ends_the_start_at_once() {
    let server = OwnServer::database_with(&[
        "--log-bin=binary",
        "--server-id=1",
        "--binlog-format=STATEMENT",
    ]);
    let mut installation = patient(Service::WriteThrough);
    let database = TestDatabase::create_on(server.url());
    installation.set("DATABASE_URL", &database.url());
    expect_ended_at_once(&installation, REFUSED, &["binlog_format", "ROW or MIXED"]);
    database.query_rows("SET GLOBAL binlog_format = 'MIXED'");
    must_run(&installation, &["migrate"]);
}

#[test]
#[ignore = "needs servers"]
fn an_option_that_no_driver_knows_is_named() {
    let mut installation = patient(Service::WriteThrough);
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let separator = if url.contains('?') { '&' } else { '?' };
    installation.set("DATABASE_URL", &format!("{url}{separator}charset=utf8mb4"));
    expect_ended_at_once(&installation, REFUSED, &["DATABASE_URL", "option charset"]);
    installation.set("DATABASE_URL", &url);
    installation.set("CACHE_URL", &format!("{}?charset=utf8mb4", redis_url()));
    expect_ended_at_once(&installation, REFUSED, &["CACHE_URL", "option charset"]);
}

#[test]
#[ignore = "needs servers"]
fn both_servers_are_reached_by_an_ipv6_address() {
    let not_ready = NotReady::Redis("never");
    let mut installation = patient(Service::WriteBehind);
    for key in ["CACHE_URL", "DATABASE_URL"] {
        let url = installation.setting(key).unwrap().to_owned();
        let address = authority(&url).to_owned();
        let gate = Gate::listening("[::1]:0", address.clone(), not_ready.clone());
        gate.open();
        let url = match key {
            "DATABASE_URL" => without_socket(&url),
            _ => url,
        };
        installation.set(
            key,
            &url.replacen(&address, &format!("[::1]:{}", gate.port), 1),
        );
    }
    let process = installation.start(Service::WriteBehind);
    crate::site::must_write(&process.client(), "user");
    crate::site::flush(&process.client());
}
