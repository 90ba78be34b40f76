//! The page's buttons, by keyboard alone.

use testkit::browser::Browser;
use testkit::http::Client;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::wait_until;

use crate::watching::open;

const OUTCOME: &str = "document.querySelector('.outcome').textContent";

/// The button that has the focus, which can be seen.
#[track_caller]
fn focused(browser: &Browser) -> String {
    let focus = browser.evaluate(
        "[document.activeElement.dataset.action, document.activeElement.matches(':focus-visible'), \
          getComputedStyle(document.activeElement).outlineStyle]",
    );
    assert_eq!((&focus[1], &focus[2]), (&true.into(), &"solid".into()));
    focus[0]
        .as_str()
        .expect("a button with an action")
        .to_owned()
}

/// How many records there are of the names that the page uses.
fn records(client: &Client) -> usize {
    let page = client.get("/users?limit=1000").json();
    let users = page["users"].as_array().expect("a page of users");
    let names = users.iter().filter_map(|user| user["name"].as_str());
    names.filter(|name| name.starts_with("dashboard-")).count()
}

#[test]
fn both_buttons_really_write_and_need_no_mouse() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let client = process.client();
        let browser = Browser::start();
        open(&browser, &process);

        browser.press(&["Tab"]);
        assert_eq!(focused(&browser), "one");
        browser.press(&["Enter"]);
        browser.wait_until(&format!("{OUTCOME}.startsWith('Wrote dashboard-')"));
        let outcome = browser.evaluate(OUTCOME);
        let name = outcome.as_str().and_then(|text| text.split(' ').nth(1));
        let written = client.get(&format!("/users/{}", name.expect("a name")));
        assert_eq!(written.status, 200, "{outcome}");

        browser.press(&["Tab"]);
        assert_eq!(focused(&browser), "burst");
        browser.press(&["Space"]);
        browser.wait_until(&format!(
            "/^500 writes in .*, 0 failed\\.$/.test({OUTCOME})"
        ));
        // The focus is where it was, so that one can go on.
        assert_eq!(focused(&browser), "burst");
        wait_until("every name of the burst is in the database", || {
            records(&client) == 100
        });
        assert_eq!(answered(&client, service), 501.0);
        assert_eq!(browser.console_errors(), [""; 0]);
    }
}

/// How many writes the service has answered with success.
fn answered(client: &Client, service: Service) -> f64 {
    let metrics = client.get("/metrics").text().to_owned();
    let mut counts = metrics.lines().filter(|line| {
        let of_writes = format!("route=\"{}\"", service.write_path());
        line.starts_with("write_cache_http_requests_total{")
            && line.contains(&of_writes)
            && line.contains("status=\"200\"")
    });
    let count = counts.next().and_then(|line| line.rsplit(' ').next());
    count.expect("a count of writes").parse().expect("a number")
}

#[test]
fn a_write_that_fails_is_said_to_have_failed_and_why() {
    let mut process = ServiceProcess::start(Service::WriteBehind, &[]);
    let browser = Browser::start();
    open(&browser, &process);
    process.kill_9();
    browser.click("[data-action=burst]");
    browser.wait_until(&format!("{OUTCOME}.endsWith(', 500 failed: no answer')"));
    let is_marked = "document.querySelector('.outcome').matches('.bad')";
    assert_eq!(browser.evaluate(is_marked), true);

    // What a service with a full journal answers, without filling one.
    browser.evaluate(
        "window.fetch = async () => new Response(JSON.stringify({detail: 'the journal is full'}), \
         {status: 503, headers: {'Content-Type': 'application/problem+json'}})",
    );
    browser.click("[data-action=one]");
    browser.wait_until(&format!(
        "{OUTCOME}.endsWith(' failed: 503 the journal is full')"
    ));
    assert_eq!(browser.evaluate(is_marked), true);
}
