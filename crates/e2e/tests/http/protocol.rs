//! What is not HTTP, or ends in the middle: it is refused, writes nothing, and harms no other client.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::json;
use testkit::http::user_path;
use testkit::wire::{self, Connection};

use crate::api::record;
use crate::combination::{Turn, own_name};
use crate::problem::{Kept, assert_nothing_leaks};

checks!(protocol:
    what_is_not_http_is_refused_and_the_service_lives,
    a_head_that_is_too_large_is_refused,
    a_body_that_is_cut_off_writes_nothing,
    a_request_that_can_be_read_in_two_ways_writes_nothing,
    silent_connections_do_not_block_others,
    requests_on_one_connection_are_answered_in_order,
    a_client_that_waits_for_100_continue_gets_it,
    a_refusal_comes_without_100_continue,
);

const JSON: (&str, &str) = ("Content-Type", "application/json");

pub(crate) fn what_is_not_http_is_refused_and_the_service_lives(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("garbage"));
    let path = user_path(&kept.name);
    let requests: Vec<Vec<u8>> = [
        "GARBAGE\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nbad name: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nName : y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nName: a\0b\r\n\r\n",
        "GET /users/\u{1} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\r\n\r\n\r\n\r\n",
        "DELETE ",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into_iter()
    .chain([
        // The start of TLS, every byte, and many of one.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        (0..=255).collect(),
        vec![b'A'; 300_000],
        format!("DELETE {path} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n").into_bytes(),
        format!("DELETE {path} HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n").into_bytes(),
        format!("DELETE {path} HTTP/1.1\r\nHost: x\r\n").into_bytes(),
        format!("DELETE {path} FTP/1.1\r\nHost: x\r\n\r\n").into_bytes(),
    ])
    .collect();
    for request in requests {
        let what = String::from_utf8_lossy(&request[..request.len().min(100)]).into_owned();
        let mut connection = Connection::open(&kept.api().base_url);
        // The server may close before it has read everything, and need not answer what is no request.
        let _ = connection.write(&request);
        connection.finish_writing();
        if let Ok(answer) = connection.read_answer(false) {
            assert!((400..506).contains(&answer.status), "{what}");
            assert_ne!(answer.status, 500, "{what}");
            assert_nothing_leaks(&String::from_utf8_lossy(&answer.body));
        }
        kept.assert_unchanged();
    }
}

pub(crate) fn a_head_that_is_too_large_is_refused(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("head"));
    let long = "x".repeat(300_000);
    let many: Vec<(String, String)> = (0..2_000)
        .map(|number| (format!("X-{number}"), "y".repeat(50)))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let path = format!("/users/{long}");
    for request in [
        wire::request("GET", b"/healthz", &[("X-Long", &long)], None),
        wire::request("GET", b"/healthz", &[(&long, "x")], None),
        wire::request("GET", b"/healthz", &many, None),
        wire::request("GET", path.as_bytes(), &[], None),
        wire::request(&long, b"/healthz", &[], None),
    ] {
        let answer = Connection::open(&kept.api().base_url).exchange(&request);
        if let Ok(answer) = answer {
            assert!(
                matches!(answer.status, 400 | 413 | 414 | 431),
                "{}",
                answer.status
            );
        }
        kept.assert_unchanged();
    }
}

pub(crate) fn a_body_that_is_cut_off_writes_nothing(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("cut"));
    let new = own_name("cut");
    // What arrives is a whole record already; what is missing is white space.
    let body = format!("{}      ", record(&new, 30, "Half"));
    let whole = wire::request("POST", turn.service().write_path().as_bytes(), &[JSON], {
        Some(body.as_bytes())
    });
    let headers = [JSON, ("Transfer-Encoding", "chunked")];
    let in_chunks = wire::chunked(body.as_bytes(), 1000);
    let chunked = wire::request(
        "POST",
        turn.service().write_path().as_bytes(),
        &headers,
        Some(&in_chunks),
    );
    // Without the last byte, without the last chunk's end, and without the last chunk.
    for (request, missing) in [(&whole, 1), (&whole, 4), (&chunked, 1), (&chunked, 5)] {
        for finish_politely in [true, false] {
            let mut connection = Connection::open(&kept.api().base_url);
            connection
                .write(&request[..request.len() - missing])
                .unwrap();
            if finish_politely {
                connection.finish_writing();
                if let Ok(answer) = connection.read_answer(false) {
                    assert!((400..500).contains(&answer.status), "{}", answer.status);
                }
            }
            drop(connection);
            kept.assert_unchanged();
            assert_eq!(kept.api().get(&new).status, 404);
        }
    }
    // The read has filled the cache with what is not there, and nothing comes later.
    thread::sleep(Duration::from_millis(20));
    assert_eq!(kept.api().get(&new).status, 404);
}

