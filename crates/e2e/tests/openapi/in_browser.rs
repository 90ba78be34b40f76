//! The page that shows the document, in a real browser: how it looks, what it asks for, and that calls can
//! be tried from it.

use std::path::Path;

use testkit::browser::Browser;
use testkit::service::{Service, ServiceProcess};

/// Opens the page and waits until it shows calls.
#[track_caller]
fn open(process: &ServiceProcess, hash: &str) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("{}/docs{hash}", process.base_url()));
    browser.wait_until("document.querySelector('#calls details') !== null");
    browser
}

#[test]
fn the_page_is_readable_in_any_size_and_asks_its_server_only() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let browser = open(&process, "");
        for (width, height) in [(1280, 800), (360, 740)] {
            for dark in [false, true] {
                browser.resize(width, height);
                browser.dark(dark);
                for is_open in [false, true] {
                    let cards = "[...document.querySelectorAll('details')]";
                    let all = format!("{cards}.map((card) => card.open = {is_open}).length > 20");
                    assert_eq!(browser.evaluate(&all), true);
                    let seen = format!(
                        "{} at {width} px, dark: {dark}, open: {is_open}",
                        service.name()
                    );
                    assert_eq!(browser.overlapping_texts(), [""; 0], "{seen}");
                    if let Some(folder) = std::env::var_os("SCREENSHOTS") {
                        let name = seen.replace([' ', ':', ','], "-") + ".png";
                        browser.screenshot(&Path::new(&folder).join(name));
                    }
                }
                let background =
                    browser.evaluate("getComputedStyle(document.body).backgroundColor");
                assert_eq!(background == "rgb(14, 19, 24)", dark, "{background}");
            }
        }
        assert_eq!(browser.console_errors(), [""; 0], "{}", service.name());
        for url in browser.requests() {
            let own = url.starts_with(process.base_url()) || url.starts_with("data:");
            assert!(own, "{}: {url}", service.name());
        }
    }
}

#[test]
fn the_page_shows_every_call_and_type_of_the_document() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let document = process.client().get("/openapi.json").json();
        let browser = open(&process, "");
        let mut expected: Vec<String> = Vec::new();
        for item in document["paths"].as_object().unwrap().values() {
            let operations = item.as_object().unwrap().values();
            let ids = operations.filter_map(|call| call["operationId"].as_str());
            expected.extend(ids.map(str::to_owned));
        }
        let types = document["components"]["schemas"].as_object().unwrap();
        expected.extend(types.keys().map(|name| format!("type-{name}")));
        expected.sort_unstable();
        let shown = "[...document.querySelectorAll('details')].map(({ id }) => id).sort()";
        assert_eq!(browser.evaluate(shown), serde_json::json!(expected));
        let dead = "[...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.hash.slice(1)).filter((id) => \
                    document.getElementById(id) === null)";
        assert_eq!(browser.evaluate(dead), serde_json::json!([]));
    }
}

#[test]
fn a_call_can_be_tried_from_the_page() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let browser = open(&process, "#putUser");
        assert_eq!(
            browser.evaluate("document.getElementById('putUser').open"),
            true
        );
        let fill = "document.querySelector('#putUser [name=name]').value = 'Ada / Löve', \
                    document.querySelector('#putUser [name=durability]').value = 'persisted', true";
        assert_eq!(browser.evaluate(fill), true);
        browser.click("#putUser button");
        browser.wait_until(
            "/^200[^]*durability: persisted[^]*successful/.test(document.querySelector('#putUser form pre').textContent)",
        );
        let read = process.client().get("/users/Ada%20%2F%20L%C3%B6ve");
        assert_eq!(read.status, 200);
        assert_eq!(browser.console_errors(), [""; 0]);
    }
}

#[test]
fn the_filter_leaves_what_has_all_words() {
    let process = ServiceProcess::start(Service::WriteBehind, &[]);
    let browser = open(&process, "");
    browser.click("#filter");
    browser.press(&["d", "e", "a", "d", "Space", "g", "e", "t"]);
    browser.wait_until("document.querySelectorAll('details:not([hidden])').length === 1");
    let shown = "document.querySelector('details:not([hidden])').id";
    assert_eq!(browser.evaluate(shown), "listDeadLetters");
    let groups = "document.querySelectorAll('main section:not([hidden])').length";
    assert_eq!(browser.evaluate(groups), 1);
}
