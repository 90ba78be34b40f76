//! A database that takes longer for a batch than the cache keeps what the database has.

use std::time::Duration;

use testkit::parts::Parts;
use testkit::service::Service;

use crate::comparison::{compare, flush, wait_until_the_cache_is_empty};
use crate::endpoints::{Caller, Endpoints};
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use crate::writers::Writer;
use testkit::wait::wait_until;

const NAMES: usize = 4;
const ROUNDS: usize = 2;

/// Half a second longer than `CACHE_TTL_S`.
const SLOW: &str = "CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW DO SLEEP(1.5)";

#[test]
#[ignore = "needs servers"]
fn what_a_slow_database_does_not_have_yet_does_not_leave_the_cache() {
    let seed = Seed::of_this_run();
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    installation.set("CACHE_TTL_S", "1");
    installation.set("CACHE_ABSENT_TTL_S", "1");
    let mut running = installation.run();
    let database = running.database().unwrap();
    database.query_rows(SLOW);
    let endpoints = Endpoints::new([running.base_url()]);
    let load = Load {
        names: NAMES,
        writers: 0,
        ..Load::USUAL
    };
    let reading = Workload::start(seed, &endpoints, load);
    let mut writer = Writer {
        caller: Caller::new(&endpoints, 0, load.wait_timeout),
        choices: seed.choices(0),
        names: (0..NAMES).collect(),
        may_come_late: false,
        pause: Duration::ZERO,
    };
    let is_at_work = || {
        let connections = database.query_rows("SHOW PROCESSLIST");
        let mut connections = connections.iter();
        connections.any(|row| row[3] == database.name() && row[6] == "User sleep")
    };
    for _ in 0..ROUNDS {
        writer.put_each(reading.ledger());
        wait_until("the database is at work", is_at_work);
        // While the first writes of these names are on their way; what ends those must not let these go.
        writer.put_each(reading.ledger());
        flush(running.base_url());
    }
    let ledger = reading.end();
    assert_eq!(ledger.unanswered(), 0);
    database.query_rows("DROP TRIGGER slow");

    // With a cache that keeps what it has, for looking into it.
    running.set("CACHE_TTL_S", "3600");
    running.set("CACHE_ABSENT_TTL_S", "3600");
    running.restart();
    wait_until_the_cache_is_empty(running.installation());
    compare(&ledger, running.base_url(), running.installation());
}
