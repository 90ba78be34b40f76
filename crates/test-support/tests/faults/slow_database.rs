//! A database that takes longer for a batch than the cache keeps what the database has.

use std::time::Duration;

use test_support::parts::Parts;
use test_support::service::Service;

use crate::comparison::{compare, wait_until_the_cache_is_empty};
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

/// Few, so that a name is written again while an earlier write of it is on its way to the database.
const LOAD: Load = Load {
    names: 3,
    writers: 3,
    readers: 2,
    pause: Duration::from_millis(10),
    ..Load::USUAL
};

#[test]
fn what_a_slow_database_does_not_have_yet_does_not_leave_the_cache() {
    let seed = Seed::of_this_run();
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set("CACHE_TTL_S", "1");
    installation.set("CACHE_ABSENT_TTL_S", "1");
    let mut running = installation.run();
    running
        .database()
        .unwrap()
        .query_rows("CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW DO SLEEP(1.5)");
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, LOAD);
    for _ in 0..4 {
        workload.acknowledges(200);
    }
    let ledger = workload.end();
    running.database().unwrap().query_rows("DROP TRIGGER slow");

    // With a cache that keeps what it has, for looking into it.
    running.set("CACHE_TTL_S", "3600");
    running.set("CACHE_ABSENT_TTL_S", "3600");
    running.restart();
    wait_until_the_cache_is_empty(running.installation());
    compare(&ledger, running.base_url(), running.installation());
}
