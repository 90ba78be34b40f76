//! The stream of events: its form, its bound, and its end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use testkit::service::{Service, ServiceProcess};
use testkit::wait::{WAIT_TIMEOUT, wait_until};

/// More than may ever watch at once.
const ATTEMPTS_MAX: usize = 200;

/// A connection that has asked for the events.
#[derive(Debug)]
pub(crate) struct Viewer {
    connection: TcpStream,
    received: String,
}

impl Viewer {
    fn connect(process: &ServiceProcess) -> Self {
        let address = process.base_url().trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(WAIT_TIMEOUT)).unwrap();
        let request = format!("GET /dashboard/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let received = String::new();
        Viewer {
            connection,
            received,
        }
    }

    /// Reads until the text is there, at most until the connection ends.
    #[track_caller]
    fn read_until(&mut self, text: &str) -> &str {
        let mut bytes = [0; 4096];
        while !self.received.contains(text) {
            let length = self
                .connection
                .read(&mut bytes)
                .expect("what comes in time");
            assert!(length > 0, "ended without {text:?}: {}", self.received);
            self.received += std::str::from_utf8(&bytes[..length]).unwrap();
        }
        &self.received
    }

    fn is_admitted(&mut self) -> bool {
        self.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 ")
    }
}

/// As many viewers as may watch.
pub(crate) fn take_all_places(process: &ServiceProcess) -> Vec<Viewer> {
    let mut viewers = Vec::new();
    while viewers.len() < ATTEMPTS_MAX {
        let mut viewer = Viewer::connect(process);
        if !viewer.is_admitted() {
            return viewers;
        }
        viewers.push(viewer);
    }
    panic!("{ATTEMPTS_MAX} may watch at once");
}

#[test]
fn an_event_has_the_figures_of_the_service() {
    for service in Service::all() {
        let process = ServiceProcess::start(service, &[]);
        let mut viewer = Viewer::connect(&process);
        let text = viewer.read_until("}]}\n\n");
        assert!(
            text.contains("content-type: text/event-stream\r\n"),
            "{text}"
        );
        assert!(text.contains("cache-control: no-store\r\n"), "{text}");
        let (_, event) = text.split_once("data: ").unwrap();
        let event: Value = serde_json::from_str(event.lines().next().unwrap()).unwrap();
        assert!(
            event["at_ms"].as_u64().unwrap() > 1_700_000_000_000,
            "{event}"
        );
        let [of_service] = event["services"].as_array().unwrap().as_slice() else {
            panic!("{event}");
        };
        assert_eq!(
            format!("{}-svc", of_service["name"].as_str().unwrap()),
            service.name()
        );
        assert_eq!(of_service["reachable"], true);
        assert_eq!(of_service["requests_per_second"]["write"], 0.0);
        assert_eq!(of_service["writes"]["p50_ms"], Value::Null);
        let journal = if service == Service::WriteBehind {
            0.0.into()
        } else {
            Value::Null
        };
        assert_eq!(of_service["journal_depth_entries"], journal);
        assert!(event.get("database_paused").is_none());
    }
}

#[test]
fn a_viewer_is_sent_the_last_minutes_first() {
    let process = ServiceProcess::start(Service::WriteBehind, &[]);
    let mut early = Viewer::connect(&process);
    for _ in 0..3 {
        early.read_until("data: ");
        early.received.clear();
    }
    let mut late = Viewer::connect(&process);
    let text = late.read_until("\r\ndata: ");
    let times: Vec<u64> = text
        .split("\"at_ms\":")
        .skip(1)
        .filter_map(|rest| rest.split_once(','))
        .map(|(at_ms, _)| at_ms.parse().unwrap())
        .collect();
    let past = text.matches("event: past\ndata: ").count();
    assert!(past >= 2, "{text}");
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn viewers_are_limited_and_one_that_leaves_makes_room() {
    let process = ServiceProcess::start(Service::WriteBehind, &[]);
    let client = process.client();
    for _ in 0..ATTEMPTS_MAX {
        // It takes no place, or else all places would be taken after this.
        assert_eq!(
            client
                .request("HEAD", "/dashboard/events", &[], None)
                .status,
            200
        );
    }
    let mut viewers = take_all_places(&process);
    assert!(viewers.len() > 1);
    let refused = client.get("/dashboard/events");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );

    viewers.pop();
    let mut admitted = None;
    wait_until("a place is free", || {
        let mut viewer = Viewer::connect(&process);
        admitted = viewer.is_admitted().then_some(viewer);
        admitted.is_some()
    });
    admitted.unwrap().read_until("data: ");
}

#[test]
fn the_events_are_had_by_get_alone() {
    let process = ServiceProcess::start(Service::WriteThrough, &[]);
    let client = process.client();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = client.request(method, "/dashboard/events", &[], None);
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let head = client.request("HEAD", "/dashboard/events", &[], None);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.body, b"");
}

#[test]
fn a_stop_ends_what_is_watched_at_once_and_cleanly() {
    for service in Service::all() {
        let mut process = ServiceProcess::start(service, &[]);
        let mut viewer = Viewer::connect(&process);
        viewer.read_until("data: ");
        assert_eq!(process.terminate().code(), Some(0), "{}", service.name());
        // The last chunk: the stream was ended, not cut off.
        viewer.read_until("\r\n0\r\n\r\n");
        let logs = process.logs();
        assert!(!logs.contains("did not end in time"), "{logs}");
    }
}

#[test]
fn watching_counts_as_a_request_that_is_answered_at_its_begin() {
    let process = ServiceProcess::start(Service::WriteBehind, &[]);
    let client = process.client();
    let mut viewer = Viewer::connect(&process);
    viewer.read_until("data: ");
    let metrics = client.get("/metrics").text().to_owned();
    let counts = "write_cache_http_request_duration_seconds_count{";
    let mut of_events = metrics.lines().filter(|line| {
        line.starts_with(counts)
            && line.contains("route=\"/dashboard/events\"")
            && line.ends_with(" 1")
    });
    // Counted while it is still open.
    assert!(of_events.next().is_some(), "{metrics}");
    viewer
        .connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    viewer.received.clear();
    viewer.read_until("data: ");
}
