//! Batches of clients that read or send slowly, and of a million lines.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::parts::{Parts, RunningService};
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::api::Api;
use crate::slow_clients::{at_once, resident_bytes};
use crate::streams::{Batch, put};

/// Far less than the lines and the answers of the batches below.
const GROWTH_BYTES_MAX: u64 = 100 << 20;
/// More than the buffers of both sockets and of the service.
const SENT_BYTES_MAX: usize = 48 << 20;
const LINES: u64 = 1_000_000;

#[test]
#[ignore = "needs servers"]
fn a_million_lines_take_no_memory() {
    // What was written stays in the cache, up to its bound.
    let settings = &[("CACHE_CAPACITY_MB", "10")];
    for (service, parts) in [
        (Service::WriteThrough, Parts::Embedded),
        (Service::WriteBehind, Parts::RedisMariaDb),
    ] {
        let mut running = parts.start_with(service, settings);
        let api = Api::of(&running);
        let before = resident_bytes(running.process());
        let mut stream = Batch::open(&api, "");
        let mut writer = stream.writer();
        let mut grown = 0;
        thread::scope(|scope| {
            scope.spawn(move || {
                for piece in 0..LINES / 1_000 {
                    // Users, among them some of the longest, and lines that are refused.
                    let lines = (0..1_000).map(|number| match number % 10 {
                        0 => put(
                            &format!("{number} {}", "\u{1f600}".repeat(200)),
                            number % 150,
                        ),
                        1 => put(&format!("{number} {piece}"), number % 150),
                        2 => "{}\n".to_owned(),
                        _ => "nonsense\n".to_owned(),
                    });
                    writer.send(lines.collect::<String>());
                }
                writer.finish();
            });
            for number in 1..=LINES {
                let line = stream.next();
                assert_eq!(line["line"], number);
                if number % 10_000 == 0 {
                    grown = grown.max(resident_bytes(running.process()).saturating_sub(before));
                }
            }
        });
        assert_eq!(stream.rest(), Vec::<Value>::new());
        assert!(
            grown < GROWTH_BYTES_MAX,
            "{service:?} on {parts:?}: {grown}"
        );
    }
}

/// Sends lines until the service takes no more, and returns how many bytes it took.
fn fill(stream: &Batch) -> usize {
    let mut socket = stream.socket();
    socket
        .set_write_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let mut sent = 0;
    for number in 0.. {
        let line = put(&format!("{number} {}", "x".repeat(200)), number % 150);
        let chunk = format!("{:x}\r\n{line}\r\n", line.len());
        // What is left of a chunk that was taken in part is of no account.
        match socket.write(chunk.as_bytes()) {
            Ok(length) if length == chunk.len() && sent < SENT_BYTES_MAX => sent += length,
            _ => break,
        }
    }
    sent
}

#[test]
fn a_client_that_reads_nothing_is_not_read_from_and_is_ended() {
    at_once(|service| {
        let mut running: RunningService = Parts::Embedded.start(service);
        let api = Api::of(&running);
        let before = resident_bytes(running.process());
        let stream = Batch::open(&api, "");
        let sent = fill(&stream);
        assert!(sent < SENT_BYTES_MAX, "{sent}");
        let grown = resident_bytes(running.process()).saturating_sub(before);
        assert!(grown < GROWTH_BYTES_MAX, "{grown}");
        api.assert_healthy();
        wait_until("the connection is ended", || {
            let written = stream.socket().write(b"1\r\n\n\r\n");
            let is_blocked = |kind| matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
            written.is_err_and(|error| !is_blocked(error.kind()))
        });
    });
}

#[test]
fn a_client_may_send_some_thousand_lines_before_it_reads() {
    for service in Service::all() {
        let running = Parts::Embedded.start(service);
        let api = Api::of(&running);
        let mut stream = Batch::open(&api, "");
        // As docs/api.md has it, of some of the longest users.
        let long = "\u{1f600}".repeat(240);
        for number in 0..3_000 {
            let name = format!("{number} {long}");
            let user = json!({ "name": name, "age": number % 150, "occupation": long });
            stream.send(format!("{user}\n"));
        }
        stream.finish();
        let answers = stream.rest();
        assert_eq!(answers.len(), 3_000);
        assert!(answers.iter().all(|line| line["status"] == 200));
    }
}

#[test]
fn a_client_that_sends_nothing_for_long_is_ended() {
    at_once(|service| {
        // An idle connection would be closed much sooner.
        let running = Parts::Embedded.start_with(service, &[("KEEP_ALIVE_S", "1")]);
        let api = Api::of(&running);
        let mut stream = Batch::open(&api, "");
        stream.send(put("whole", 1));
        assert_eq!(stream.next()["status"], 200);
        // Longer than a connection without a request is kept.
        thread::sleep(Duration::from_secs(4));
        stream.send(put("later", 1));
        assert_eq!(stream.next()["status"], 200);
        stream.send(&put("half", 1)[..10]);
        stream
            .socket()
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let rest = stream.rest();
        let expected = (&json!(3), &json!(408), &json!("/problems/request-timeout"));
        assert_eq!(rest.len(), 1);
        let last = &rest[0];
        assert_eq!((&last["line"], &last["status"], &last["type"]), expected);
        let mut socket = stream.socket();
        assert_eq!(socket.read(&mut [0; 1]).unwrap_or(0), 0);
        let _ = socket.shutdown(Shutdown::Both);
        assert_eq!(api.must_get("whole")["age"], 1);
        assert_eq!(api.get("half").status, 404);
    });
}
