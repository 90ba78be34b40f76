//! What is behind the page.

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
