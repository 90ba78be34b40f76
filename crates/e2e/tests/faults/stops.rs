//! Stopping cleanly while something is wrong, or while others go on.

use std::time::{Duration, Instant};

use testkit::parts::Parts;
use testkit::proxy::ChaosProxy;
use testkit::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use testkit::wait::wait_until;

/// It ends at its deadline, with 0, and says how much is left; the next start drains that.
#[test]
#[ignore = "needs servers"]
fn a_stop_without_the_database_says_how_much_is_left_and_loses_none_of_it() {
    let seed = Seed::of_this_run();
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &proxy.url(&url));
    installation.set("SHUTDOWN_DEADLINE_S", "3");
    let mut running = installation.run();
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    workload.acknowledges(100);
    proxy.cut();
    workload.acknowledges(200);
    let ledger = workload.end();
    let journal = running.client().get("/journal").json();
    let left = journal["depth"].as_u64().expect("a depth");
    assert!(left > 0);
    let began = Instant::now();
    assert!(running.terminate().success());
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let logs = running.logs();
    let said = logs
        .lines()
        .find(|line| line.contains("left in the journal"));
    let said = said.unwrap_or_else(|| panic!("nothing about what is left: {logs}"));
    let figures: String = said.chars().filter(char::is_ascii_digit).collect();
    assert!(figures.contains(&left.to_string()), "{left}: {said}");

    proxy.restore();
    running.start_again();
    compare(&ledger, running.base_url(), running.installation());
}

/// A replica that is stopped hands its shards over at once, not when its leases would end.
#[test]
#[ignore = "needs servers"]
fn a_replica_that_is_stopped_hands_its_shards_over_at_once() {
    let seed = Seed::of_this_run();
    let lease = Duration::from_secs(60);
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set("LEASE_MS", &lease.as_millis().to_string());
    installation.spread_over(16);
    let running = installation.run();
    let mut other = running.start_beside(Service::WriteBehind);
    let holders = || {
        let journal = running.client().get("/journal").json();
        let shards = journal["shards"].as_array().cloned().expect("shards");
        let mut holders: Vec<String> = shards
            .iter()
            .filter_map(|shard| shard["lease_holder"].as_str().map(str::to_owned))
            .collect();
        assert!(holders.len() <= 16);
        let held = holders.len();
        holders.sort();
        holders.dedup();
        (held, holders.len())
    };
    wait_until("two processes share all shards", || holders() == (16, 2));

    let endpoints = Endpoints::new([running.base_url(), other.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    workload.acknowledges(200);
    let began = Instant::now();
    assert!(other.terminate().success());
    workload.works_until("one process has all shards", || holders() == (16, 1));
    assert!(began.elapsed() < lease / 2, "{:?}", began.elapsed());
    workload.acknowledges(200);
    let ledger = workload.end();
    compare(&ledger, running.base_url(), running.installation());
}
