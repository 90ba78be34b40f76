//! The database away for long, while the backlog grows.

use std::time::Duration;

use testkit::http::Client;
use testkit::parts::Parts;
use testkit::proxy::ChaosProxy;
use testkit::service::Service;

use crate::comparison::{compare, flush, wait_until_the_cache_is_empty};
use crate::endpoints::Endpoints;
use crate::seed::Seed;
use crate::workload::{Load, Workload};

/// Writes that are acknowledged before each look at the backlog.
const STEP: u64 = 500;
const STEPS: usize = 5;

fn depth(client: &Client) -> u64 {
    let journal = client.get("/journal").json();
    journal["depth"].as_u64().expect("a depth")
}

#[test]
#[ignore = "needs servers"]
fn a_backlog_grows_in_an_outage_and_drains_after_it() {
    let seed = Seed::of_this_run();
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    // What only the journal has must not leave the cache when what the database has does.
    installation.set("CACHE_TTL_S", "1");
    installation.set("CACHE_ABSENT_TTL_S", "1");
    // Smaller than the backlog, so that it takes several batches.
    installation.set("DRAIN_BATCH_MAX", "50");
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &proxy.url(&url));
    let mut running = installation.run();
    let endpoints = Endpoints::new([running.base_url()]);
    let client = running.client();
    let load = Load {
        pause: Duration::from_millis(1),
        ..Load::USUAL
    };
    let workload = Workload::start(seed, &endpoints, load);
    workload.acknowledges(STEP);

    proxy.cut();
    let mut last = depth(&client);
    for _ in 0..STEPS {
        workload.acknowledges(STEP);
        let now = depth(&client);
        assert!(now >= last + STEP / 2, "{now} after {last}");
        last = now;
    }
    proxy.restore();
    workload.acknowledges(100);
    let ledger = workload.end();
    flush(running.base_url());
    assert_eq!(depth(&client), 0);

    // With a cache that keeps what it has, for looking into it.
    running.set("CACHE_TTL_S", "3600");
    running.set("CACHE_ABSENT_TTL_S", "3600");
    running.restart();
    wait_until_the_cache_is_empty(running.installation());
    compare(&ledger, running.base_url(), running.installation());
}
