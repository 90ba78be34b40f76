//! Bodies that are too large: the client gets a whole `413`, even though it is answered before the body
//! has been read.

use std::thread;
use std::time::Duration;

use serde_json::json;
use testkit::http::{Response, user_path};
use testkit::wire::{self, Connection};

use crate::api::Api;
use crate::combination::{Turn, own_name};
use crate::problem::Kept;

checks!(sizes:
    a_body_of_10_mb_is_413_for_a_client_that_reads_while_it_writes,
    a_body_of_10_mb_is_413_for_a_client_that_reads_when_it_has_written,
    a_body_of_10_mb_without_a_length_is_413,
    a_body_that_announces_too_much_is_413_before_it_is_sent,
    a_connection_is_not_out_of_step_after_a_body_that_was_not_read,
);

const LARGE_BYTES: usize = 10_000_000;
const CHUNK_BYTES: usize = 8_000;
const JSON: (&str, &str) = ("Content-Type", "application/json");
const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");

/// A record that would be written if only its occupation were shorter.
fn large_record(name: &str) -> Vec<u8> {
    let occupation = "x".repeat(LARGE_BYTES);
    let record = json!({ "age": 1, "occupation": occupation, "name": name });
    record.to_string().into_bytes()
}

/// The three calls that take a body, with this one.
fn requests(api: &Api, name: &str, headers: &[(&str, &str)], body: &[u8]) -> [Vec<u8>; 3] {
    let request = |method, path: &str| wire::request(method, path.as_bytes(), headers, Some(body));
    [
        request("POST", api.service.write_path()),
        request("POST", api.service.read_path()),
        request("PUT", &user_path(name)),
    ]
}

pub(crate) fn a_body_of_10_mb_is_413_for_a_client_that_reads_while_it_writes(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("large"));
    let body = large_record(&kept.name);
    for request in requests(kept.api(), &kept.name, &[JSON], &body) {
        let answer = wire::send(&kept.api().base_url, &request);
        kept.expect_refused("10 MB", &answer, 413, &[]);
    }
}

pub(crate) fn a_body_of_10_mb_is_413_for_a_client_that_reads_when_it_has_written(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("large"));
    let body = large_record(&kept.name);
    for request in requests(kept.api(), &kept.name, &[JSON], &body) {
        let answer = write_then_read(kept.api(), &request);
        kept.expect_refused("10 MB", &answer, 413, &[]);
    }
}

pub(crate) fn a_body_of_10_mb_without_a_length_is_413(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("large"));
    let body = wire::chunked(&large_record(&kept.name), CHUNK_BYTES);
    for request in requests(kept.api(), &kept.name, &[JSON, CHUNKED], &body) {
        let answer = wire::send(&kept.api().base_url, &request);
        kept.expect_refused("10 MB in chunks", &answer, 413, &[]);
        let answer = write_then_read(kept.api(), &request);
        kept.expect_refused("10 MB in chunks", &answer, 413, &[]);
    }
}

fn write_then_read(api: &Api, request: &[u8]) -> Response {
    let mut connection = Connection::open(&api.base_url);
    connection
        .write(request)
        .expect("a server that takes it all");
    connection.read_answer(false).expect("a whole answer")
}

pub(crate) fn a_body_that_announces_too_much_is_413_before_it_is_sent(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("announced"));
    for length in ["10000000", "9223372036854775807"] {
        let headers = [JSON, ("Content-Length", length)];
        let path = turn.service().write_path().as_bytes();
        let head = wire::request("POST", path, &headers, None);
        let mut connection = Connection::open(&kept.api().base_url);
        connection.write(&head).unwrap();
        let answer = connection.read_answer(false).expect("a whole answer");
        kept.expect_refused(length, &answer, 413, &[]);
    }
    // More than 64 bits can hold is no length at all.
    let headers = [JSON, ("Content-Length", "99999999999999999999")];
    let path = turn.service().write_path().as_bytes();
    let answer = wire::send(
        &kept.api().base_url,
        &wire::request("POST", path, &headers, None),
    );
    assert!((400..500).contains(&answer.status));
    kept.assert_unchanged();
}

pub(crate) fn a_connection_is_not_out_of_step_after_a_body_that_was_not_read(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("step"));
    let smuggled = own_name("smuggled");
    // To be read as a body, and not as a request of its own.
    let inner_body = json!({ "age": 1, "occupation": "Smuggler" }).to_string();
    let path = user_path(&smuggled);
    let inner = wire::request("PUT", path.as_bytes(), &[JSON], Some(inner_body.as_bytes()));
    let long_inner = inner.repeat(200_000 / inner.len());
    let write_path = turn.service().write_path();
    let cases = [
        ("415", write_path, vec![], &inner),
        ("415", write_path, vec![], &long_inner),
        ("413", write_path, vec![JSON], &long_inner),
        ("400", write_path, vec![JSON], &inner),
        ("404", "/nowhere", vec![JSON], &inner),
        ("404", "/nowhere", vec![JSON], &long_inner),
        ("405", "/healthz", vec![JSON], &inner),
        ("405", "/healthz", vec![JSON], &long_inner),
    ];
    // At once, since the service waits a while for the rest of a body before it closes.
    thread::scope(|scope| {
        for (status, target, headers, body) in &cases {
            let kept = &kept;
            scope.spawn(move || {
                let target = target.as_bytes();
                let whole = wire::request("POST", target, headers, Some(body));
                expect_in_step(kept, &whole, status);
                let headers = [headers.as_slice(), &[CHUNKED]].concat();
                let body = wire::chunked(body, CHUNK_BYTES);
                let in_chunks = wire::request("POST", target, &headers, Some(&body));
                expect_in_step(kept, &in_chunks, status);
            });
        }
    });
    thread::sleep(Duration::from_millis(50));
    assert_eq!(kept.api().get(&smuggled).status, 404);
}

/// Expects that the request is refused, and the next one on its connection answered as itself or not at all.
fn expect_in_step(kept: &Kept, request: &[u8], status: &str) {
    let mut connection = Connection::open(&kept.api().base_url);
    let answer = connection.exchange(request).expect("a whole answer");
    kept.expect_refused(status, &answer, status.parse().unwrap(), &[]);
    let next = wire::request("GET", b"/healthz", &[], None);
    if connection.write(&next).is_ok()
        && let Ok(answer) = connection.read_answer(false)
    {
        let alive = (200, "{\"status\":\"alive\"}\n");
        assert_eq!((answer.status, answer.text()), alive);
    }
}
