//! A server that was a replica for a while and is the master again, without
//! having been started anew.

use cache_core::cache::Lookup;
use cache_core::journal::Journal;
use cache_core::version::Version;
use test_support::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{Process, command};
use crate::suite::{eventually, new_identity, put};

async fn replicate(replica: &OwnServer, master: &OwnServer) {
    let port = master.port().to_string();
    command::<(), _>(replica.url(), &["REPLICAOF", "127.0.0.1", &port]).await;
    eventually("the replica has everything", async || {
        let info: String = command(replica.url(), &["INFO", "replication"]).await;
        info.contains("master_link_status:up")
    })
    .await;
}

async fn promote(replica: &OwnServer) {
    command::<(), _>(replica.url(), &["REPLICAOF", "NO", "ONE"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_had_cached_before_is_not_served_again() {
    let options = ["--repl-diskless-sync-delay", "0"];
    let (one, two) = (
        OwnServer::redis_with(AppendFsync::BySystem, &options),
        OwnServer::redis_with(AppendFsync::BySystem, &options),
    );
    replicate(&two, &one).await;
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

    promote(&two).await;
    replicate(&one, &two).await;
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

    promote(&one).await;
    let after = Process::start(one.url(), &identity).await;
    let stored = crate::redis_process::Stored::with(&[("a", newer[0].version)]);
    after.journal.raise(&stored).await.unwrap();
    assert_eq!(after.get("a").await, Lookup::Miss);
    assert_eq!(after.get("b").await, Lookup::Hit(waits[0].clone()));
}
