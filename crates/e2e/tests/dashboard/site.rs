//! A service on Redis and MariaDB whose network can be cut, and its page in a browser.

use std::path::Path;

use serde_json::{Value, json};
use testkit::browser::Browser;
use testkit::http::Client;
use testkit::parts::{Installation, Parts};
use testkit::proxy::ChaosProxy;
use testkit::service::{Service, ServiceProcess};

use crate::watching::open;

/// How the page is looked at: width, height, and whether dark colours are preferred.
const LOOKS: &[(u32, u32, bool)] = &[(1280, 1000, false), (1280, 1000, true), (360, 1400, false)];

/// The fields are dropped in this order.
pub(crate) struct Site {
    pub(crate) browser: Browser,
    pub(crate) process: ServiceProcess,
    pub(crate) database: ChaosProxy,
    pub(crate) cache: ChaosProxy,
    service: Service,
    _installation: Installation,
}

impl Site {
    pub(crate) fn start(service: Service, settings: &[(&str, &str)]) -> Self {
        let mut installation = Parts::RedisMariaDb.install(service);
        for (name, value) in settings {
            installation.set(name, value);
        }
        let database = installation.proxy_before("DATABASE_URL");
        let cache = installation.proxy_before("CACHE_URL");
        let process = installation.start(service);
        let browser = Browser::start();
        open(&browser, &process);
        Site {
            browser,
            process,
            database,
            cache,
            service,
            _installation: installation,
        }
    }

    pub(crate) fn client(&self) -> Client {
        self.process.client()
    }

    /// Writes a record. Returns the status.
    pub(crate) fn write(&self, name: &str) -> u16 {
        let record = json!({"name": name, "age": 36, "occupation": "Engineer"});
        let client = self.client();
        client.post_json(self.service.write_path(), &record).status
    }

    /// What the strip says of a part: `up` or `down`, since when, and why.
    pub(crate) fn part(&self, name: &str) -> [String; 3] {
        let part = format!("document.querySelector('[data-part={name}]')");
        let shown = self.browser.evaluate(&format!(
            "{part} === null ? ['', '', ''] : [{part}.dataset.state, {part}.querySelector('.since').textContent, \
             {part}.querySelector('.why').textContent]"
        ));
        let text = |place: usize| shown[place].as_str().expect("a text").to_owned();
        [text(0), text(1), text(2)]
    }

    /// The sentence about how far the database is behind, and how full the journal is.
    pub(crate) fn behind(&self) -> String {
        let behind = "document.querySelector('[data-figure=behind]')";
        let shown = self
            .browser
            .evaluate(&format!("{behind}.hidden ? null : {behind}.innerText"));
        let words = shown.as_str().unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    }

    /// The page can be read as it is now, in every size and light. `SCREENSHOTS` names a folder for
    /// pictures of it.
    #[track_caller]
    pub(crate) fn look(&self, state: &str) {
        let browser = &self.browser;
        for (width, height, dark) in LOOKS {
            browser.resize(*width, *height);
            browser.dark(*dark);
            // One event later everything is drawn in that size.
            let waits = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))";
            assert_eq!(browser.evaluate(waits), Value::Bool(true));
            let seen = format!("{state} at {width} px, dark: {dark}");
            assert_eq!(browser.overlapping_texts(), [""; 0], "{seen}");
            if let Some(folder) = std::env::var_os("SCREENSHOTS") {
                let service = self.service.name();
                let light = if *dark { "dark" } else { "light" };
                let name = format!("{service} {state} {width} {light}.png").replace(' ', "-");
                browser.screenshot(&Path::new(&folder).join(name));
            }
        }
        browser.dark(false);
        browser.resize(1280, 800);
        assert_eq!(browser.console_errors(), [""; 0], "{state}");
    }
}
