//! The service killed at any instant.

use std::thread;
use std::time::Duration;

use testkit::parts::Parts;
use testkit::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

const CRASHES: usize = 10;
const CRASHES_WITH_A_BACKLOG: usize = 4;

fn survives_crashes(parts: Parts) {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut running = parts.start(Service::WriteBehind);
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    for _ in 0..CRASHES {
        workload.acknowledges(choices.u64(20..200));
        // Anywhere in a batch, and not always just behind an answer.
        thread::sleep(Duration::from_micros(choices.u64(..10_000)));
        running.crash_and_restart();
        endpoints.moved(0, running.base_url());
    }
    workload.acknowledges(100);
    let ledger = workload.end();
    assert!(ledger.unanswered() > 0);
    compare(&ledger, running.base_url(), running.installation());
}

/// What waits is in the journal alone then, and, with a cache that does not outlive the service, comes into
/// it again from there.
fn survives_crashes_with_a_backlog(cache: Option<&str>) {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    if let Some(url) = cache {
        installation.set("CACHE_URL", url);
    }
    let mut running = installation.run();
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    workload.acknowledges(200);
    // As a deadlock that comes again and again. The database can be read, or the service would not start.
    running.database().unwrap().query_rows(
        "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW \
         SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'",
    );
    for _ in 0..CRASHES_WITH_A_BACKLOG {
        workload.acknowledges(choices.u64(100..300));
        running.crash_and_restart();
        endpoints.moved(0, running.base_url());
    }
    workload.acknowledges(100);
    running
        .database()
        .unwrap()
        .query_rows("DROP TRIGGER refuse");
    let ledger = workload.end();
    compare(&ledger, running.base_url(), running.installation());
}

#[test]
#[ignore = "needs servers"]
fn crashes_with_a_backlog_lose_nothing_with_a_cache_in_redis() {
    survives_crashes_with_a_backlog(None);
}

#[test]
#[ignore = "needs servers"]
fn crashes_with_a_backlog_lose_nothing_with_a_cache_in_the_process() {
    survives_crashes_with_a_backlog(Some("memory:"));
}

#[test]
fn ten_crashes_at_any_instant_lose_nothing_on_embedded_parts() {
    survives_crashes(Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn ten_crashes_at_any_instant_lose_nothing_on_redis_and_mariadb() {
    survives_crashes(Parts::RedisMariaDb);
}
