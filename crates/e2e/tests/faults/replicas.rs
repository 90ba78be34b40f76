//! Two replicas on one Redis and one database, of which one dies, or sleeps while the other goes on.

use std::thread;
use std::time::Duration;

use testkit::parts::{Installation, Parts};
use testkit::proxy::ChaosProxy;
use testkit::service::{Service, ServiceProcess};

use crate::comparison::{compare, flush};
use crate::endpoints::{Caller, Endpoints};
use crate::ledger::Ledger;
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use crate::writers::Writer;
use testkit::wait::wait_until;

/// How long a replica may keep a shard to itself without a sign of life.
const LEASE: Duration = Duration::from_millis(1000);
const LEASE_SETTING: &str = "LEASE_MS";

/// Longer than any lease that a replica had when it fell asleep.
const SLEEP: Duration = Duration::from_millis(3000);

/// Requests that hang in a replica that sleeps are given up, so that their writers go to the other.
const IMPATIENT: Load = Load {
    wait_timeout: Duration::from_millis(1500),
    ..Load::USUAL
};

fn install() -> Installation {
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set(LEASE_SETTING, &LEASE.as_millis().to_string());
    // So that more than one of them drains.
    installation.spread_over(3);
    installation
}

fn start(installation: &Installation) -> ServiceProcess {
    installation.start(Service::WriteBehind)
}

#[test]
#[ignore = "needs servers"]
fn when_one_of_two_replicas_is_killed_the_other_drains_what_it_left() {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let installation = install();
    let mut replicas = [start(&installation), start(&installation)];
    let endpoints = Endpoints::new([replicas[0].base_url(), replicas[1].base_url()]);
    let workload = Workload::start(seed, &endpoints, Load::USUAL);
    for killed in [0, 1, 0] {
        workload.acknowledges(choices.u64(100..300));
        replicas[killed].kill_9();
        workload.acknowledges(200);
        replicas[killed] = start(&installation);
        endpoints.moved(killed, replicas[killed].base_url());
    }
    workload.acknowledges(100);
    replicas[0].kill_9();
    let ledger = workload.end();
    // What the dead one left is drained by the one that lives.
    compare(&ledger, replicas[1].base_url(), &installation);
}

#[test]
#[ignore = "needs servers"]
fn a_replica_that_wakes_after_its_lease_takes_nothing_back() {
    let seed = Seed::of_this_run();
    let installation = install();
    let mut sleeper = start(&installation);
    let other = start(&installation);
    let endpoints = Endpoints::new([sleeper.base_url(), other.base_url()]);
    let workload = Workload::start(seed, &endpoints, IMPATIENT);
    for _ in 0..2 {
        workload.acknowledges(300);
        sleeper.pause();
        // Not a wait for anything: it is the length of this fault.
        thread::sleep(SLEEP);
        workload.acknowledges(300);
        sleeper.resume();
    }
    workload.acknowledges(300);
    let ledger = workload.end();
    // Whatever still lay in it is done when it has stopped.
    assert!(sleeper.terminate().success());
    compare(&ledger, other.base_url(), &installation);
    let sleeper = start(&installation);
    compare(&ledger, sleeper.base_url(), &installation);
}

#[test]
#[ignore = "needs servers"]
fn a_statement_of_a_sleeping_replica_that_arrives_late_takes_nothing_back() {
    const NAMES: usize = 20;
    const WARM_UP_ROUNDS: usize = 3;
    let seed = Seed::of_this_run();
    let mut installation = install();
    let other = start(&installation);
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let database = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &database.url(&url));
    let mut sleeper = start(&installation);
    let endpoints = Endpoints::new([sleeper.base_url(), other.base_url()]);
    let ledger = Ledger::new(NAMES);
    let writer = |replica| Writer {
        caller: Caller::new(&endpoints, replica, Load::USUAL.wait_timeout),
        choices: seed.choices(replica as u64),
        names: (0..NAMES).collect(),
        may_come_late: false,
        pause: Duration::ZERO,
    };
    let (mut through_sleeper, mut through_other) = (writer(0), writer(1));
    // So that its connections are open, and the statements known on them.
    for _ in 0..WARM_UP_ROUNDS {
        through_sleeper.put_each(&ledger);
        flush(sleeper.base_url());
    }

    database.hold();
    through_sleeper.put_each(&ledger);
    wait_until("a statement is on its way", || database.is_holding());
    sleeper.pause();
    through_other.put_each(&ledger);
    // Not before the sleeper's lease has ended.
    flush(other.base_url());
    database.release();
    wait_until("nothing is held any more", || !database.is_holding());
    sleeper.resume();

    assert!(sleeper.terminate().success());
    assert_eq!(ledger.unanswered(), 0);
    compare(&ledger, other.base_url(), &installation);
}