pub(crate) fn a_request_that_can_be_read_in_two_ways_writes_nothing(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("two ways"));
    let new = own_name("two ways");
    let body = record(&new, 30, "Smuggler").to_string();
    let length = body.len().to_string();
    let longer = (body.len() + 10).to_string();
    let plus = format!("+{length}");
    let twice = format!("{length}, {length}");
    let (first, second) = (
        ("Content-Length", length.as_str()),
        ("Content-Length", longer.as_str()),
    );
    let chunked = ("Transfer-Encoding", "chunked");
    for headers in [
        vec![JSON, first, second],
        vec![JSON, second, first],
        vec![JSON, first, chunked],
        vec![JSON, chunked, first],
        vec![JSON, ("Content-Length", &plus)],
        vec![JSON, ("Content-Length", &twice)],
        vec![JSON, ("Content-Length", "0x20")],
        vec![JSON, ("Transfer-Encoding", "gzip, chunked, identity")],
        vec![JSON, ("Transfer-Encoding", "xchunked")],
    ] {
        for body in [body.as_bytes(), &wire::chunked(body.as_bytes(), 10)] {
            let path = turn.service().write_path();
            let mut request = wire::request("POST", path.as_bytes(), &headers, None);
            request.extend_from_slice(body);
            let mut connection = Connection::open(&kept.api().base_url);
            let _ = connection.write(&request);
            connection.finish_writing();
            if let Ok(answer) = connection.read_answer(false) {
                assert!((400..502).contains(&answer.status), "{headers:?}");
                assert_ne!(answer.status, 500, "{headers:?}");
            }
            kept.assert_unchanged();
            assert_eq!(kept.api().get(&new).status, 404, "{headers:?}");
        }
    }
}

pub(crate) fn silent_connections_do_not_block_others(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("silent"));
    let address = kept.api().base_url.trim_start_matches("http://");
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut halves = Vec::new();
    let head = wire::request(
        "POST",
        turn.service().write_path().as_bytes(),
        &[JSON],
        Some(b"{}"),
    );
    for _ in 0..50 {
        let mut connection = Connection::open(&kept.api().base_url);
        connection.write(&head[..head.len() - 2]).unwrap();
        halves.push(connection);
    }
    for _ in 0..10 {
        kept.assert_unchanged();
    }
    drop((silent, halves));
    kept.assert_unchanged();
}

pub(crate) fn requests_on_one_connection_are_answered_in_order(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("pipeline");
    let path = user_path(&name);
    let put = |age: u8| {
        let body = json!({ "age": age, "occupation": "Plumber" }).to_string();
        wire::request("PUT", path.as_bytes(), &[JSON], Some(body.as_bytes()))
    };
    let get = wire::request("GET", path.as_bytes(), &[], None);
    let mut pipelined = Vec::new();
    for age in 0..3 {
        pipelined.extend(put(age));
        pipelined.extend_from_slice(&get);
        // One that is refused, and whose body is read.
        pipelined.extend(put(200));
    }
    let mut connection = Connection::open(&api.base_url);
    connection.write(&pipelined).unwrap();
    for age in 0..3 {
        assert_eq!(connection.read_answer(false).unwrap().status, 200);
        let read = connection.read_answer(false).unwrap();
        assert_eq!(read.json(), record(&name, age, "Plumber"));
        assert_eq!(connection.read_answer(false).unwrap().status, 422);
    }
}

pub(crate) fn a_client_that_waits_for_100_continue_gets_it(turn: &Turn) {
    let api = turn.shared();
    let name = own_name("continue");
    let body = record(&name, 30, "Patient").to_string();
    let length = body.len().to_string();
    let headers = [
        JSON,
        ("Expect", "100-continue"),
        ("Content-Length", &length),
    ];
    let path = turn.service().write_path();
    let head = wire::request("POST", path.as_bytes(), &headers, None);
    let mut connection = Connection::open(&api.base_url);
    connection.write(&head).unwrap();
    assert_eq!(connection.read_head().unwrap().0, 100);
    connection.write(body.as_bytes()).unwrap();
    assert_eq!(connection.read_answer(false).unwrap().status, 200);
    assert_eq!(api.must_get(&name), record(&name, 30, "Patient"));
}

pub(crate) fn a_refusal_comes_without_100_continue(turn: &Turn) {
    let kept = Kept::write(turn.shared(), own_name("continue"));
    let write = turn.service().write_path();
    let user = user_path(&kept.name);
    let foreign = ("Origin", "http://evil.example");
    for (method, path, fields, length, status) in [
        ("POST", "/nowhere", &[JSON][..], "10", 404),
        ("POST", "/healthz", &[JSON], "10", 405),
        ("POST", write, &[], "10", 415),
        ("PUT", &user, &[], "10", 415),
        ("POST", write, &[JSON], "10000000", 413),
        ("PUT", &user, &[JSON, foreign], "10", 403),
    ] {
        for framing in [("Content-Length", length), ("Transfer-Encoding", "chunked")] {
            if status == 413 && framing.1 == "chunked" {
                continue;
            }
            let expect = [("Expect", "100-continue"), framing];
            let headers = [fields, &expect].concat();
            let head = wire::request(method, path.as_bytes(), &headers, None);
            let mut connection = Connection::open(&kept.api().base_url);
            connection.write(&head).unwrap();
            let (first, _) = connection.read_head().unwrap();
            assert_eq!(first, status, "{method} {path} {framing:?}");
        }
    }
    // What needs no body is done once.
    let headers = [("Expect", "100-continue"), ("Content-Length", "10")];
    let head = wire::request("DELETE", user.as_bytes(), &headers, None);
    let mut connection = Connection::open(&kept.api().base_url);
    connection.write(&head).unwrap();
    assert_eq!(connection.read_head().unwrap().0, 204);
    let record = record(&kept.name, 41, "Keeper");
    kept.api().must_write(&record);
}
