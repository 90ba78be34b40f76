//! Calls that are dropped midway, as when clients reset their connections.

use cache_core::model::record::{Condition, Write};
use cache_core::store::{Proposal, Purge};
use testkit::wait::WAIT_TIMEOUT;

use super::*;
use crate::members::says;
use crate::suite::put;

const CALLERS: u64 = 6;
const ROUNDS: u64 = 12;
/// The most steps of a future after which it is dropped.
const STEPS_MAX: usize = 40;

/// All calls of the two traits that go to the database.
const CALLS: [&str; 13] = [
    "load",
    "versions",
    "page",
    "newest version",
    "purged through",
    "health",
    "apply",
    "apply many",
    "transact",
    "locks",
    "purge",
    "hear",
    "leave",
];

/// Whatever comes of it.
async fn call(store: &dyn StoreWithMembers, call: &str, number: u64) {
    let name = format!("dropped {}", number % 5);
    let keys = [key(&name), key("kept")];
    match call {
        "load" => drop(store.load(&keys[0]).await),
        "versions" => drop(store.versions(&keys).await),
        "page" => drop(store.page(None, 10).await),
        "newest version" => drop(store.newest_version().await),
        "purged through" => drop(store.purged_through().await),
        "health" => drop(store.health().await),
        "apply" => drop(
            store
                .apply(&[numbered(&name, number)], Origin::Drained)
                .await,
        ),
        "apply many" => {
            let many = (0..1_100).map(|row| numbered(&format!("many {row}"), number));
            let many: Vec<Record> = many.collect();
            drop(store.apply(&many, Origin::Drained).await);
        }
        "transact" => {
            let write = put(&name, "");
            let proposal = Proposal {
                write: Write {
                    body: numbered(&name, number).body,
                    condition: Condition::Always,
                    ..write
                },
                version: None,
                beside: None,
            };
            drop(store.transact(&[proposal], None).await);
        }
        "locks" => drop(store.locks(&keys).await),
        "purge" => {
            let purge = Purge {
                floor: Version::ZERO,
                through: version(1),
                rows_max: 10,
                unless_relied_on_by: None,
            };
            drop(store.purge(purge).await);
        }
        "hear" => drop(store.hear(&says("p", number, false)).await),
        "leave" => drop(store.leave("p").await),
        other => panic!("{other}"),
    }
}

async fn steps(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

async fn dropped_calls_disturb_no_other(implementation: Implementation) {
    let place = implementation.new_database();
    let store = place.open_with_members().await;
    let kept = numbered("kept", 7);
    store
        .apply(std::slice::from_ref(&kept), Origin::Drained)
        .await
        .unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = store.clone();
        callers.spawn(async move {
            for number in caller * ROUNDS..(caller + 1) * ROUNDS {
                // One caller makes the long calls: SQLite has one writer at a time.
                for name in CALLS
                    .iter()
                    .filter(|name| caller == 0 || **name != "apply many")
                {
                    tokio::select! {
                        biased;
                        () = call(&*store, name, number + 8) => {}
                        () = steps(fastrand::usize(..STEPS_MAX)) => {}
                    }
                }
            }
        });
    }
    let mut number = 0;
    while !callers.is_empty() {
        number += 1;
        let other = async {
            assert_eq!(store.load(&kept.key).await.unwrap(), Some(kept.clone()));
            store.page(None, 3).await.unwrap();
            store
                .versions(std::slice::from_ref(&kept.key))
                .await
                .unwrap();
            assert!(store.newest_version().await.unwrap() >= kept.version);
            let written = numbered("written", number);
            store
                .apply(std::slice::from_ref(&written), Origin::Drained)
                .await
                .unwrap();
            assert_eq!(store.load(&written.key).await.unwrap(), Some(written));
        };
        tokio::time::timeout(WAIT_TIMEOUT, other).await.unwrap();
        while let Some(ended) = callers.try_join_next() {
            ended.unwrap();
        }
    }
    let health = store.health().await;
    assert!(health.up, "{health:?}");
}

on_every_store!([dropped_calls_disturb_no_other,]);
