//! A server that was a replica for a while and is the master again, without
//! a restart.

use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lookup};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::model::version::Version;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{LIFETIMES, Process, command};
use crate::suite::{eventually, key, new_identity, put, value, version};

async fn replicate(replica: &OwnServer, master: &OwnServer) {
    let port = master.port().to_string();
    command::<(), _>(replica.url(), &["REPLICAOF", "127.0.0.1", &port]).await;
    eventually("the replica has everything", async || {
        let info: String = command(replica.url(), &["INFO", "replication"]).await;
        info.contains("master_link_status:up")
    })
    .await;
}

/// A server, and its replica that has everything.
async fn primary_and_replica() -> (OwnServer, OwnServer) {
    let start =
        || OwnServer::redis_with(AppendFsync::BySystem, &["--repl-diskless-sync-delay", "0"]);
    let (one, two) = (start(), start());
    replicate(&two, &one).await;
    (one, two)
}

async fn promote(replica: &OwnServer) {
    command::<(), _>(replica.url(), &["REPLICAOF", "NO", "ONE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_it_had_cached_before_is_not_served_again() {
    let (one, two) = primary_and_replica().await;
    let identity = new_identity();
    let before = Process::start(one.url(), &identity).await;
    before.journal.raise(&Version::ZERO).await.unwrap();
    before.append(&[put("a", "old")]).await;
    before.drain().await;
    assert!(matches!(before.get("a").await, Lookup::Hit(_)));
    let words = ["SET", "last", "written"];
    command::<(), _>(one.url(), &words).await;
    eventually("the replica has everything", async || {
        let last: Option<String> = command(two.url(), &["GET", "last"]).await;
        last.is_some()
    })
    .await;

    let read_before = async || before.cache.get(&key("a")).await;
    promote(&two).await;
    replicate(&one, &two).await;
    assert!(!before.cache.health().await.up, "it is a replica");
    let meanwhile = Process::start(two.url(), &identity).await;
    meanwhile.journal.raise(&Version::ZERO).await.unwrap();
    let newer = meanwhile.append(&[put("a", "new")]).await;
    meanwhile.drain().await;
    let waits = meanwhile.append(&[put("b", "waits")]).await;
    command::<(), _>(two.url(), &["DEL", "last"]).await;
    eventually("the replica has everything", async || {
        let last: Option<String> = command(one.url(), &["GET", "last"]).await;
        last.is_none()
    })
    .await;

    // A reader that is still connected to a replica gets nothing that the replica had.
    let held = read_before().await;
    assert!(matches!(held, Err(Error::Unavailable { .. })), "{held:?}");
    promote(&one).await;
    // Reads come before anything else that would notice what was written meanwhile.
    let held = read_before().await;
    assert!(matches!(held, Err(Error::Unseeded(_))), "{held:?}");
    let after = Process::start(one.url(), &identity).await;
    let held = after.cache.get(&key("a")).await;
    assert!(matches!(held, Err(Error::Unseeded(_))), "{held:?}");
    let stored = crate::redis_process::Stored::with(&[("a", newer[0].version)]);
    after.journal.raise(&stored).await.unwrap();
    assert_eq!(after.get("a").await, Lookup::Miss);
    assert_eq!(after.get("b").await, Lookup::Hit(waits[0].clone()));
}

/// The process only reads: neither a write nor a health check finds the replica.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_old_connection_to_a_replica_reads_nothing_old() {
    let (one, two) = primary_and_replica().await;
    let identity = new_identity();
    // As write-through does, which has no journal that watches the server.
    let redis = crate::suite::connect_to(one.url(), &identity).await;
    let old = RedisCache::new(redis, LIFETIMES);
    old.raise(&Version::ZERO).await.unwrap();
    let record = value(&key("a"), version(7), "old");
    old.put_dirty(std::slice::from_ref(&record)).await.unwrap();
    old.mark_clean(&[(key("a"), record.version)]).await.unwrap();
    eventually("the replica has everything", async || {
        let names = crate::redis_process::keys(two.url(), "*:a").await;
        match names.first() {
            Some(name) => {
                let left: i64 = command(two.url(), &["PTTL", name]).await;
                left > 0
            }
            None => false,
        }
    })
    .await;
    assert_eq!(old.get(&key("a")).await.unwrap(), Lookup::Hit(record));

    promote(&two).await;
    replicate(&one, &two).await;
    let redis = crate::suite::connect_to(two.url(), &identity).await;
    let new = RedisCache::new(redis, LIFETIMES);
    new.raise(&Version::ZERO).await.unwrap();
    eventually("the replica has everything", async || {
        let clocks = crate::redis_process::keys(two.url(), "*.clock").await;
        crate::redis_process::keys(one.url(), "*.clock").await == clocks
    })
    .await;
    let held = old.get(&key("a")).await;
    assert!(matches!(held, Err(Error::Unseeded(_))), "{held:?}");
    // Seeding finds that the server is a replica, and opens another connection.
    let raised = old.raise(&Version::ZERO).await;
    assert!(
        matches!(raised, Err(Error::Unavailable { .. })),
        "{raised:?}"
    );
    let held = old.get(&key("a")).await;
    assert!(matches!(held, Err(Error::Unavailable { .. })), "{held:?}");
    assert!(!old.health().await.up);
}
