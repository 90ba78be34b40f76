//! Services that refuse, break or go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::server::{Asked, Reaction, Server, success};
use super::{errors, load, of, patient, workload};
use crate::drive::drive;
use crate::ledger::Ledger;
use crate::workload::Rate;

const RATE: Rate = Rate::PerSecond(300.0);
const SECOND: Duration = Duration::from_secs(1);

fn status(line: &str) -> Reaction {
    let text = format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n");
    Reaction::Answer(text, Duration::ZERO)
}

fn count(server: &Server, method: &str) -> u64 {
    let asked = server.asked();
    asked
        .iter()
        .filter(|one| one.line.starts_with(method))
        .count() as u64
}

#[tokio::test]
async fn failures_are_counted_by_operation_and_by_kind() {
    let server = Server::start(|asked: &Asked, _| match &asked.line[..3] {
        "GET" => status("503 Service Unavailable"),
        "DEL" => Reaction::Close,
        _ => success(asked, ""),
    })
    .await;
    let driven = load(&server, &workload(4, RATE, SECOND), patient()).await;
    let (reads, deletes) = (count(&server, "GET"), count(&server, "DELETE"));
    assert!(deletes > 0 && reads > deletes, "{reads} {deletes}");
    assert_eq!(
        errors(&driven),
        [
            ("503 Service Unavailable", reads),
            ("connection closed", deletes)
        ]
    );
    assert_eq!(of("write", &driven), (count(&server, "POST"), 0));
    assert_eq!(of("read", &driven), (0, reads));
    assert_eq!(of("delete", &driven), (0, deletes));
    let failed: u64 = driven.timeline.iter().map(|slice| slice.failed).sum();
    assert_eq!(failed, reads + deletes);
}

#[tokio::test]
async fn what_is_not_there_is_no_failure_of_a_read_or_a_delete() {
    let server = Server::start(|asked: &Asked, _| match &asked.line[..3] {
        "GET" | "DEL" => status("404 Not Found"),
        _ => status("400 Bad Request"),
    })
    .await;
    let driven = load(&server, &workload(4, RATE, SECOND), patient()).await;
    assert_eq!(of("read", &driven), (count(&server, "GET"), 0));
    assert_eq!(of("delete", &driven), (count(&server, "DELETE"), 0));
    assert_eq!(
        errors(&driven),
        [("400 Bad Request", count(&server, "POST"))]
    );
}

#[tokio::test]
async fn a_service_that_goes_away_is_refused_connections() {
    let asked = Arc::new(AtomicUsize::new(0));
    let gone = Arc::new(tokio::sync::Notify::new());
    let server = Server::start({
        let gone = Arc::clone(&gone);
        move |one: &Asked, _| {
            if asked.fetch_add(1, Relaxed) == 20 {
                gone.notify_one();
            }
            success(one, "")
        }
    })
    .await;
    let workload = workload(4, RATE, SECOND);
    let target = super::target(&server).await;
    let ledger = Arc::new(Ledger::new());
    let going = async {
        gone.notified().await;
        server.stop().await;
    };
    let driving = drive(&target, &workload, &ledger, super::never(), |_| {});
    let (driven, ()) = tokio::join!(driving, going);
    let driven = driven.unwrap();
    assert!(driven.succeeded() >= 20);
    assert_eq!(driven.errors[0].kind, "connection refused");
    // Each of the connections left it alone for a while after each of its failures.
    assert!(driven.failed() < 8 * 50, "{}", driven.failed());
}

#[tokio::test]
async fn a_connection_that_the_service_closes_between_requests_is_no_failure() {
    let server = Server::start(|asked: &Asked, _| success(asked, "Connection: close\r\n")).await;
    let driven = load(&server, &workload(4, RATE, SECOND), patient()).await;
    assert_eq!((driven.due, driven.succeeded()), (300, 300));
}

#[tokio::test]
async fn an_answer_that_is_no_http_or_too_long_is_a_failure() {
    let server = Server::start(|asked: &Asked, _| match &asked.line[..3] {
        "GET" => {
            let length = 64 * 1024 + 1;
            let body = "x".repeat(length);
            let head =
                format!("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {length}\r\n\r\n");
            Reaction::Answer(head + &body, Duration::ZERO)
        }
        "DEL" => Reaction::Answer("SSH-2.0-OpenSSH_9\r\n\r\n".to_owned(), Duration::ZERO),
        _ => success(asked, ""),
    })
    .await;
    let driven = load(&server, &workload(4, RATE, SECOND), patient()).await;
    assert_eq!(
        errors(&driven),
        [
            ("an answer that is too long", count(&server, "GET")),
            ("an answer that is not HTTP", count(&server, "DELETE")),
        ]
    );
}

#[tokio::test]
async fn a_load_does_not_begin_without_all_of_its_connections() {
    let server = Server::start(|asked: &Asked, _| success(asked, "")).await;
    let (address, target) = (server.address, super::target(&server).await);
    server.stop().await;
    let ledger = Arc::new(Ledger::new());
    let workload = workload(4, RATE, SECOND);
    let found = drive(&target, &workload, &ledger, super::never(), |_| {}).await;
    let found = found.unwrap_err().to_string();
    let expected = format!("opening 8 connections to {address}: Connection refused");
    assert!(found.starts_with(&expected), "{found}");
}
