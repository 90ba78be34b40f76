//! The page with two services and a database that can be paused, served by the test itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::browser::Browser;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::WAIT_TIMEOUT;

/// What one service's event says, but for what the test asks about.
fn of_service(name: &str, journal_depth_entries: Option<f64>) -> Value {
    json!({
        "name": name, "reachable": true, "bypassed": false, "version": "1.2.3",
        "requests_per_second": {"write": 1000.0, "read": 234.0, "delete": 0.0, "failed": 5.0},
        "writes": {"p50_ms": 0.8, "p99_ms": 1234.0}, "reads": {"p50_ms": null, "p99_ms": null},
        "cache_hit_share": 0.5, "journal_depth_entries": journal_depth_entries,
        "journal_oldest_age_s": journal_depth_entries, "dead_letters": null,
        "database_rows_per_second": 12.0, "database_commits_per_second": 3.0,
        "failures": {"p50_ms": 0.1, "p99_ms": 2.5}, "requests_in_flight": 2.0, "oldest_request_age_s": 12.5,
        "parts": [
            {"part": "cache", "up": true, "since_ms": 1_699_999_000_000_u64, "calls_in_flight": 0.0},
            {"part": "database", "up": false, "since_ms": 1_699_999_990_000_u64, "calls_in_flight": 3.0},
        ],
    })
}

fn event(second: u64) -> String {
    let through = of_service("write-through", None);
    let behind = of_service("write-behind", Some(77.0));
    json!({"at_ms": 1_700_000_000_000 + second * 1000, "services": [through, behind]}).to_string()
}

/// Answers one request: the page, its events without an end, or what is posted, which is passed on.
fn answer(mut connection: TcpStream, page: &str, posted: &Sender<(String, Value)>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut lines = Vec::new();
    let mut line = String::new();
    while matches!(reader.read_line(&mut line), Ok(3..)) {
        lines.push(std::mem::take(&mut line).to_lowercase());
    }
    let Some(request) = lines.first() else { return };
    let path = request.split(' ').nth(1).unwrap();
    let head = |kind: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n")
    };
    if path == "/events" {
        let _ = connection.write_all(head("text/event-stream").as_bytes());
        for second in 0..WAIT_TIMEOUT.as_secs() {
            let sent = connection.write_all(format!("data: {}\n\n", event(second)).as_bytes());
            if sent.is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
    } else if request.starts_with("post ") {
        let length = lines
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let _ = connection.write_all(head("application/json").as_bytes());
        let _ = posted.send((path.to_owned(), serde_json::from_slice(&body).unwrap()));
    } else {
        let _ = connection.write_all((head("text/html") + page).as_bytes());
    }
}

/// The page of a real service with another configuration.
fn page_of_two() -> String {
    let process = ServiceProcess::start(Service::WriteBehind, &[]);
    let page = process.client().get("/dashboard").text().to_owned();
    let (before, rest) = page.split_once("id=\"config\">").unwrap();
    let (_, after) = rest.split_once("</script>").unwrap();
    let config = json!({
        "title": "Both", "events_url": "/events", "database_url": "/database",
        "services": [
            {"name": "write-through", "write_url": "/through"},
            {"name": "write-behind", "write_url": "/behind"},
        ],
    });
    format!("{before}id=\"config\">{config}</script>{after}")
}

#[test]
fn two_services_are_shown_side_by_side_and_their_database_is_paused_by_keyboard() {
    let page = page_of_two();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (posted, received) = mpsc::channel();
    // Ends with the test's process.
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (page, posted) = (page.clone(), posted.clone());
            thread::spawn(move || answer(connection.unwrap(), &page, &posted));
        }
    });
    let browser = Browser::start();
    browser.open(&url);
    for (width, height) in [(1280, 800), (360, 740)] {
        browser.resize(width, height);
        browser.wait_until(
            "document.querySelectorAll('[data-figure=journal]')[1].textContent === '77'",
        );
        assert_eq!(browser.overlapping_texts(), [""; 0], "at {width} px");
    }
    let journals =
        "[...document.querySelectorAll('[data-figure=journal]')].map((e) => e.textContent)";
    assert_eq!(browser.evaluate(journals), json!(["–", "77"]));
    let cards = "[...document.querySelectorAll('.chart')].filter((card) => !card.hidden).length";
    assert_eq!(browser.evaluate(cards), 7);

    // Each service has a strip of its own, without a reason where the events have none.
    let strips = "[...document.querySelectorAll('.service [data-strip]')].map((strip) => \
        [...strip.querySelectorAll('.part')].map((part) => part.dataset.state))";
    assert_eq!(
        browser.evaluate(strips),
        json!([["up", "down"], ["up", "down"]])
    );
    let why = "document.querySelector('[data-part=database] .why').textContent";
    assert_eq!(browser.evaluate(why), "3 calls wait for it.");

    let button = "document.querySelector('[data-action=database]')";
    let state = format!("[{button}.textContent, {button}.getAttribute('aria-pressed')]");
    assert_eq!(
        browser.evaluate(&state),
        json!(["Pause the database", "false"])
    );
    browser.press(&["Tab", "Enter"]);
    let (path, body) = received.recv_timeout(WAIT_TIMEOUT).unwrap();
    assert_eq!(
        (path.as_str(), body),
        ("/database", json!({"paused": true}))
    );
    browser.wait_until(&format!("{button}.textContent === 'Resume the database'"));
    assert_eq!(browser.evaluate(&state)[1], "true");
    browser.press(&["Space"]);
    let (_, body) = received.recv_timeout(WAIT_TIMEOUT).unwrap();
    assert_eq!(body, json!({"paused": false}));

    for expected in ["/through", "/behind"] {
        browser.press(&["Tab", "Enter", "Tab"]);
        let (path, body) = received.recv_timeout(WAIT_TIMEOUT).unwrap();
        assert_eq!(path, expected);
        assert!(
            body["name"].as_str().unwrap().starts_with("dashboard-"),
            "{body}"
        );
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}
