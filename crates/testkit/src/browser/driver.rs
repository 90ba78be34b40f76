//! The processes behind a browser, and the protocol (WebDriver, JSON over HTTP) that they are told what to
//! do by.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::wait::WAIT_TIMEOUT;

/// What goes before the port in the line that says that the driver listens.
const STARTED: &str = "was started successfully on port ";

/// How long the browser is given to end by itself.
const END_SECONDS_MAX: u64 = 10;

/// Arguments for a browser without a window that sends requests to the page's own server only.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "about:blank",
];

/// A driver with a browser.
#[derive(Debug)]
pub(super) struct Session {
    driver: Driver,
    client: Client,
    path: String,
    browser: Option<Pid>,
    // Removed after both processes have ended.
    _folder: TempDir,
}

impl Session {
    #[track_caller]
    pub(super) fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let profile = folder.path().join("profile");
        let driver = Driver::start(&folder);
        let client = Client::new(&format!("http://127.0.0.1:{}", driver.port));
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(ToString::to_string).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let wanted = json!({
            "browserName": "chrome",
            "pageLoadStrategy": "normal",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let body = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = value_of(&client, "POST", "/session", Some(&body));
        let id = session["sessionId"].as_str().expect("a session");
        let browser = session["capabilities"]["goog:processID"].as_i64();
        Session {
            driver,
            path: format!("/session/{id}"),
            client,
            browser: browser.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)),
            _folder: folder,
        }
    }

    /// Sends a command and returns its value.
    #[track_caller]
    pub(super) fn post(&self, command: &str, body: &Value) -> Value {
        let path = format!("{}/{command}", self.path);
        value_of(&self.client, "POST", &path, Some(body))
    }

    /// Sends a command of the browser's own protocol for tools.
    #[track_caller]
    pub(super) fn cdp(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", &body)
    }

    /// The ids of the driver's process and of the browser's.
    #[cfg(test)]
    pub(super) fn processes(&self) -> [u32; 2] {
        let browser = self.browser.expect("the browser's process");
        [
            self.driver.child.id(),
            browser.as_raw_nonzero().get().cast_unsigned(),
        ]
    }

    /// What has come into a log since it was asked for last.
    #[track_caller]
    pub(super) fn log(&self, kind: &str) -> Vec<Value> {
        match self.post("se/log", &json!({"type": kind})) {
            Value::Array(entries) => entries,
            other => panic!("not a log: {other}"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The driver answers when the browser has ended, and a hung one must not hang the test too.
        let wait_timeout = Duration::from_secs(END_SECONDS_MAX);
        let client = Client::with_timeout(&self.driver.base_url(), wait_timeout);
        let ended = client.try_request("DELETE", &self.path, &[], None);
        if !ended.is_ok_and(|answer| answer.status == 200)
            && let Some(pid) = self.browser
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

#[track_caller]
fn value_of(client: &Client, method: &str, path: &str, body: Option<&Value>) -> Value {
    let body = body.map(Value::to_string);
    let headers = [("Content-Type", "application/json; charset=utf-8")];
    let answer = client.request(method, path, &headers, body.as_ref().map(String::as_bytes));
    let mut json: Value = serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}: {answer:?}"));
    let value = json["value"].take();
    if answer.status != 200 {
        let (kind, message) = (&value["error"], value["message"].as_str());
        panic!("{method} {path}: {kind}: {}", message.unwrap_or_default());
    }
    value
}

/// The driver's process. Dropping it ends it, and what it has started in its own process group.
#[derive(Debug)]
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    #[track_caller]
    fn start(folder: &TempDir) -> Self {
        assert!(
            env::var_os("TEST_BROWSER").is_none_or(|wanted| wanted != "none"),
            "scripts/test --no-browser leaves out the modules `in_browser`, and this test is in none of them"
        );
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver: {error}: run scripts/test, which installs it and chromium")
            });
        let mut output = BufReader::new(child.stdout.take().expect("a piped stdout"));
        let (send, port) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            while matches!(output.read_line(&mut line), Ok(1..)) {
                if let Some((_, port)) = line.split_once(STARTED) {
                    let _ = send.send(port.trim().trim_end_matches('.').to_owned());
                    break;
                }
                line.clear();
            }
            drop(send);
            // So that the driver never waits for a full pipe.
            let mut rest = [0; 4096];
            while matches!(output.read(&mut rest), Ok(1..)) {}
        });
        let mut driver = Driver { child, port: 0 };
        match port.recv_timeout(WAIT_TIMEOUT) {
            Ok(port) => driver.port = port.parse().expect("a port"),
            Err(RecvTimeoutError::Timeout) => {
                panic!("chromedriver has no port after {WAIT_TIMEOUT:?}")
            }
            Err(RecvTimeoutError::Disconnected) => panic!("chromedriver has ended at its start"),
        }
        driver
    }

    fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}
