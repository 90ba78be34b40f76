//! A collector that does not take what it is sent changes nothing but two lines of the log.

use testkit::parts::{Parts, RunningService};
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::collector::{Collector, Mood};
use crate::site::{combinations, put, spans_of_write, start, trace_id};

const BEGINS: &str = "the collector of traces is unavailable";
const ENDS: &str = "the collector of traces is available again";

fn count(running: &RunningService, text: &str) -> usize {
    let logs = running.logs();
    logs.lines().filter(|line| line.contains(text)).count()
}

/// All lines at warn and above.
fn warnings(running: &RunningService) -> Vec<String> {
    let logs = running.logs();
    let is_warning = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    logs.lines().filter(is_warning).map(str::to_owned).collect()
}

/// Most spans that wait.
const QUEUE: (&str, &str) = ("OTEL_BSP_MAX_QUEUE_SIZE", "64");

/// More writes than the queue of spans takes.
fn write_many(running: &RunningService, from: u32) {
    let client = running.client();
    for number in from..from + 100 {
        put(&client, &format!("user {number}"), &trace_id(number));
    }
}

#[test]
#[ignore = "needs servers"]
fn a_collector_that_comes_up_late_is_said_twice() {
    for (service, parts) in combinations() {
        let address = Collector::nowhere();
        let running = start((service, parts), &format!("http://{address}"), &[QUEUE]);
        write_many(&running, 0);
        wait_until("the outage is logged", || count(&running, BEGINS) == 1);
        let collector = Collector::start_at(address, Mood::Takes);
        let mut number = 10_000;
        wait_until("the end is logged", || {
            number += 1;
            put(&running.client(), "a", &trace_id(number));
            count(&running, ENDS) == 1
        });
        put(&running.client(), "a", &trace_id(9_999));
        collector.wait_for(&trace_id(9_999), spans_of_write(service));
        assert_eq!(count(&running, BEGINS), 1, "{}", running.logs());
        assert_eq!(warnings(&running).len(), 1, "{:?}", warnings(&running));
    }
}

#[test]
fn a_collector_that_fails_or_is_killed_is_said_once_each() {
    for service in Service::all() {
        let collector = Collector::start(Mood::Takes);
        let mut running = start((service, Parts::Embedded), &collector.url(), &[QUEUE]);
        put(&running.client(), "a", &trace_id(1));
        collector.wait_for(&trace_id(1), spans_of_write(service));
        collector.set(Mood::Fails);
        write_many(&running, 10_000);
        wait_until("the outage is logged", || count(&running, BEGINS) == 1);
        assert!(
            running.logs().contains("it answers 500"),
            "{}",
            running.logs()
        );
        collector.set(Mood::Takes);
        let mut number = 20_000;
        wait_until("the end is logged", || {
            number += 1;
            put(&running.client(), "a", &trace_id(number));
            count(&running, ENDS) == 1
        });
        let address = collector.address();
        drop(collector);
        write_many(&running, 30_000);
        wait_until("the outage is logged", || count(&running, BEGINS) == 2);
        assert_eq!(count(&running, ENDS), 1);
        let _closed = address;
        assert!(running.terminate().success());
        // The second may be that the last spans were not exported.
        assert!(warnings(&running).len() <= 3, "{:?}", warnings(&running));
    }
}

#[test]
#[ignore = "needs servers"]
fn a_collector_that_hangs_delays_neither_requests_nor_the_end() {
    for (service, parts) in combinations() {
        let collector = Collector::start(Mood::Hangs);
        let mut running = start((service, parts), &collector.url(), &[QUEUE]);
        write_many(&running, 0);
        wait_until("it was asked", || !collector.received().is_empty());
        write_many(&running, 10_000);
        assert!(running.terminate().success());
        assert!(warnings(&running).len() <= 2, "{:?}", warnings(&running));
        if service == Service::WriteBehind {
            let logs = running.logs();
            assert!(
                logs.contains("all that was acknowledged is in the database"),
                "{logs}"
            );
        }
    }
}

#[test]
#[ignore = "needs servers"]
fn the_last_spans_are_exported_at_the_end() {
    for (service, parts) in combinations() {
        let collector = Collector::start(Mood::Takes);
        let late = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
        let mut running = start((service, parts), &collector.url(), &[late]);
        put(&running.client(), "a", &trace_id(1));
        assert!(collector.spans().is_empty());
        assert!(running.terminate().success());
        let spans = collector.trace(&trace_id(1));
        assert_eq!(spans.len(), spans_of_write(service).len(), "{spans:?}");
        assert_eq!(warnings(&running).len(), 0, "{:?}", warnings(&running));
    }
}
