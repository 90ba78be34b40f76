//! A database that is known to leave its callers waiting is not waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use testkit::http::user_path;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::Site;

const REFUSED: &str = "the database is unavailable; nothing was written";

fn detail(site: &Site, name: &str) -> String {
    let answer = site.put(name);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("Retry-After").is_some());
    answer.json()["detail"].as_str().unwrap().to_owned()
}

/// That nothing was written is only known of a write that was not begun.
#[test]
#[ignore = "needs servers"]
fn write_through_refuses_writes_while_its_database_hangs() {
    let site = Site::start_with(Service::WriteThrough, &[("DATABASE_POOL_MAX", "6")]);
    let cached = site.put("cached");
    assert_eq!(cached.status, 200);
    site.database.pause();
    let first = detail(&site, "first");
    assert!(first.contains("unknown"), "{first}");
    wait_until("writes are refused at once", || {
        detail(&site, "more") == REFUSED
    });
    for number in 0..50 {
        assert_eq!(detail(&site, &format!("{number}")), REFUSED);
    }
    assert_eq!(site.client().get(&user_path("not cached")).status, 503);
    assert_eq!(site.readiness().0, 503);
    site.database.resume();
    wait_until("writes are taken", || site.put("after").status == 200);
    // None of the refused was written.
    for number in 0..50 {
        let read = site.client().get(&user_path(&format!("{number}")));
        assert_eq!(read.status, 404, "{}", read.text());
    }
}

/// A lock is no outage.
#[test]
#[ignore = "needs servers"]
fn a_locked_row_closes_nothing() {
    // A write waits for less than the lock lasts.
    let settings = [("DATABASE_TIMEOUT_MS", "2000")];
    let site = Site::start_with(Service::WriteThrough, &settings);
    assert_eq!(site.put("locked").status, 200);
    let is_over = AtomicBool::new(false);
    let mut refused = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            site.query_database("SELECT name, SLEEP(6) FROM users FOR UPDATE");
            is_over.store(true, Ordering::Release);
        });
        while !is_over.load(Ordering::Acquire) {
            assert_eq!(site.readiness().0, 200);
            refused += usize::from(site.put("locked").status == 503);
        }
    });
    assert!(refused > 0, "the row was never locked");
    wait_until("it is written", || site.put("locked").status == 200);
}
