//! `release`: after it, only write-through uses a database that write-behind has used.

use testkit::parts::{Installation, Parts};
use testkit::proxy::ChaosProxy;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::site::{Cache, REFUSED, expect_end, flush, must_run, must_write, relied_on_by, run};

const RELEASE: &[&str] = &["release"];

#[track_caller]
fn expect_refused(installation: &Installation, words: &str) {
    let before = relied_on_by(installation);
    let output = run(installation, |command| {
        command.args(RELEASE);
    });
    expect_end(&output, REFUSED, &[words]);
    assert_eq!(relied_on_by(installation), before);
}

/// A process that cannot reach the database any more, so its entries wait.
fn with_waiting(installation: &mut Installation) -> (ServiceProcess, ChaosProxy) {
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = installation.proxy_before("DATABASE_URL");
    let process = installation.start(Service::WriteBehind);
    installation.set("DATABASE_URL", &url);
    proxy.cut();
    must_write(&process.client(), "waits");
    (process, proxy)
}

/// Refused while the process lives, and while its entries wait. Afterwards it succeeds.
fn a_service_is_released(mut installation: Installation) {
    let (mut process, proxy) = with_waiting(&mut installation);
    expect_refused(&installation, "stop");
    process.kill_9();
    drop(proxy);
    expect_refused(&installation, "1 acknowledged writes");
    let mut process = installation.start(Service::WriteBehind);
    flush(&process.client());
    expect_refused(&installation, "a process uses this database");
    assert!(process.terminate().success());
    let said = must_run(&installation, RELEASE);
    assert!(said.contains("no longer"), "{said}");
    assert!(relied_on_by(&installation).is_empty());
    let said = must_run(&installation, RELEASE);
    assert!(said.contains("does not record"), "{said}");
}

#[test]
#[ignore = "needs servers"]
fn write_behind_with_its_journal_in_redis_is_released() {
    a_service_is_released(Parts::RedisMariaDb.install(Service::WriteBehind));
}

#[test]
#[ignore = "needs servers"]
fn write_behind_with_a_file_journal_is_released() {
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set("CACHE_URL", "memory:");
    a_service_is_released(installation);
}

#[test]
#[ignore = "needs servers"]
fn a_redis_that_knows_nothing_of_the_database_releases_nothing() {
    let cache = Cache::start(&[]);
    let mut installation = cache.install(Service::WriteBehind);
    let mut process = installation.start(Service::WriteBehind);
    must_write(&process.client(), "user");
    assert!(process.terminate().success());
    let other = format!("{}/1", cache.server.url());
    installation.set("CACHE_URL", &other);
    expect_refused(&installation, "Redis");
    assert!(!relied_on_by(&installation).is_empty());
}

#[test]
#[ignore = "needs servers"]
fn write_through_bypasses_its_cache_again_after_a_release() {
    let mut cache = Cache::start(&[]);
    let database = TestDatabase::create();
    let installation = Installation::on(Service::WriteBehind, cache.server.url(), database);
    let mut process = installation.start(Service::WriteBehind);
    must_write(&process.client(), "user");
    flush(&process.client());
    assert!(process.terminate().success());
    must_run(&installation, RELEASE);
    let through = installation.start(Service::WriteThrough);
    must_write(&through.client(), "user");
    cache.server.kill_9();
    wait_until("it bypasses the cache", || {
        let user = serde_json::json!({ "age": 31, "occupation": "Engineer" });
        through.client().put_json("/users/user", &user).status == 200
    });
}

/// A write-through-svc that never bypasses has a row of its own.
#[test]
#[ignore = "needs servers"]
fn each_service_releases_its_own_row() {
    let mut installation = Parts::RedisMariaDb.install(Service::WriteThrough);
    installation.set("CACHE_UNAVAILABLE", "refuse");
    let mut process = installation.start(Service::WriteThrough);
    must_write(&process.client(), "user");
    assert!(process.terminate().success());
    assert_eq!(relied_on_by(&installation).len(), 1);
    must_run(&installation, RELEASE);
    assert!(relied_on_by(&installation).is_empty());
}
