//! The page in every state of the service: what the strip of parts says, and that it can be read.

use std::thread;

use testkit::http::user_path;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::Site;
use crate::watching::{figure, open};

fn parts(service: Service) -> &'static [&'static str] {
    match service {
        Service::WriteBehind => &["cache", "journal", "database"],
        Service::WriteThrough => &["cache", "database"],
    }
}

/// Waits until these parts are unavailable, and no other.
#[track_caller]
fn wait_for(site: &Site, service: Service, down: &[&str]) {
    for part in parts(service) {
        let expected = if down.contains(part) { "down" } else { "up" };
        wait_until("the strip has the state of each part", || {
            site.part(part)[0] == expected
        });
        let [_, since, why] = site.part(part);
        assert!(since.starts_with("since "), "{part}: {since}");
        assert_eq!(why.is_empty(), expected == "up", "{part}: {why}");
    }
}

#[test]
#[ignore = "needs servers"]
fn the_strip_follows_the_outage_of_each_part() {
    for service in Service::all() {
        let site = Site::start(service, &[]);
        wait_for(&site, service, &[]);
        site.look("idle");
        let shown = site.browser.evaluate(
            "[...document.querySelectorAll('#parts [data-part]')].map((part) => part.dataset.part)",
        );
        assert_eq!(shown, serde_json::json!(parts(service)));

        let is_behind = service == Service::WriteBehind;
        assert_eq!(site.write("Ada"), 200);
        if is_behind {
            let persisted = "The database has every acknowledged write.";
            wait_until("the database has it", || {
                site.behind().starts_with(persisted)
            });
        }
        site.database.cut();
        let written = if is_behind { 200 } else { 503 };
        wait_until("writes are what they are without the database", || {
            site.write("Ada") == written
        });
        wait_for(&site, service, &["database"]);
        let [_, _, why] = site.part("database");
        let consequence = if is_behind {
            "Writes wait in the journal"
        } else {
            "Writes are refused"
        };
        assert!(why.contains(consequence), "{why}");
        if is_behind {
            for number in 0..11 {
                assert_eq!(site.write(&format!("Ada {number}")), 200);
            }
            wait_until("the writes that wait are shown", || {
                let behind = site.behind();
                behind.starts_with("The database is 1") && behind.contains(" s behind.")
            });
        }
        site.look("database unavailable");

        site.cache.cut();
        wait_for(&site, service, parts(service));
        site.look("both unavailable");
        site.database.restore();
        let in_redis: &[&str] = match service {
            Service::WriteBehind => &["cache", "journal"],
            Service::WriteThrough => &["cache"],
        };
        wait_for(&site, service, in_redis);
        site.look("Redis unavailable");
        site.cache.restore();
        wait_for(&site, service, &[]);
        site.look("back");
    }
}

#[test]
#[ignore = "needs servers"]
fn requests_that_hang_and_fail_are_told_apart_from_fast_ones() {
    for service in Service::all() {
        let site = Site::start(service, &[]);
        let client = site.client();
        wait_until("reads are shown with their latency", || {
            client.get("/users/absent");
            figure(&site.browser, "read-latency").ends_with('s')
        });
        site.look("load");
        site.database.hold();
        let hanging: Vec<_> = (0..3)
            .map(|number| {
                let client = site.client();
                thread::spawn(move || client.get(&user_path(&format!("hangs {number}"))))
            })
            .collect();
        wait_until("the requests that hang are shown", || {
            let bad = "document.querySelector('[data-figure=oldest-request]').closest('div').matches('.bad')";
            figure(&site.browser, "in-flight") == "3" && site.browser.evaluate(bad) == true
        });
        site.look("hanging");
        wait_until("what fails now has figures of its own", || {
            client.get("/users/uncached");
            figure(&site.browser, "failed-latency").ends_with('s')
        });
        assert_eq!(figure(&site.browser, "read-latency"), "–");
        site.database.release();
        for answer in hanging {
            answer.join().unwrap();
        }
    }
}

#[test]
#[ignore = "needs servers"]
fn a_journal_near_its_limit_is_shown() {
    let service = Service::WriteBehind;
    let site = Site::start(service, &[("JOURNAL_ENTRIES_MAX", "20")]);
    site.database.cut();
    for number in 0..16 {
        assert_eq!(site.write(&format!("Ada {number}")), 200);
    }
    wait_until("the journal is nearly full", || {
        site.behind()
            .contains("Journal 80 % full: soon writes are refused")
    });
    site.look("journal nearly full");
    wait_until("writes are refused", || site.write("one more") == 503);
    wait_until("the journal is full", || {
        site.behind()
            .contains("Journal 100 % full: writes are refused")
    });
    site.look("journal full");
    site.database.restore();
    wait_until("the database has everything", || {
        site.behind()
            .starts_with("The database has every acknowledged write. Journal 0 % full")
    });
}

#[test]
#[ignore = "needs servers"]
fn the_last_minutes_are_there_when_the_page_opens() {
    let site = Site::start(Service::WriteBehind, &[]);
    let points =
        "(document.querySelector('.plot .line')?.getAttribute('d') ?? '').split('L').length";
    site.browser.wait_until(&format!("{points} >= 5"));
    // Every point of what it had before, with the first event.
    open(&site.browser, &site.process);
    let shown = site.browser.evaluate(points);
    assert!(shown.as_u64().is_some_and(|points| points >= 5), "{shown}");
}
