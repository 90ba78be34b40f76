//! A real Chromium without a window, for tests of pages: what they show, what they ask for, and whether
//! they can be used by keyboard.

mod driver;
#[cfg(test)]
#[path = "browser/tests.rs"]
mod in_browser;
mod keys;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::wait::WAIT_TIMEOUT;
use driver::Session;

/// The script that finds unreadable texts, as an expression.
const OVERLAPPING_TEXTS: &str = include_str!("browser/overlapping_texts.js");

/// How often a condition in a page is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A browser with an empty profile and one page. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    console: RefCell<Vec<String>>,
    requested: RefCell<Vec<String>>,
}

impl Browser {
    /// Starts the browser with an empty page of 1280 × 800 px.
    ///
    /// # Panics
    ///
    /// When `chromium` or `chromedriver` is not installed or does not start.
    #[track_caller]
    pub fn start() -> Self {
        let browser = Browser {
            session: Session::start(),
            console: RefCell::default(),
            requested: RefCell::default(),
        };
        // Whatever a new browser shows by itself is left and forgotten.
        browser.open("about:blank");
        browser.session.log("performance");
        browser.resize(1280, 800);
        browser
    }

    /// Gives the page a size in CSS pixels; any width is a real one, also that of a telephone.
    pub fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.session.cdp("Emulation.setDeviceMetricsOverride", size);
    }

    /// Whether the page is told that its reader prefers dark colours (or else light ones).
    pub fn dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let media = json!({"media": "", "features": features});
        self.session.cdp("Emulation.setEmulatedMedia", media);
    }

    /// Opens a page and waits until it is loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.session.post("url", &json!({"url": url}));
    }

    /// The value of a JavaScript expression in the page; of a promise, what it comes to.
    ///
    /// # Panics
    ///
    /// When it throws.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return (\n{expression}\n);");
        self.session
            .post("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a JavaScript expression in the page is true, and looks again and again.
    ///
    /// # Panics
    ///
    /// When it is not within [`WAIT_TIMEOUT`]; says what the page shows.
    #[track_caller]
    pub fn wait_until(&self, condition: &str) {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        let condition = format!("Boolean({condition})");
        while self.evaluate(&condition) != true {
            if Instant::now() > deadline {
                let shown = self.evaluate("document.body.innerText");
                let console = self.console_errors();
                panic!(
                    "not within {WAIT_TIMEOUT:?}: {condition}; console: {console:?}; page: {shown}"
                );
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Clicks on the first element of a CSS selector, scrolled into view, as a mouse does.
    ///
    /// # Panics
    ///
    /// When there is none, or another element would receive the click.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let query = json!({"using": "css selector", "value": css});
        let found = self.session.post("element", &query);
        let id = found
            .as_object()
            .and_then(|element| element.values().next()?.as_str())
            .unwrap_or_else(|| panic!("no element in {found}"));
        self.session
            .post(&format!("element/{id}/click"), &json!({}));
    }

    /// Presses keys, one after the other. Each is a character, a name such as `Tab`, `Enter` or
    /// `ArrowDown`, or several at once such as `Shift+Tab`.
    ///
    /// # Panics
    ///
    /// When there is no such key.
    #[track_caller]
    pub fn press(&self, keys: &[&str]) {
        self.session.post("actions", &keys::actions(keys));
    }

    /// Writes what is visible to a PNG file.
    #[track_caller]
    pub fn screenshot(&self, path: &Path) {
        let image = self
            .session
            .cdp("Page.captureScreenshot", json!({"format": "png"}));
        let data = image["data"].as_str().expect("an image");
        let bytes = BASE64_STANDARD.decode(data).expect("base64");
        fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// What went wrong so far according to the browser's console: uncaught exceptions, what scripts
    /// reported as an error, refused and failed requests.
    pub fn console_errors(&self) -> Vec<String> {
        let mut console = self.console.borrow_mut();
        for entry in self.session.log("browser") {
            if entry["level"] == "SEVERE" {
                console.push(entry["message"].as_str().unwrap_or_default().to_owned());
            }
        }
        console.clone()
    }

    /// The URLs that the page has asked for so far, the page's own included, in their order.
    pub fn requests(&self) -> Vec<String> {
        let mut requested = self.requested.borrow_mut();
        for entry in self.session.log("performance") {
            let text = entry["message"].as_str().expect("a message");
            let event: Value = serde_json::from_str(text).expect("an event");
            let event = &event["message"];
            if event["method"] == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str().expect("a URL");
                requested.push(url.to_owned());
            }
        }
        requested.clone()
    }

    /// Returns the texts that are unreadable as the page stands, one sentence each. These overlap by
    /// more than 1 px both ways, are cut off, or lie beyond the page's width, which must not have to be
    /// scrolled sideways. What a canvas draws is not seen.
    #[track_caller]
    pub fn overlapping_texts(&self) -> Vec<String> {
        let found = self.evaluate(OVERLAPPING_TEXTS);
        let sentences = found.as_array().expect("a list").iter();
        sentences
            .map(|sentence| sentence.as_str().expect("a sentence").to_owned())
            .collect()
    }
}
