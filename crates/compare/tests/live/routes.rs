//! What is behind the page.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use testkit::http::Client;
use testkit::wait::wait_until;

use crate::site::Live;

#[test]
fn a_write_is_passed_on_and_its_answer_back() {
    let live = Live::start(&[]);
    let client = Client::new(&live.url);
    let record = json!({"name": "a", "age": 1, "occupation": "b"});
    for pattern in ["write-through", "write-behind"] {
        let path = format!("/services/{pattern}/write");
        assert_eq!(client.post_json(&path, &record).status, 200);
        let service = Client::new(live.service(pattern));
        assert_eq!(service.get("/users/a").json(), record);
        let wrong = client.post_json(&path, &json!({"name": "a", "age": 500, "occupation": "b"}));
        assert_eq!(wrong.status, 422, "{}", wrong.text());
        assert_eq!(
            wrong.header("Content-Type"),
            Some("application/problem+json")
        );
    }
    let unknown = client.post_json("/services/other/write", &record);
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_page_of_another_site_cannot_pause_the_database() {
    let live = Live::start(&[]);
    let client = Client::new(&live.url);
    // What a form of another page can send without asking.
    let sent = client.request(
        "POST",
        "/database",
        &[("Content-Type", "text/plain")],
        Some(br#"{"paused": true}"#),
    );
    assert_eq!(sent.status, 415, "{}", sent.text());
    let wrong = client.post_json("/database", &json!({"paused": true, "other": 1}));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    let paused = client.post_json("/database", &json!({"paused": true}));
    assert_eq!(paused.json(), json!({"paused": true}));
    let (status, left) = live.stop();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_service_that_is_killed_comes_back_with_what_it_acknowledged() {
    let live = Live::start(&["--rate", "5"]);
    let client = Client::new(&live.url);
    let record = json!({"name": "a", "age": 1, "occupation": "b"});
    let written = client.post_json("/services/write-behind/write", &record);
    assert_eq!(written.status, 200, "{}", written.text());
    let kill = |killed| client.post_json("/services/write-behind/kill", &json!({"killed": killed}));
    assert_eq!(kill(true).status, 200);
    let refused = client.post_json("/services/write-behind/write", &record);
    assert_eq!(refused.status, 502, "{}", refused.text());
    let again = kill(false);
    assert_eq!(again.status, 200, "{}", again.text());
    let service = Client::new(live.service("write-behind"));
    assert_eq!(service.get("/users/a").json(), record);
    // There is no Redis to pause.
    assert_eq!(
        client.post_json("/redis", &json!({"paused": true})).status,
        404
    );
    assert_eq!(kill(true).status, 200);
    let (status, left) = live.stop();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn an_event_stream_reports_the_pause_and_ends_with_the_tool() {
    let live = Live::start(&[]);
    let address = live.url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut read_until = |text: &str| {
        while !String::from_utf8_lossy(&received).contains(text) {
            let mut bytes = [0; 1024];
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&bytes[..count]);
            // One event comes each second.
            assert!(Instant::now() < deadline, "no {text}");
        }
        received.clear();
    };
    read_until(r#""database_paused":false"#);
    // Another client pauses the database.
    let paused = Client::new(&live.url).post_json("/database", &json!({"paused": true}));
    assert_eq!(paused.status, 200, "{}", paused.text());
    read_until(r#""database_paused":true"#);
    let (status, left) = live.stop();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
    stream.read_to_end(&mut received).unwrap();
    // The last chunk; without it the answer was cut off.
    assert!(received.ends_with(b"0\r\n\r\n"));
}

/// The status of a request whose header fields are these, and the answer whole.
fn raw(live: &Live, request: &str, fields: &[&str]) -> (u16, String) {
    let address = live.url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let body = r#"{"name": "a", "age": 1, "occupation": "b"}"#;
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\n{fields}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[test]
fn writes_need_the_origin_and_host_of_the_page_itself() {
    let live = Live::start(&[]);
    let address = live.url.trim_start_matches("http://").trim_end_matches('/');
    let port = address.rsplit(':').next().unwrap();
    let host = &format!("Host: {address}");
    let json = "Content-Type: application/json";
    let write = "POST /services/write-through/write";

    for fields in [
        &[host.as_str(), json][..],
        &[host, "Content-Type: Application/JSON; charset=utf-8"],
        &[host, json, &format!("Origin: http://{address}")],
        &[
            &format!("Host: localhost:{port}"),
            json,
            &format!("Origin: http://localhost:{port}"),
        ],
        &["Host: [::1]:8090", json],
    ] {
        let (status, answer) = raw(&live, write, fields);
        assert_eq!(status, 200, "{fields:?}: {answer}");
    }
    for (fields, refused) in [
        (&[host.as_str()][..], 415),
        (&[host, "Content-Type: text/plain"], 415),
        (
            &[host, "Content-Type: application/x-www-form-urlencoded"],
            415,
        ),
        (&[host, json, json], 415),
        (&[host, json, "Origin: http://evil.example"], 403),
        (&[host, json, "Origin: null"], 403),
        (&[host, json, &format!("Origin: https://{address}")], 403),
        (
            &[host, json, &format!("Origin: http://localhost:{port}")],
            403,
        ),
        (&[&format!("Host: evil.example:{port}"), json], 421),
        (&["Host: localhost.evil.example", json], 421),
        (&["Host: 127.0.0.1.evil.example", json], 421),
    ] {
        for path in [write, "POST /database"] {
            let (status, answer) = raw(&live, path, fields);
            assert_eq!(status, refused, "{path} {fields:?}: {answer}");
        }
    }
    for path in ["GET /", "GET /events"] {
        let (status, answer) = raw(&live, path, &["Host: evil.example"]);
        assert_eq!(status, 421, "{path}: {answer}");
    }
}

#[test]
fn where_one_database_cannot_be_paused_the_other_goes_on() {
    let live = Live::start(&[]);
    // Another connection holds the lock of the second one for longer than the lever
    // waits for it.
    let locked = Connection::open(live.database_of_write_behind()).unwrap();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let client = Client::new(&live.url);
    let paused = client.post_json("/database", &json!({"paused": true}));
    assert_eq!(paused.status, 500, "{}", paused.text());
    let record = json!({"name": "a", "age": 1, "occupation": "b"});
    // Refused at once until a probe has found that the first one is there again.
    wait_until("it is written", || {
        let written = client.post_json("/services/write-through/write", &record);
        written.status == 200
    });
    locked.execute_batch("ROLLBACK").unwrap();
    let paused = client.post_json("/database", &json!({"paused": true}));
    assert_eq!(paused.status, 200, "{}", paused.text());
}
