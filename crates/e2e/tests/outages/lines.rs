//! The log of an outage: one line when it begins, one each half a minute, and one when it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{Site, put};

/// The most lines at WARN and above for an outage of half a minute of all affected parts: each
/// logs "unavailable" and "still unavailable", and what no part explains is a line or two.
const LINES_MAX: usize = 12;

/// The server without which the service answers no write.
fn make_unavailable(site: &mut Site, service: Service) {
    match service {
        Service::WriteBehind => site.redis.kill_9(),
        Service::WriteThrough => site.database.kill_9(),
    }
}

fn bring_back(site: &mut Site, service: Service) {
    match service {
        Service::WriteBehind => site.redis.restart(),
        Service::WriteThrough => site.database.restart(),
    }
}

fn count_lines(service: Service, with_traffic: bool) {
    let mut site = Site::start(service);
    assert_eq!(site.put("before").status, 200);
    let part = match service {
        Service::WriteBehind => "journal",
        Service::WriteThrough => "database",
    };
    make_unavailable(&mut site, service);
    let is_over = AtomicBool::new(false);
    let (client, over) = (site.client(), &is_over);
    thread::scope(|scope| {
        for _ in 0..if with_traffic { 4 } else { 0 } {
            let client = client.clone();
            scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    put(&client, "meanwhile");
                }
            });
        }
        let still = format!("the {part} is still unavailable: writes are refused");
        wait_until("a line says that it goes on", || {
            !site.lines_with(&["WARN", &still]).is_empty()
        });
        bring_back(&mut site, service);
        wait_until("a line says that it is over", || {
            let back = format!("the {part} is back");
            !site.lines_with(&["INFO", &back, "outage_ms="]).is_empty()
        });
        is_over.store(true, Ordering::Release);
    });
    let logs = site.running.logs();
    let line = format!("the {part} is unavailable: writes are refused");
    assert_eq!(
        site.lines_with(&["WARN", &line, "reason="]).len(),
        1,
        "{logs}"
    );
    let still = site.lines_with(&["is still unavailable", &format!("part=\"{part}\"")]);
    assert_eq!(still.len(), 1, "{logs}");
    let failed_calls = still[0].split("failed_calls=").nth(1).unwrap();
    let failed_calls = failed_calls.split(' ').next().unwrap();
    let failed_calls: u64 = failed_calls.parse().unwrap();
    assert_eq!(failed_calls > 20, with_traffic, "{still:?}");
    let lines = site.lines_with(&[" WARN "]).len() + site.lines_with(&[" ERROR "]).len();
    assert!(lines <= LINES_MAX, "{lines} lines: {logs}");
}

#[test]
#[ignore = "needs servers"]
fn an_outage_is_three_kinds_of_lines_with_traffic_and_without() {
    thread::scope(|scope| {
        for service in Service::all() {
            for with_traffic in [true, false] {
                scope.spawn(move || count_lines(service, with_traffic));
            }
        }
    });
}

/// The drainer tries again and again, and the outage has the number of what waits.
#[test]
#[ignore = "needs servers"]
fn what_waits_for_the_database_is_counted() {
    let mut site = Site::start(Service::WriteBehind);
    site.database.kill_9();
    for number in 0..7 {
        assert_eq!(site.put(&format!("{number}")).status, 200);
    }
    let still = [
        "WARN",
        "the database is still unavailable",
        "waiting=7",
        "oldest_age_s=",
    ];
    wait_until("a line has the number", || {
        !site.lines_with(&still).is_empty()
    });
    let logs = site.running.logs();
    let line = "the database is unavailable: writes wait in the journal";
    assert_eq!(site.lines_with(&["WARN", line]).len(), 1, "{logs}");
    let lines = site.lines_with(&[" WARN "]).len() + site.lines_with(&[" ERROR "]).len();
    assert!(lines <= LINES_MAX, "{lines} lines: {logs}");
    site.database.restart();
    wait_until("a line says that it is over", || {
        !site
            .lines_with(&["INFO", "the database is back"])
            .is_empty()
    });
}
