//! What is late, what is never sent, and what ends early.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::server::{Reaction, Server, success};
use super::{errors, load, patient, target, workload};
use crate::drive::limits::Limits;
use crate::drive::{Meter, drive, drive_within};
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

    let latency = driven.latency();
    assert!(
        latency.p99_ms >= 400.0 && latency.max_ms >= 400.0,
        "{latency:?}"
    );
    // What was due in its first 400 ms waited for more than the other 100.
    let late = driven.latency_us.len() - driven.latency_us.count_between(0, 100_000);
    assert!(late >= 350, "{late}");
    // And it is seen where it was.
    let worst = |from: f64, until: f64| {
        let slices = driven.slices.iter();
        slices
            .filter(|slice| slice.at_s >= from && slice.at_s < until)
            .filter_map(|slice| slice.max_ms)
            .fold(0.0, f64::max)
    };
    assert!(worst(0.75, 2.0) >= 400.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_rate_latency_is_counted_from_sending() {
    let connections = 4;
    let workload = workload(connections, Rate::Saturation, Duration::from_secs(2));
    let driven = load(&stalling().await, &workload, patient()).await;
    let most = driven.latency_us.count_between(400_000, 600_000_000);
    // One for each connection, and some room for a machine that has a stall of its own.
    assert!((1..=5 * connections as u64).contains(&most), "{most}");
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
    // Each connection has time for two.
    assert!(driven.unsent >= 146, "{}", driven.unsent);
    assert_eq!(errors(&driven), [("no answer in 1 s", driven.failed())]);
    // Half of all waited for more than half of the time, or rather a little less than that.
    assert!(driven.latency().p50_ms >= 650.0, "{:?}", driven.latency());
    assert!(driven.latency().max_ms < 10_000.0);
}

#[tokio::test]
async fn a_load_that_is_stopped_has_the_figures_until_then() {
    let server = Server::start(|asked, _| success(asked, "")).await;
    let workload = workload(4, Rate::PerSecond(500.0), Duration::from_secs(600));
    let (ledger, meter) = (Arc::new(Ledger::new()), Arc::new(Meter::default()));
    let (stop, stopped) = watch::channel(false);
    let target = target(&server).await;
    let stopping = async {
        while meter.read().succeeded < 100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.send(true).unwrap();
    };
    let driving = drive(&target, &workload, &ledger, &meter, stopped);
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
    let (ledger, meter) = (Arc::new(Ledger::new()), Arc::new(Meter::default()));
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
    let driving = drive_within(limits, &target, &workload, &ledger, &meter, stopped, |_| {});
    let (driven, ()) = tokio::join!(driving, stopping);
    let kind = "no answer when the comparison was stopped";
    assert_eq!(errors(&driven.unwrap()), [(kind, 4)]);
}
