//! Redis killed and started again from its append-only file.

use std::thread;

use testkit::http::user_path;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::proxy::ChaosProxy;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use crate::writers::record;
use testkit::wait::wait_until;

const KILLS: usize = 4;

/// With `appendfsync always`. With `everysec`, a Redis whose disk is slow to sync answers before it has even
/// written, for up to two seconds, and a kill takes what it has answered.
#[test]
#[ignore = "needs servers"]
fn a_redis_that_is_killed_and_started_again_has_all_that_was_acknowledged() {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut redis = OwnServer::redis(AppendFsync::Always, "0");
    let installation = Installation::on(Service::WriteBehind, redis.url(), TestDatabase::create());
    let running = installation.run();
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    for _ in 0..KILLS {
        workload.acknowledges(choices.u64(50..400));
        redis.kill_9();
        redis.restart();
    }
    workload.acknowledges(100);
    let ledger = workload.end();
    assert!(ledger.unanswered() > 0);
    compare(&ledger, running.base_url(), running.installation());
}

/// That nothing waits in the journal any more does not mean that the database has it.
#[test]
#[ignore = "needs servers"]
fn what_redis_loses_is_not_said_to_be_in_the_database() {
    let redis = OwnServer::redis(AppendFsync::BySystem, "0");
    let mut installation =
        Installation::on(Service::WriteBehind, redis.url(), TestDatabase::create());
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &proxy.url(&url));
    let running = installation.run();
    let client = running.client();
    proxy.cut();
    let waiting = {
        let client = running.client();
        let path = format!("{}?durability=persisted&timeout_s=30", user_path("victim"));
        thread::spawn(move || client.put_json(&path, &record("victim", 1)))
    };
    wait_until("it waits in the journal", || {
        client.get("/journal").json()["depth"] == 1
    });
    let mut admin = RedisConnection::open(redis.url()).expect("Redis");
    admin.command(&["FLUSHALL"]).expect("nothing left");
    let answer = waiting.join().expect("an answer");
    assert_eq!(answer.status, 503, "{}", answer.text());

    // When it can be known, it is said.
    proxy.restore();
    wait_until("writes are taken again", || {
        client
            .put_json(&user_path("other"), &record("other", 1))
            .status
            == 200
    });
    assert_eq!(client.get(&user_path("victim")).status, 404);
    wait_until("the loss is counted", || {
        client.get("/journal").json()["lost"] == 1
    });
}
