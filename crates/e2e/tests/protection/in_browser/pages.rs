//! The pages of a service whose callers need tokens.

use testkit::browser::Browser;
use testkit::service::Service;

use crate::site::{Site, Token};

/// Fills in the form.
fn show(browser: &Browser, token: &Token) {
    browser.wait_until("document.querySelector('#token input')");
    let fill = format!(
        "(document.querySelector('#token input').value = '{}', true)",
        token.text
    );
    assert_eq!(browser.evaluate(&fill), true);
    browser.click("#token button");
}

#[test]
fn the_pages_ask_for_a_token_and_use_it() {
    let site = Site::start(Service::WriteThrough, &[]);
    let browser = Browser::start();
    browser.open(&format!("{}/dashboard", site.process.base_url()));
    show(&browser, &site.reader);
    browser.wait_until("document.querySelector('#connection').textContent.includes('Live')");
    let told = "document.querySelector('.outcome').textContent";
    browser.click("[data-action=one]");
    browser.wait_until(&format!("{told}.includes('403')"));
    show(&browser, &site.writer);
    browser.click("[data-action=one]");
    browser.wait_until(&format!("{told}.startsWith('Wrote')"));

    // The tab keeps it, also for the other page.
    browser.open(&format!("{}/docs#forgetAll", site.process.base_url()));
    browser.wait_until("document.getElementById('forgetAll')?.open");
    browser.click("#forgetAll button");
    browser.wait_until("document.querySelector('#forgetAll pre').textContent.startsWith('403')");
    show(&browser, &site.admin);
    browser.click("#forgetAll button");
    browser.wait_until("document.querySelector('#forgetAll pre').textContent.startsWith('204')");
}
