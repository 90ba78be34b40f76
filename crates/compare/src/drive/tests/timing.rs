//! What is late, what is never sent, and what ends early.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::server::{Reaction, Server, success};
use super::{errors, load, patient, target, workload};
use crate::drive::{Limits, drive, drive_within};
use crate::ledger::Ledger;
use crate::workload::Rate;

const STALL: Duration = Duration::from_millis(500);

/// Does nothing for half a second, a while after the first request.
async fn stalling() -> Server {
    let begin = Duration::from_millis(300);
    Server::start(move |asked, since_first| {
        let answer = success(asked, "");
        let during = since_first >= begin && since_first < begin + STALL;
        match answer {
            Reaction::Answer(text, _) if during => {
                Reaction::Answer(text, begin + STALL - since_first)
            }
            answer => answer,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_makes_late_all_that_was_due_in_it_and_not_only_what_was_in_flight() {
    let connections = 4;
    let workload = workload(
        connections,
        Rate::PerSecond(1_000.0),
        Duration::from_secs(2),
    );
    let driven = load(&stalling().await, &workload, patient()).await;

    let latency = driven.latency;
    assert!(
        latency.p99_ms >= 400.0 && latency.max_ms >= 400.0,
        "{latency:?}"
    );
    // What was due in its first 400 ms, a fifth of all, waited for more than the other 100.
    assert!(latency.p90_ms >= 100.0, "{latency:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_rate_latency_is_counted_from_sending() {
    let connections = 4;
    let workload = workload(connections, Rate::Saturation, Duration::from_secs(2));
    let driven = load(&stalling().await, &workload, patient()).await;
    // One for each connection is late, of thousands.
    assert!(driven.latency.max_ms >= 400.0, "{:?}", driven.latency);
    assert!(driven.latency.p90_ms < 400.0, "{:?}", driven.latency);
}

#[tokio::test]
async fn what_is_due_and_never_sent_is_counted_with_how_long_it_waited() {
    let server = Server::start(|_, _| Reaction::Silence).await;
    let limits = Limits {
        answer: Duration::from_secs(1),
        ..Limits::default()
    };
    let workload = workload(2, Rate::PerSecond(100.0), Duration::from_millis(1_500));
    let driven = load(&server, &workload, limits).await;
    assert_eq!((driven.due, driven.succeeded()), (150, 0));
    // Each connection has time for two, of reads and of all else.
    assert!(driven.unsent >= 142, "{}", driven.unsent);
    // Requests that hang are none that were answered, and all of them were due.
    assert!(
        driven
            .timeline
            .iter()
            .all(|slice| slice.in_time == 0 && slice.due > 0)
    );
    assert_eq!(errors(&driven), [("no answer in 1 s", driven.failed())]);
    // Half of all waited for more than half of the time, or rather a little less than that.
    assert!(driven.latency.p50_ms >= 650.0, "{:?}", driven.latency);
    assert!(driven.latency.max_ms < 10_000.0);
}

#[tokio::test]
async fn reads_do_not_wait_in_the_tool_for_changes_that_hang() {
    let server = Server::start(|asked, _| match asked.line.starts_with("GET") {
        true => success(asked, ""),
        false => Reaction::Silence,
    })
    .await;
    let limits = Limits {
        answer: Duration::from_secs(1),
        ..patient()
    };
    let workload = workload(2, Rate::PerSecond(200.0), Duration::from_secs(1));
    let target = target(&server).await;
    let ledger = Arc::new(Ledger::new());
    let stop = super::never();
    let driven = drive_within(
        Limits {
            last_taken: Duration::from_millis(10),
            ..limits
        },
        &target,
        &workload,
        &ledger,
        stop,
        |_| {},
    );
    let driven = driven.await.unwrap();
    let reads = driven
        .operations
        .iter()
        .find(|one| one.operation == "read")
        .unwrap();
    // Every one was sent and answered, while writes held every connection of their own.
    assert_eq!(reads.latency.count, reads.succeeded);
    assert!(reads.succeeded > 40, "{reads:?}");
    assert_eq!(super::of("write", &driven).0, 0);
}

#[tokio::test]
async fn a_load_that_is_stopped_has_the_figures_until_then() {
    let server = Server::start(|asked, _| success(asked, "")).await;
    let workload = workload(4, Rate::PerSecond(500.0), Duration::from_secs(600));
    let ledger = Arc::new(Ledger::new());
    let (stop, stopped) = watch::channel(false);
    let target = target(&server).await;
    let stopping = async {
        while server.asked().len() < 101 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.send(true).unwrap();
    };
    let driving = drive(&target, &workload, &ledger, stopped, |_| {});
    let (driven, ()) = tokio::join!(driving, stopping);
    let driven = driven.unwrap();
    assert!(driven.succeeded() >= 100);
    assert!(driven.seconds < 300.0, "{}", driven.seconds);
    assert!(driven.due < 150_000, "{}", driven.due);
    assert_eq!(driven.failed(), 0);
    assert_eq!(driven.succeeded() + driven.unsent, driven.due);
}

#[tokio::test]
async fn a_load_that_is_stopped_does_not_wait_long_for_a_service_that_says_nothing() {
    let server = Server::start(|_, _| Reaction::Silence).await;
    let workload = workload(4, Rate::Saturation, Duration::from_secs(600));
    let ledger = Arc::new(Ledger::new());
    let (stop, stopped) = watch::channel(false);
    let target = target(&server).await;
    let limits = Limits {
        // So long that this test would not end by it.
        answer: Duration::from_secs(600),
        ..Limits::default()
    };
    let stopping = async {
        while server.asked().len() < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.send(true).unwrap();
    };
    let driving = drive_within(limits, &target, &workload, &ledger, stopped, |_| {});
    let (driven, ()) = tokio::join!(driving, stopping);
    let kind = "no answer when the comparison was stopped";
    assert_eq!(errors(&driven.unwrap()), [(kind, 4)]);
}
