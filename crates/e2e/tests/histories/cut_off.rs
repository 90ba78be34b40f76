//! One replica that loses Redis, while the other never does.

use std::thread;
use std::time::Duration;

use testkit::parts::Parts;
use testkit::proxy::ChaosProxy;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{BOTH, Layout, Site, TWO_WRITE_BEHIND, TWO_WRITE_THROUGH};

const OPERATIONS_BETWEEN: u64 = 80;
const FAULTS: usize = 2;

/// How long at least the replica is without Redis.
const LENGTH: Duration = Duration::from_millis(400);

/// Soon after this a service gives up on a Redis that does not answer.
const REDIS_TIMEOUT_MS: &str = "200";

/// A way to take Redis from a replica: what begins it, and what ends it.
type Loss = (fn(&ChaosProxy), fn(&ChaosProxy));

/// The connections end, and there are no new ones.
const CUT: Loss = (ChaosProxy::cut, ChaosProxy::restore);
/// What is sent arrives only when the loss ends, long after it was given up.
const HELD: Loss = (ChaosProxy::hold, ChaosProxy::release);

fn is_linearizable_though_one_is_cut_off(layout: Layout, victim: usize, (begin, end): Loss) {
    let seed = Seed::of_this_run();
    let mut installation = Parts::RedisMariaDb.install(layout[0]);
    installation.set("REDIS_TIMEOUT_MS", REDIS_TIMEOUT_MS);
    let url = installation.setting("CACHE_URL").unwrap().to_owned();
    let proxy = ChaosProxy::before(&url);
    let proxied = proxy.url(&url);
    let site = Site::start_on(layout, installation, &[(victim, "CACHE_URL", &proxied)]);
    let working = Working::start(seed, &site, Load::USUAL);
    for _ in 0..FAULTS {
        working.achieves(OPERATIONS_BETWEEN);
        begin(&proxy);
        // Not a wait for anything: it is the length of this fault.
        thread::sleep(LENGTH);
        // The other one goes on.
        working.achieves(OPERATIONS_BETWEEN / 2);
        end(&proxy);
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_though_a_replica_is_cut_off_from_redis() {
    is_linearizable_though_one_is_cut_off(TWO_WRITE_THROUGH, 0, CUT);
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_though_what_a_replica_sends_to_redis_comes_late() {
    is_linearizable_though_one_is_cut_off(TWO_WRITE_THROUGH, 0, HELD);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_though_a_replica_is_cut_off_from_redis() {
    is_linearizable_though_one_is_cut_off(TWO_WRITE_BEHIND, 0, CUT);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_though_what_a_replica_sends_to_redis_comes_late() {
    is_linearizable_though_one_is_cut_off(TWO_WRITE_BEHIND, 0, HELD);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_though_write_through_is_cut_off_from_redis() {
    is_linearizable_though_one_is_cut_off(BOTH, 0, CUT);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_though_write_behind_is_cut_off_from_redis() {
    is_linearizable_though_one_is_cut_off(BOTH, 1, CUT);
}
