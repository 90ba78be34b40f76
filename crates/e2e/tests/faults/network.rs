//! Connections cut in the middle of what goes over them.

use std::thread;
use std::time::Duration;

use testkit::parts::Parts;
use testkit::proxy::ChaosProxy;
use testkit::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

const CUTS: usize = 15;

/// Cuts all connections to the server that a setting names, at once and for a moment, again and again.
fn survives_cuts(setting: &str) {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let url = installation.setting(setting).unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set(setting, &proxy.url(&url));
    let running = installation.run();
    let endpoints = Endpoints::new([running.base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    for _ in 0..CUTS {
        workload.acknowledges(choices.u64(20..150));
        thread::sleep(Duration::from_micros(choices.u64(..5_000)));
        proxy.cut();
        thread::sleep(Duration::from_millis(choices.u64(..100)));
        proxy.restore();
    }
    workload.acknowledges(100);
    let ledger = workload.end();
    compare(&ledger, running.base_url(), running.installation());
}

#[test]
#[ignore = "needs servers"]
fn connections_to_redis_cut_at_any_instant_lose_nothing() {
    survives_cuts("CACHE_URL");
}

#[test]
#[ignore = "needs servers"]
fn connections_to_the_database_cut_at_any_instant_lose_nothing() {
    survives_cuts("DATABASE_URL");
}
