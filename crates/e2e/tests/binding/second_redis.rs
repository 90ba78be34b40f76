//! A second Redis on one database: another server, another database of the same one, or none.

use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::proxy::ChaosProxy;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess, run_to_end};

use testkit::wait::wait_until;

use crate::site::{REFUSED, age, expect_done, must_write, settle, write};

const MEMORY: &str = "memory:";
const ELSEWHERE: &str = "is served by the Redis";

fn redis() -> OwnServer {
    OwnServer::redis(AppendFsync::EverySecond, "0")
}

/// An address of the server that is not the one that it was started with.
fn alias(server: &OwnServer) -> String {
    format!("redis://localhost:{}", server.port())
}

fn install(url: &str) -> Installation {
    Installation::on(Service::WriteBehind, url, TestDatabase::create())
}

fn start(installation: &mut Installation, service: Service, url: &str) -> ServiceProcess {
    installation.set("CACHE_URL", url);
    installation.start(service)
}

/// Expects that the service does not start with this cache.
#[track_caller]
fn expect_refused(installation: &Installation, service: Service, url: &str) {
    let mut command = service.command();
    command
        .envs(installation.settings())
        .env("LISTEN", "127.0.0.1:0")
        .env("CACHE_URL", url)
        .current_dir(installation.folder());
    let output = run_to_end(&mut command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(REFUSED), "{said}");
    for word in [ELSEWHERE, "identity move"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn move_to(installation: &mut Installation, url: &str) {
    installation.set("CACHE_URL", url);
    expect_done(installation, &["identity", "move"]);
}

/// Both kinds of other Redis are refused while the first process lives and after it has
/// stopped. After a move the one before is refused.
fn another_redis_is_refused(first: Service, second: Service) {
    let (own, other) = (redis(), redis());
    let other_database = format!("{}/1", own.url());
    let mut installation = install(own.url());
    let mut process = installation.start(first);
    must_write(&process.client(), "user", 30);
    settle(first, &process.client());
    for url in [other.url(), &other_database] {
        expect_refused(&installation, second, url);
    }
    assert_eq!(age(&process.client(), "user"), Some(30));
    assert!(process.terminate().success());
    for url in [other.url(), &other_database] {
        expect_refused(&installation, second, url);
    }
    move_to(&mut installation, other.url());
    let moved = start(&mut installation, second, other.url());
    must_write(&moved.client(), "user", 31);
    expect_refused(&installation, first, own.url());
    assert_eq!(age(&moved.client(), "user"), Some(31));
}

#[test]
#[ignore = "needs servers"]
fn write_through_beside_write_through_shares_its_redis() {
    another_redis_is_refused(Service::WriteThrough, Service::WriteThrough);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_beside_write_behind_shares_its_redis() {
    another_redis_is_refused(Service::WriteBehind, Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn write_through_beside_write_behind_shares_its_redis() {
    another_redis_is_refused(Service::WriteBehind, Service::WriteThrough);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_beside_write_through_shares_its_redis() {
    another_redis_is_refused(Service::WriteThrough, Service::WriteBehind);
}

#[test]
#[ignore = "needs servers"]
fn one_redis_under_several_names_is_one() {
    let own = redis();
    let proxy = ChaosProxy::before(own.url());
    let names = [own.url().to_owned(), alias(&own), proxy.url(own.url())];
    let mut installation = install(own.url());
    let mut processes = Vec::new();
    for (number, name) in names.iter().cycle().take(6).enumerate() {
        let service = Service::all()[number % 2];
        processes.push(start(&mut installation, service, name));
        let written = number as u32 + 30;
        must_write(&processes[number].client(), "user", written);
        for process in &processes {
            assert_eq!(age(&process.client(), "user"), Some(written.into()));
        }
    }
    for process in &mut processes {
        assert!(process.terminate().success());
    }
    // Emptied while no process runs, and reached by another name.
    let mut admin = RedisConnection::open(own.url()).unwrap();
    admin.command(&["FLUSHALL"]).unwrap();
    let process = start(&mut installation, Service::WriteBehind, &alias(&own));
    must_write(&process.client(), "user", 50);
}

fn restart_empty(server: &mut OwnServer) {
    server.kill_9();
    server.replace_data(tempfile::tempdir().unwrap().path());
    server.restart();
}

#[test]
#[ignore = "needs servers"]
fn a_redis_that_restarts_empty_is_the_same_one() {
    let mut own = redis();
    let url = own.url().to_owned();
    for service in Service::all() {
        let mut installation = install(&url);
        let mut process = start(&mut installation, service, &url);
        must_write(&process.client(), "user", 30);
        settle(service, &process.client());
        assert!(process.terminate().success());
        restart_empty(&mut own);
        // Two starts at once, each of which finds the other's contender.
        let pair = std::thread::scope(|scope| {
            let starts = [0, 1].map(|_| scope.spawn(|| installation.start(service)));
            starts.map(|start| start.join().unwrap())
        });
        for (number, process) in (31..).zip(&pair) {
            must_write(&process.client(), "user", number);
        }
        // Emptied under running processes, one of which uses another name.
        let alias = start(&mut installation, service, &alias(&own));
        restart_empty(&mut own);
        let mut next = start(&mut installation, service, &url);
        for (number, process) in (41..).zip([&alias, &next]) {
            wait_until("it writes again", || {
                write(&process.client(), "user", number) == 200
            });
        }
        assert_eq!(age(&alias.client(), "user"), Some(42));
        settle(service, &next.client());
        assert!(next.terminate().success());
    }
}

/// As on two hosts, each of which has a Redis of its own at the same address.
#[test]
#[ignore = "needs servers"]
fn another_redis_at_the_noted_address_is_refused_while_the_first_is_served() {
    let (own, other) = (redis(), redis());
    for service in Service::all() {
        let mut installation = install(own.url());
        assert!(installation.start(service).terminate().success());
        let database = installation.database().unwrap();
        database.query_rows(&format!(
            "UPDATE cache_binding SET served_by = REPLACE(served_by, '{}', '{}')",
            own.port(),
            other.port()
        ));
        let mut process = start(&mut installation, service, own.url());
        must_write(&process.client(), "user", 30);
        expect_refused(&installation, service, other.url());
        must_write(&process.client(), "user", 31);
        settle(service, &process.client());
        assert!(process.terminate().success());
    }
}

#[test]
#[ignore = "needs servers"]
fn what_a_redis_had_cached_is_not_read_after_a_memory_cache() {
    let own = redis();
    for service in Service::all() {
        let mut installation = install(own.url());
        let mut process = installation.start(service);
        must_write(&process.client(), "user", 30);
        assert_eq!(age(&process.client(), "user"), Some(30));
        settle(service, &process.client());
        assert!(process.terminate().success());
        expect_refused(&installation, service, MEMORY);
        move_to(&mut installation, MEMORY);
        let mut process = start(&mut installation, service, MEMORY);
        must_write(&process.client(), "user", 31);
        settle(service, &process.client());
        assert!(process.terminate().success());
        let process = start(&mut installation, service, own.url());
        assert_eq!(age(&process.client(), "user"), Some(31));
    }
}
