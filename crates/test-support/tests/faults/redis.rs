//! Redis killed and started again from its append-only file.

use test_support::own_servers::{AppendFsync, OwnServer};
use test_support::parts::Installation;
use test_support::servers::TestDatabase;
use test_support::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

const KILLS: usize = 4;

/// With `appendfsync always`. With `everysec`, a Redis whose disk is slow to sync answers before it has even
/// written, for up to two seconds, and a kill takes what it has answered.
#[test]
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
