//! The server closes idle connections.

use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lookup};
use cache_core::journal::Journal;
use cache_core::lease::redis::RedisLeases;
use cache_core::lease::{LeaseCall, Leases};
use cache_core::model::version::Version;
use cache_core::redis::Redis;
use std::time::Duration;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{LIFETIMES, Process, command};
use crate::suite::{connect_to, eventually, key, new_identity, put, version};

const ROUNDS: usize = 8;

async fn start() -> (OwnServer, Process) {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let process = Process::start(server.url(), &new_identity()).await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    (server, process)
}

async fn noticed(redis: &Redis) {
    eventually("the end of the connection is noticed", async || {
        !redis.is_connected()
    })
    .await;
}

/// Not even what must not be repeated meets the end of a connection.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn appends_and_reads_go_on_after_their_connections_are_killed() {
    let (server, process) = start().await;
    for round in 0..ROUNDS {
        let name = format!("user {round}");
        command::<u64, _>(server.url(), &["CLIENT", "KILL", "TYPE", "normal"]).await;
        noticed(&process.redis).await;
        let record = process.append(&[put(&name, "x")]).await.remove(0);
        assert_eq!(process.get(&name).await, Lookup::Hit(record));
    }
    assert_eq!(process.all_waiting().await.len(), ROUNDS);
}

/// Without a journal: that looks at the server more often than this closes connections.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn commands_go_on_after_the_server_closes_idle_connections() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let redis = connect_to(server.url(), &new_identity()).await;
    let cache = RedisCache::new(redis.clone(), LIFETIMES);
    cache.raise(&Version::ZERO).await.unwrap();
    command::<(), _>(server.url(), &["CONFIG", "SET", "timeout", "1"]).await;
    noticed(&redis).await;
    cache.begin_write(&[key("Ann")]).await.unwrap();
    noticed(&redis).await;
    cache
        .settle(&[put("Bob", "x").at(version(1))])
        .await
        .unwrap();
    noticed(&redis).await;
    assert!(cache.health().await.up);
}

/// Notifications of other processes arrive over a connection of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn subscriptions_are_renewed_after_their_connection_is_killed() {
    let (server, process) = start().await;
    let lifetime = Duration::from_secs(60);
    let leases = RedisLeases::new(process.redis.clone(), "one".to_owned(), lifetime);
    assert_eq!(
        leases.called().await,
        LeaseCall::Everything,
        "it listens now"
    );
    command::<u64, _>(server.url(), &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(leases.called().await, LeaseCall::Everything, "it has ended");
    assert_eq!(
        leases.called().await,
        LeaseCall::Everything,
        "it listens again"
    );
    let other = RedisLeases::new(process.redis.clone(), "two".to_owned(), lifetime);
    leases.renew().await.unwrap();
    other.renew().await.unwrap();
    assert_eq!(leases.called().await, LeaseCall::Leases);
}
