//! Redis killed and started again, on the data that it had or on older ones, and Redis asleep.

use std::thread;
use std::time::Duration;

use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::proxy::ChaosProxy;
use testkit::servers::TestDatabase;
use testkit::service::Service;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{BOTH, Layout, Site, TWO_WRITE_BEHIND, TWO_WRITE_THROUGH};

const OPERATIONS_BETWEEN: u64 = 90;
const FAULTS: usize = 2;

/// Soon after this a service gives up on a Redis that does not answer.
const REDIS_TIMEOUT_MS: &str = "200";

/// Some times that, and less than a client waits.
const SLEEP: Duration = Duration::from_millis(700);

fn site_on(layout: Layout, redis: &OwnServer) -> Site {
    let mut installation = Installation::on(layout[0], redis.url(), TestDatabase::create());
    installation.set("REDIS_TIMEOUT_MS", REDIS_TIMEOUT_MS);
    // Each is recovered by itself.
    installation.spread_over(3);
    Site::start_on(layout, installation, &[])
}

fn is_linearizable_through_restarts(layout: Layout) {
    let seed = Seed::of_this_run();
    let mut redis = OwnServer::redis(AppendFsync::Always, "0");
    let site = site_on(layout, &redis);
    let working = Working::start(seed, &site, Load::USUAL);
    for _ in 0..FAULTS {
        working.achieves(OPERATIONS_BETWEEN);
        redis.crash_and_restart();
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_through_restarts_of_redis() {
    is_linearizable_through_restarts(TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_through_restarts_of_redis() {
    is_linearizable_through_restarts(TWO_WRITE_BEHIND);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_through_restarts_of_redis() {
    is_linearizable_through_restarts(BOTH);
}

/// A Redis that restarts with all its data while the database is unavailable.
#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_through_restarts_of_redis_alone() {
    let seed = Seed::of_this_run();
    let mut redis = OwnServer::redis(AppendFsync::Always, "0");
    let database = TestDatabase::create();
    let mut installation = Installation::on(Service::WriteBehind, redis.url(), database);
    installation.set("REDIS_TIMEOUT_MS", REDIS_TIMEOUT_MS);
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &proxy.url(&url));
    let site = Site::start_on(TWO_WRITE_BEHIND, installation, &[]);
    let working = Working::start(seed, &site, Load::USUAL);
    for _ in 0..FAULTS {
        working.achieves(OPERATIONS_BETWEEN);
        proxy.cut();
        working.achieves(OPERATIONS_BETWEEN / 3);
        redis.crash_and_restart();
        working.achieves(OPERATIONS_BETWEEN);
        proxy.restore();
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

/// What write-behind had only in Redis is lost then, so that its history starts over.
fn is_linearizable_on_old_data(layout: Layout) {
    let seed = Seed::of_this_run();
    let mut redis = OwnServer::redis(AppendFsync::BySystem, "0");
    let site = site_on(layout, &redis);
    let working = Working::start(seed, &site, Load::USUAL);
    for _ in 0..FAULTS {
        working.achieves(OPERATIONS_BETWEEN);
        let old = redis.copy_of_data();
        working.achieves(OPERATIONS_BETWEEN);
        redis.kill_9();
        redis.replace_data(old.path());
        redis.restart();
        if layout.contains(&Service::WriteBehind) {
            working.forgets();
        }
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_when_redis_comes_back_with_old_data() {
    is_linearizable_on_old_data(TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_after_redis_has_come_back_with_old_data() {
    is_linearizable_on_old_data(TWO_WRITE_BEHIND);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_after_redis_has_come_back_with_old_data() {
    is_linearizable_on_old_data(BOTH);
}

fn is_linearizable_though_redis_sleeps(layout: Layout) {
    let seed = Seed::of_this_run();
    let redis = OwnServer::redis(AppendFsync::BySystem, "0");
    let site = site_on(layout, &redis);
    let working = Working::start(seed, &site, Load::USUAL);
    for _ in 0..FAULTS {
        working.achieves(OPERATIONS_BETWEEN);
        redis.pause();
        // Not a wait for anything: it is the length of this fault.
        thread::sleep(SLEEP);
        redis.resume();
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_though_redis_sleeps() {
    is_linearizable_though_redis_sleeps(TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_though_redis_sleeps() {
    is_linearizable_though_redis_sleeps(TWO_WRITE_BEHIND);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_though_redis_sleeps() {
    is_linearizable_though_redis_sleeps(BOTH);
}
