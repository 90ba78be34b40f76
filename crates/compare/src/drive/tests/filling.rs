//! Writing all names before a workload begins.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::model::user::User;
use tokio::sync::watch;

use super::server::{Reaction, Server, success};
use super::{never, target};
use crate::drive::{Driven, fill};
use crate::ledger::{Final, Ledger};
use crate::stop::Stop;
use crate::workload::{Rate, Workload, record};

/// Much longer than any of this takes.
const LONG: Duration = Duration::from_secs(600);

fn user_of(body: &[u8]) -> User {
    serde_json::from_slice(body).unwrap()
}

fn workload(names: u32, connections: usize) -> Workload {
    Workload {
        names,
        connections,
        // What does not concern the filling.
        rate: Rate::PerSecond(1.0),
        reads: 0.9,
        deletes: 0.1,
        ..Workload::default()
    }
}

async fn filled(
    server: &Server,
    workload: &Workload,
    duration: Duration,
    stop: Stop,
) -> (Driven, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::new());
    let target = target(server).await;
    let driven = fill(&target, workload, duration, &ledger, stop).await;
    (driven.unwrap(), ledger)
}

#[tokio::test]
async fn each_name_is_written_once_by_a_request_of_no_workload_and_then_it_ends() {
    let server = Server::start(|asked, _| success(asked, "")).await;
    let began = Instant::now();
    let (driven, ledger) = filled(&server, &workload(200, 3), LONG, never()).await;
    assert!(began.elapsed() < LONG / 2);
    assert!(driven.seconds < 300.0, "{}", driven.seconds);
    assert_eq!((driven.due, driven.succeeded()), (200, 200));
    assert_eq!((driven.unsent, driven.failed()), (0, 0));

    let asked = server.asked();
    assert_eq!(asked.len(), 200);
    let mut writers = BTreeSet::new();
    let mut names = BTreeSet::new();
    for one in &asked {
        assert_eq!(one.line, "POST /write-behind");
        names.insert(user_of(one.body.as_bytes()).name);
        writers.insert(record::writer_of(one.body.as_bytes()).unwrap());
    }
    let expected = (0..200).map(|name| record::name("cmp", name));
    assert_eq!(names, expected.collect());
    // The numbers of a workload begin with 0, and none has a million million requests.
    assert_eq!(writers.len(), 200);
    assert!(*writers.first().unwrap() > 1_000_000_000_000, "{writers:?}");

    // They are in the ledger by those numbers.
    assert_eq!((ledger.acknowledged(), ledger.names().len()), (200, 200));
    let written = |name: u32| {
        let is_of = |body: &[u8]| user_of(body).name == record::name("cmp", name);
        let found = asked.iter().find(|one| is_of(one.body.as_bytes()));
        Some(Final {
            version: Some(1),
            writer: record::writer_of(found?.body.as_bytes()),
        })
    };
    assert_eq!(ledger.check(written).lost, 0);
}

#[tokio::test]
async fn what_is_not_written_after_its_duration_is_not_written() {
    let server = Server::start(slowly).await;
    // One after the other they would take minutes.
    let duration = Duration::from_millis(300);
    let (driven, ledger) = filled(&server, &workload(10_000, 2), duration, never()).await;
    let asked = server.asked().len();
    assert!((1..10_000).contains(&asked), "{asked}");
    assert_eq!(
        (driven.due, driven.succeeded()),
        (asked as u64, asked as u64)
    );
    assert_eq!(ledger.names().len(), asked);
    assert!(driven.seconds >= 0.3, "{}", driven.seconds);
}

#[tokio::test]
async fn nothing_more_is_written_after_a_stop() {
    let server = Server::start(slowly).await;
    let (told, stop) = watch::channel(false);
    let workload = workload(10_000, 2);
    let ending = async {
        while server.asked().len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        told.send_replace(true);
        server.asked().len()
    };
    let ((driven, _), asked) = tokio::join!(filled(&server, &workload, LONG, stop), ending);
    // What was in flight then is waited for, and each connection may just have taken one more.
    assert!(driven.due <= asked as u64 + 2, "{} {asked}", driven.due);
    assert_eq!(driven.succeeded(), driven.due);
}

fn slowly(asked: &super::Asked, _: Duration) -> Reaction {
    match success(asked, "") {
        Reaction::Answer(text, _) => Reaction::Answer(text, Duration::from_millis(50)),
        other => other,
    }
}
