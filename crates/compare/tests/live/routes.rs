//! What is behind the page.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use test_support::http::Client;

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
fn a_page_of_somebody_else_cannot_pause_the_database() {
    let live = Live::start(&[]);
    let client = Client::new(&live.url);
    // What a form of another page can send without asking.
    let sent = client.request(
        "POST",
        "/database",
        &[("Content-Type", "text/plain")],
        Some(br#"{"paused": true}"#),
    );
    assert_eq!(sent.status, 400, "{}", sent.text());
    let wrong = client.post_json("/database", &json!({"paused": true, "other": 1}));
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    let paused = client.post_json("/database", &json!({"paused": true}));
    assert_eq!(paused.json(), json!({"paused": true}));
    let (status, left) = live.stop();
    assert!(status.success(), "{status}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn everybody_is_told_that_the_database_is_paused_until_the_stream_comes_to_its_own_end() {
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
    // By somebody else.
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
