//! Opening the page, and reading it.

use testkit::browser::Browser;
use testkit::service::ServiceProcess;

/// Opens the page and waits until it shows figures.
#[track_caller]
pub(crate) fn open(browser: &Browser, process: &ServiceProcess) {
    browser.open(&format!("{}/dashboard", process.base_url()));
    browser.wait_until("document.getElementById('connection').innerText === 'Live'");
}

/// A figure as the page shows it.
#[track_caller]
pub(crate) fn figure(browser: &Browser, key: &str) -> String {
    let text = browser.evaluate(&format!(
        "document.querySelector('[data-figure={key}]').textContent"
    ));
    text.as_str().expect("a text").to_owned()
}
