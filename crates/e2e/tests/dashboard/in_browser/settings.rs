//! What the setting `DASHBOARD` switches off.

use testkit::browser::Browser;
use testkit::service::{Service, ServiceProcess};

use crate::watching::open;

#[test]
fn a_read_only_page_has_no_buttons() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[("DASHBOARD", "read-only")]);
        let browser = Browser::start();
        open(&browser, &process);
        assert_eq!(
            browser.evaluate("document.querySelectorAll('button').length"),
            0
        );
        let text = browser.evaluate("document.body.innerText");
        let text = text.as_str().unwrap();
        assert!(!text.contains("buttons"), "{text}");
        assert_eq!(browser.console_errors(), [""; 0]);
    }
}

#[test]
fn a_page_that_is_switched_off_is_not_there() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[("DASHBOARD", "off")]);
        let client = process.client();
        for path in ["/dashboard", "/dashboard/events"] {
            assert_eq!(client.get(path).status, 404, "{path}");
        }
        let index = client.get("/").text().to_owned();
        assert!(!index.contains("dashboard"), "{index}");
        assert_eq!(client.get("/metrics").status, 200);
    }
}
