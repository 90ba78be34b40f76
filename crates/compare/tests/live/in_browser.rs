//! What is seen, and what the buttons do.
//!
//! With `LIVE_SCREENSHOT` set to a file, the picture of `docs/live.png` is written there.

use std::env;
use std::path::Path;

use testkit::browser::Browser;

use crate::site::Live;

/// The text of a figure of a service, as JavaScript.
fn figure(pattern: &str, name: &str) -> String {
    format!("document.querySelector('[data-service={pattern}] [data-figure={name}]').textContent")
}

/// The same as a number; a unit behind it is not looked at.
fn number(pattern: &str, name: &str) -> String {
    format!("parseFloat({}.replace(/,/g, ''))", figure(pattern, name))
}

fn open(live: &Live) -> Browser {
    let browser = Browser::start();
    browser.open(&live.url);
    browser.wait_until("document.querySelector('#connection').textContent.includes('Live')");
    browser
}

#[test]
fn both_services_are_seen_side_by_side_while_the_workload_is_sent_to_both() {
    let live = Live::start(&["--rate", "200", "--names", "100"]);
    let browser = open(&live);
    for pattern in ["write-through", "write-behind"] {
        for name in ["rate", "rows"] {
            browser.wait_until(&format!("{} > 10", number(pattern, name)));
        }
        browser.wait_until(&format!("{} > 50", number(pattern, "hits")));
    }
    for (width, height) in [(1280, 900), (360, 780)] {
        browser.resize(width, height);
        for dark in [false, true] {
            browser.dark(dark);
            assert_eq!(
                browser.overlapping_texts(),
                [""; 0],
                "{width}, dark: {dark}"
            );
        }
    }
    if let Some(file) = env::var_os("LIVE_SCREENSHOT") {
        browser.dark(false);
        browser.resize(1120, 760);
        browser.evaluate("document.querySelector('[data-action=database]').click()");
        browser.wait_until(
            "document.querySelector('.words').textContent.includes('the oldest for 11 s')",
        );
        browser.screenshot(Path::new(&file));
    }
    assert_eq!(browser.console_errors(), [""; 0]);
    for request in browser.requests() {
        assert!(
            request.starts_with(&live.url) || request.starts_with("data:"),
            "{request}"
        );
    }
    // With the page open and its stream under way.
    let (status, left) = live.stop();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_database_that_is_paused_by_keyboard_holds_up_write_through_and_fills_the_journal() {
    let live = Live::start(&["--rate", "1"]);
    let browser = open(&live);
    browser.evaluate("document.querySelector('[data-action=database]').focus()");
    browser.press(&["Enter"]);
    browser.wait_until(
        "document.querySelector('[data-action=database]').getAttribute('aria-pressed') === 'true'",
    );
    browser.evaluate(
        "document.querySelector('[data-service=write-behind] [data-action=one]').focus()",
    );
    browser.press(&["Enter"]);
    browser.wait_until(&format!("{} >= 1", number("write-behind", "journal")));
    browser.wait_until(
        "[...document.querySelectorAll('.outcome')].some(text => text.textContent.startsWith('Wrote dashboard-'))",
    );
    browser.wait_until(
        "document.querySelector('.words').textContent.includes('The database is unavailable')",
    );
    browser.evaluate(
        "document.querySelector('[data-service=write-through] [data-action=one]').focus()",
    );
    browser.press(&["Enter"]);

    browser.evaluate("document.querySelector('[data-action=database]').focus()");
    browser.press(&["Enter"]);
    browser.wait_until(
        "document.querySelector('[data-action=database]').getAttribute('aria-pressed') === 'false'",
    );
    browser.wait_until(&format!("{} === 0", number("write-behind", "journal")));
    browser.wait_until(
        "[...document.querySelectorAll('.outcome')].filter(text => text.textContent.startsWith('Wrote dashboard-')).length === 2",
    );
    let kill = "document.querySelector('[data-action=kill-write-behind]')";
    browser.evaluate(&format!("{kill}.click()"));
    browser.wait_until(
        "document.querySelector('.words').textContent.includes('write-behind is not running')",
    );
    browser.wait_until(&format!("{kill}.textContent === 'Restart write-behind'"));
    browser.evaluate(&format!("{kill}.click()"));
    browser.wait_until(
        "document.querySelector('.words').textContent.includes('write-behind answers')",
    );
    assert_eq!(browser.console_errors(), [""; 0]);
}
