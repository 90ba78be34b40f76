//! A reader whose answer from the database is old when it comes.

use std::thread;
use std::time::Duration;

use testkit::parts::Parts;
use testkit::proxy::ChaosProxy;
use testkit::servers::redis_url;
use testkit::service::Service;

use crate::comparison::{compare, flush, wait_until_the_cache_is_empty};
use crate::endpoints::{Caller, Endpoints};
use crate::seed::Seed;
use crate::workload::{Load, Workload};
use crate::writers::Writer;
use crate::{cached, readers};
use testkit::wait::wait_until;

const NAMES: usize = 4;

#[test]
#[ignore = "needs servers"]
fn what_a_slow_reader_brings_from_the_database_does_not_replace_what_was_written_meanwhile() {
    let seed = Seed::of_this_run();
    let mut installation = Parts::RedisMariaDb.install(Service::WriteBehind);
    let url = installation.setting("DATABASE_URL").unwrap().to_owned();
    let before_reader = ChaosProxy::before(&url);
    let before_writer = ChaosProxy::before(&url);
    installation.set("DATABASE_URL", &before_writer.url(&url));
    installation.set("CACHE_TTL_S", "1");
    let mut for_writing = installation.start(Service::WriteBehind);
    installation.set("DATABASE_URL", &before_reader.url(&url));
    let mut for_reading = installation.start(Service::WriteBehind);
    let endpoints = Endpoints::new([for_writing.base_url(), for_reading.base_url()]);

    let no_clients = Load {
        names: NAMES,
        writers: 0,
        readers: 0,
        ..Load::USUAL
    };
    let workload = Workload::start(seed, &endpoints, no_clients);
    let ledger = workload.ledger();
    let mut writer = Writer {
        caller: Caller::new(&endpoints, 0, no_clients.wait_timeout),
        choices: seed.choices(0),
        names: (0..NAMES).collect(),
        may_come_late: false,
        pause: Duration::ZERO,
    };
    writer.put_each(ledger);
    flush(for_writing.base_url());
    wait_until_the_cache_is_empty(&installation);

    before_reader.hold();
    thread::scope(|scope| {
        for name in 0..NAMES {
            let client = for_reading.client();
            scope.spawn(move || readers::read(ledger, &client, name, true));
        }
        wait_until("the readers are on their way", || {
            let entries = cached::entries(&redis_url(), installation.database().unwrap());
            entries.len() == NAMES && before_reader.is_holding()
        });
        // So that only the journal and the cache have the new values when the old ones come.
        before_writer.hold();
        writer.put_each(ledger);
        before_reader.release();
    });
    for name in 0..NAMES {
        assert!(readers::read(ledger, &for_writing.client(), name, true));
    }
    before_writer.release();

    flush(for_writing.base_url());
    assert_eq!(ledger.unanswered(), 0);
    assert!(for_writing.terminate().success() && for_reading.terminate().success());
    // With a cache that keeps what it has, for looking into it.
    installation.set("CACHE_TTL_S", "3600");
    let process = installation.start(Service::WriteBehind);
    wait_until_the_cache_is_empty(&installation);
    let ledger = workload.end();
    compare(&ledger, process.base_url(), &installation);
}
