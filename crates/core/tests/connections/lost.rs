//! Connections that end while they lie in the pool.

use std::sync::Arc;
use std::time::Duration;

use cache_core::bypass::protocol::Membership;
use cache_core::store::Store;
use cache_core::store::mysql::MysqlStore;
use testkit::proxy::ChaosProxy;
use tokio::task::JoinSet;

use crate::records::{OPERATIONS, calls, operate, user};
use crate::site::{POOL_MAX, Site, open_at};

/// Longer than an idle connection is trusted.
const IDLE: Duration = Duration::from_secs(6);

/// So many idle connections as the pool has.
async fn fill(site: &Site, store: &Arc<MysqlStore>) {
    let mut loads = JoinSet::new();
    while site.connections().len() < POOL_MAX {
        for _ in 0..POOL_MAX * 4 {
            loads.spawn(operate(store, "load", 1));
        }
        while let Some(load) = loads.join_next().await {
            load.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn no_operation_meets_a_connection_that_has_ended() {
    let site = Site::shared();
    let store = Arc::new(site.open().await);
    for round in 1..=8 {
        for operation in OPERATIONS {
            operate(&store, "load", round).await.unwrap();
            site.end_connections();
            let done = operate(&store, operation, round).await;
            done.unwrap_or_else(|error| panic!("{operation} in round {round}: {error}"));
        }
    }
    store.leave("p").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn no_caller_meets_a_connection_that_has_ended() {
    let site = Site::shared();
    let store = Arc::new(site.open().await);
    for round in 1..=4 {
        fill(&site, &store).await;
        site.end_connections();
        let mut callers = JoinSet::new();
        for caller in 0..POOL_MAX * 2 {
            let operation = calls()[caller % calls().len()];
            callers.spawn(operate(&store, operation, round * 100 + caller as u64));
        }
        while let Some(caller) = callers.join_next().await {
            caller.unwrap().unwrap();
        }
    }
}

/// As a firewall does after a pause: neither side notices.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn no_caller_meets_a_connection_that_a_firewall_forgot() {
    let site = Site::shared();
    let proxy = ChaosProxy::before(&site.url());
    let store = Arc::new(open_at(&proxy.url(&site.url())).await.unwrap());
    fill(&site, &store).await;
    proxy.forget();
    tokio::time::sleep(IDLE).await;
    let mut callers = JoinSet::new();
    for operation in calls() {
        callers.spawn(operate(&store, operation, 2));
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap().unwrap();
    }
    let written = store.load(&user("a", 2).key).await.unwrap();
    assert_eq!(written, Some(user("a", 2)));
}
