//! The service killed at any instant.

use std::thread;
use std::time::Duration;

use test_support::parts::Parts;
use test_support::service::Service;

use crate::comparison::compare;
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

const CRASHES: usize = 10;

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

#[test]
fn ten_crashes_at_any_instant_lose_nothing_on_embedded_parts() {
    survives_crashes(Parts::Embedded);
}

#[test]
fn ten_crashes_at_any_instant_lose_nothing_on_redis_and_mariadb() {
    survives_crashes(Parts::RedisMariaDb);
}
