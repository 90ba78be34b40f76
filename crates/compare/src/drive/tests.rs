//! Loads against small servers of all kinds.

mod failing;
mod filling;
mod server;
mod timing;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use url::Url;

use super::{Driven, Limits, Target, drive_within};
use crate::ledger::Ledger;
use crate::pattern::Pattern;
use crate::stop::Stop;
use crate::workload::{Rate, Workload};
use server::{Asked, Reaction, Server, success};

fn workload(connections: usize, rate: Rate, duration: Duration) -> Workload {
    Workload {
        connections,
        rate,
        duration,
        reads: 0.3,
        deletes: 0.2,
        ..Workload::default()
    }
}

async fn target(server: &Server) -> Target {
    let url = Url::parse(&format!("http://{}", server.address)).unwrap();
    Target::find(Pattern::WriteBehind, &url, "cmp")
        .await
        .unwrap()
}

/// So that no hiccup of the machine leaves something unsent.
fn patient() -> Limits {
    Limits {
        last_taken: Duration::from_secs(20),
        ..Limits::default()
    }
}

fn never() -> Stop {
    watch::channel(false).1
}

/// The driver and the server share a thread, unless the test has more.
async fn load(server: &Server, workload: &Workload, limits: Limits) -> Driven {
    let ledger = Arc::new(Ledger::new());
    let target = target(server).await;
    let driven = drive_within(limits, &target, workload, &ledger, never(), |_| {})
        .await
        .unwrap();
    assert_eq!(
        driven.succeeded() + driven.failed() + driven.unsent,
        driven.due
    );
    let failed = driven.failed_latency.map_or(0, |latency| latency.count);
    assert_eq!(failed, driven.failed());
    assert_eq!(driven.latency.count + failed, driven.due);
    let due: u64 = driven.timeline.iter().map(|slice| slice.due).sum();
    assert_eq!(due, driven.due);
    driven
}

fn errors(driven: &Driven) -> Vec<(&str, u64)> {
    let errors = driven.errors.iter();
    errors
        .map(|error| (error.kind.as_str(), error.count))
        .collect()
}

fn of(operation: &str, driven: &Driven) -> (u64, u64) {
    let mut operations = driven.operations.iter();
    let report = operations.find(|one| one.operation == operation).unwrap();
    (report.succeeded, report.failed)
}

#[tokio::test]
async fn every_request_that_is_due_is_sent_once_and_every_service_is_asked_the_same() {
    let workload = workload(8, Rate::PerSecond(500.0), Duration::from_secs(1));
    let mut all = Vec::new();
    for _ in 0..2 {
        let server = Server::start(|asked, _| success(asked, "")).await;
        let driven = load(&server, &workload, patient()).await;
        assert_eq!((driven.due, driven.succeeded()), (500, 500));
        assert_eq!(driven.seconds, 1.0);
        assert!(driven.errors.is_empty());
        // Reads and changes have connections of their own, so they overtake each other.
        let mut asked = server.asked();
        asked.sort();
        all.push(asked);
    }
    assert_eq!(all[0].len(), 500);
    assert_eq!(all[0], all[1]);
    let count = |begin: &str| {
        all[0]
            .iter()
            .filter(|one| one.line.starts_with(begin))
            .count()
    };
    assert!(count("POST /write-behind") > 0);
    let bodies: HashSet<&str> = all[0].iter().map(|one| one.body.as_str()).collect();
    // No two writes are the same, and what has no body is no write.
    assert_eq!(bodies.len(), count("POST /write-behind") + 1);
    assert_eq!(
        count("POST /write-behind") + count("GET /users/cmp-") + count("DELETE /users/cmp-"),
        500
    );
}

#[tokio::test]
async fn without_a_rate_each_connection_sends_as_fast_as_it_is_answered() {
    let workload = workload(3, Rate::Saturation, Duration::from_secs(1));
    let server = Server::start(|asked, _| success(asked, "")).await;
    let driven = load(&server, &workload, patient()).await;
    // Hundreds a second would be little, but this is not about how fast it is.
    assert!(driven.succeeded() > 3, "{}", driven.succeeded());
    assert_eq!((driven.unsent, driven.failed()), (0, 0));
    assert_eq!(server.asked().len() as u64, driven.due);
}

#[tokio::test]
async fn where_reads_were_answered_from_is_counted() {
    let server = Server::start(|asked, _| {
        let number: u32 = asked.line.rsplit('-').next().unwrap().parse().unwrap_or(0);
        let status = match number % 3 {
            0 => "Cache-Status: write-behind; hit\r\n",
            1 => "Cache-Status: write-behind; fwd=miss; stored\r\n",
            _ => "Cache-Status: write-behind; fwd=bypass; detail=in-doubt\r\n",
        };
        success(asked, status)
    })
    .await;
    let workload = workload(2, Rate::PerSecond(300.0), Duration::from_secs(1));
    let driven = load(&server, &workload, patient()).await;
    let reads = |rest| {
        let is_one = |asked: &&Asked| {
            let number = asked.line.strip_prefix("GET /users/cmp-");
            number.is_some_and(|number| number.parse::<u32>().unwrap() % 3 == rest)
        };
        server.asked().iter().filter(is_one).count() as u64
    };
    assert!(reads(0) > 0 && reads(1) > 0 && reads(2) > 0);
    assert_eq!(driven.cache.hits, reads(0));
    assert_eq!(driven.cache.misses, reads(1));
    assert_eq!(driven.cache.bypasses, reads(2));
}

#[tokio::test]
async fn what_cannot_be_a_target_is_refused_with_a_sentence() {
    let find = async |url: &str, prefix: &str| {
        let url = Url::parse(url).unwrap();
        let found = Target::find(Pattern::WriteThrough, &url, prefix).await;
        found.unwrap_err().to_string()
    };
    let tls = find("https://localhost:1", "cmp").await;
    assert!(tls.contains("must be http://HOST:PORT"), "{tls}");
    for prefix in ["", "a/b", "é", &"a".repeat(201)] {
        let found = find("http://127.0.0.1:1", prefix).await;
        assert!(found.contains("prefix of names"), "{found}");
    }
    let server = Server::start(|_, _| Reaction::Silence).await;
    let address = server.address;
    server.stop().await;
    let gone = find(&format!("http://{address}"), "cmp").await;
    assert!(
        gone.starts_with(&format!("connecting to {address}: ")),
        "{gone}"
    );
}
