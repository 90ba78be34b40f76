//! A server that admits fewer connections than the pool would like.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::store::mysql::MysqlStore;
use diesel_async::{AsyncConnection, AsyncMysqlConnection};
use testkit::own_servers::OwnServer;
use tokio::task::JoinSet;

use crate::records::operate;
use crate::site::{POOL_MAX, Site};

const EVENTUALLY: Duration = Duration::from_secs(60);

/// What many callers can do often in a test of seconds.
const LIGHT: [&str; 6] = ["load", "versions", "page", "apply", "transact", "hear"];

/// Callers at once, each several times.
async fn all_are_answered(store: &Arc<MysqlStore>) {
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let store = store.clone();
        callers.spawn(async move {
            for round in 0..3 {
                let operation = LIGHT[(caller + round) % LIGHT.len()];
                let number = (1 + round * 64 + caller) as u64;
                operate(&store, operation, number).await.unwrap();
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn calls_wait_where_a_user_may_connect_three_times() {
    let site = Site::shared();
    let store = Arc::new(site.open().await);
    site.limit_connections(3);
    all_are_answered(&store).await;
    // Those that were given back are lent again, and one that ended is replaced.
    site.end_connections();
    all_are_answered(&store).await;
    assert!(site.connections().len() <= 3);
    // The pool grows when it may.
    site.limit_connections(0);
    let deadline = Instant::now() + EVENTUALLY;
    while site.connections().len() < POOL_MAX {
        assert!(Instant::now() < deadline, "the pool does not grow");
        all_are_answered(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_start_and_calls_share_a_single_connection() {
    let site = Site::shared();
    site.limit_connections(1);
    // The one that brought the tables up to date may count for a moment yet.
    let store = Arc::new(site.open().await);
    all_are_answered(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn calls_wait_where_other_programs_have_the_connections() {
    let server = OwnServer::database_with(&["--max-connections=10"]);
    let site = Site::on(server.url());
    let store = Arc::new(site.open().await);
    operate(&store, "load", 1).await.unwrap();
    // All of them; one more is for an administrator.
    let mut others = Vec::new();
    while let Ok(other) = AsyncMysqlConnection::establish(&site.url()).await {
        others.push(other);
        assert!(others.len() < 20, "the server has no limit");
    }
    all_are_answered(&store).await;
}
