//! How the page looks, and that it shows what happens.

use std::thread;

use serde_json::json;
use testkit::browser::Browser;
use testkit::http::Client;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::watching::{figure, open};

/// One of everything that the page has a figure for.
fn use_a_little(client: &Client, service: Service) {
    let record = json!({"name": "Ada", "age": 36, "occupation": "Mathematician"});
    client.post_json(service.write_path(), &record);
    client.get("/users/Ada");
    client.delete("/users/absent");
}

#[test]
fn the_page_is_readable_in_any_size_and_asks_its_server_only() {
    thread::scope(|scope| {
        for service in Service::all() {
            scope.spawn(move || expect_readable(service));
        }
    });
}

fn expect_readable(service: Service) {
    let process = ServiceProcess::start(service, &[]);
    let client = process.client();
    let browser = Browser::start();
    for (width, height) in [(1280, 800), (360, 740)] {
        for dark in [false, true] {
            browser.resize(width, height);
            browser.dark(dark);
            open(&browser, &process);
            wait_until("latencies of writes and reads are shown", || {
                use_a_little(&client, service);
                let latencies = ["write-latency", "read-latency"];
                latencies
                    .iter()
                    .all(|key| figure(&browser, key).ends_with('s'))
            });
            let seen = format!("{} at {width} px, dark: {dark}", service.name());
            assert_eq!(browser.overlapping_texts(), [""; 0], "{seen}");
            assert_eq!(browser.console_errors(), [""; 0], "{seen}");
            browser.click("[data-action=burst]");
            assert_eq!(browser.overlapping_texts(), [""; 0], "{seen}, in a burst");
            browser
                .wait_until("/^500 writes/.test(document.querySelector('.outcome').textContent)");
            assert_eq!(
                browser.overlapping_texts(),
                [""; 0],
                "{seen}, after a burst"
            );
            let background = browser.evaluate("getComputedStyle(document.body).backgroundColor");
            assert_eq!(
                background == "rgb(14, 19, 24)",
                dark,
                "{seen}: {background}"
            );
        }
    }
    for url in browser.requests() {
        let own = url.starts_with(process.base_url()) || url.starts_with("data:");
        assert!(own, "{}: {url}", service.name());
    }
}

#[test]
fn figures_follow_what_is_asked_of_the_service() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let client = process.client();
        let browser = Browser::start();
        open(&browser, &process);
        browser.wait_until("document.querySelector('[data-figure=writes]').textContent === '0/s'");
        assert_eq!(figure(&browser, "write-latency"), "–");
        assert_eq!(figure(&browser, "hits"), "–");

        wait_until("writes, reads and deletes are shown", || {
            use_a_little(&client, service);
            let rates = ["writes", "reads", "deletes"].map(|key| figure(&browser, key));
            rates.iter().all(|rate| rate != "0/s") && figure(&browser, "rate") != "0"
        });
        assert_eq!(figure(&browser, "failed"), "0/s");
        assert!(figure(&browser, "hits").ends_with(" %"));
        let lines = "document.querySelectorAll('.chart .line').length >= 3";
        browser.wait_until(lines);

        browser.wait_until("document.querySelector('[data-figure=rate]').textContent === '0'");
        let journal = "document.querySelector('[data-figure=journal]').closest('div').hidden";
        assert_eq!(browser.evaluate(journal), service == Service::WriteThrough);
    }
}

#[test]
fn the_page_says_when_the_service_is_gone_and_goes_on_when_it_is_back() {
    let mut process = ServiceProcess::start(Service::WriteBehind, &[]);
    let address = process.base_url().trim_start_matches("http://").to_owned();
    let browser = Browser::start();
    open(&browser, &process);
    process.kill_9();
    browser.wait_until(
        "document.getElementById('connection').innerText.startsWith('Connection lost')",
    );
    let stale = "document.querySelector('.service').classList.contains('stale')";
    assert_eq!(browser.evaluate(stale), true);

    let process = ServiceProcess::start(Service::WriteBehind, &[("LISTEN", &address)]);
    browser.wait_until("document.getElementById('connection').innerText === 'Live'");
    assert_eq!(browser.evaluate(stale), false);
    assert!(
        browser
            .requests()
            .iter()
            .all(|url| url.starts_with(process.base_url()) || url.starts_with("data:"))
    );
}

#[test]
fn a_page_that_is_refused_a_place_asks_again_until_it_has_one() {
    let process = ServiceProcess::start(Service::WriteThrough, &[]);
    let places = crate::events::take_all_places(&process);
    let browser = Browser::start();
    browser.open(&format!("{}/dashboard", process.base_url()));
    browser.wait_until(
        "document.getElementById('connection').innerText.startsWith('Connection lost')",
    );
    drop(places);
    browser.wait_until("document.getElementById('connection').innerText === 'Live'");
}
