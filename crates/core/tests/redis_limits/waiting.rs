//! Appends that wait for replicas, and for the disk where the server can.

use std::time::{Duration, Instant};

use cache_core::error::{Error, Part};
use cache_core::journal::redis_stream::WaitFor;
use cache_core::journal::{Appended, Journal};
use cache_core::version::Version;
use deadpool_redis::redis::Value;
use test_support::own_servers::{AppendFsync, OwnServer};

use crate::eviction::open;
use crate::redis_process::{Process, a_name_in_each_shard, command};
use crate::suite::{connect_to, eventually, new_identity, put};

const TIMEOUT: Duration = Duration::from_millis(300);
/// Longer than a replica that answers takes.
const PATIENT: Duration = Duration::from_secs(8);
/// What a busy machine may take longer.
const SLACK: Duration = Duration::from_secs(5);

fn one_replica(timeout: Duration) -> WaitFor {
    WaitFor {
        replicas: 1,
        fsync: false,
        timeout_ms: timeout.as_millis() as u64,
    }
}

async fn until_replicas_are(master: &OwnServer, count: usize) {
    eventually("as many replicas are online", async || {
        let info: String = command(master.url(), &["INFO", "replication"]).await;
        info.matches("state=online").count() == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_acknowledged_only_when_a_replica_has_it() {
    let master = OwnServer::redis_with(AppendFsync::BySystem, &["--repl-diskless-sync-delay", "0"]);
    let port = master.port().to_string();
    let mut replica =
        OwnServer::redis_with(AppendFsync::BySystem, &["--replicaof", "127.0.0.1", &port]);
    until_replicas_are(&master, 1).await;
    let identity = new_identity();
    let redis = connect_to(master.url(), &identity).await;
    let patient = open(redis.clone(), one_replica(PATIENT)).await.unwrap();
    let journal = open(redis, one_replica(TIMEOUT)).await.unwrap();
    let health = journal.health().await.durability.unwrap();
    assert!(health.contains("1 replicas, 1 waited for"), "{health}");
    journal.raise(&Version::ZERO).await.unwrap();
    let names = a_name_in_each_shard(&journal);
    let writes: Vec<_> = names.iter().map(|name| put(name, "x")).collect();
    for _ in 0..3 {
        for (write, answer) in writes.iter().zip(patient.append(&writes).await) {
            let Ok(Appended::At(version)) = answer else {
                panic!("{answer:?}")
            };
            // It is there, without further waiting.
            let pattern = format!("wc:{{{identity}:*}}:*:user:{}", write.key.as_str());
            let entries = crate::redis_process::keys(replica.url(), &pattern).await;
            let entry: Vec<u8> = command(replica.url(), &["GET", &entries[0]]).await;
            assert!(entry.starts_with(format!("{:016}", version.get()).as_bytes()));
        }
    }

    // One that does not answer, and one that is gone.
    for gone in [false, true] {
        if gone {
            replica.kill_9();
            until_replicas_are(&master, 0).await;
        } else {
            replica.pause();
        }
        let asked = Instant::now();
        for answer in journal.append(&writes).await {
            let unavailable = matches!(
                answer,
                Err(Error::Unavailable {
                    part: Part::Journal,
                    ..
                })
            );
            assert!(unavailable, "{answer:?}");
        }
        let took = asked.elapsed();
        assert!(
            took + Duration::from_millis(5) >= TIMEOUT && took < TIMEOUT + SLACK,
            "{took:?}"
        );
        if gone {
            replica.restart();
            until_replicas_are(&master, 1).await;
        } else {
            replica.resume();
        }
        eventually("it is acknowledged again", async || {
            let answers = patient.append(&writes[..1]).await;
            matches!(answers[0], Ok(Appended::At(_)))
        })
        .await;
    }
    // Whoever does not wait finds that all of them are in the journal.
    let process = Process::start(master.url(), &identity).await;
    assert!(process.all_waiting().await.len() >= 5 * writes.len());
}

/// What is refused for another reason says that reason.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_appended_is_not_said_to_be_waiting_for_replicas() {
    let master = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let redis = connect_to(master.url(), &new_identity()).await;
    let journal = open(redis, one_replica(TIMEOUT)).await.unwrap();
    let refused = journal.append(&[put("a", "x")]).await.remove(0);
    assert!(matches!(refused, Err(Error::Unseeded(_))), "{refused:?}");
    journal.raise(&Version::ZERO).await.unwrap();
    let delete = cache_core::record::Write::delete(crate::suite::key("a"));
    let unknown = journal.append(&[delete]).await.remove(0);
    assert!(matches!(unknown, Ok(Appended::Unknown)), "{unknown:?}");
    let alone = journal.append(&[put("a", "x")]).await.remove(0);
    assert!(matches!(alone, Err(Error::Unavailable { .. })), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_the_disk_is_refused_where_the_server_cannot() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let words = ["COMMAND", "INFO", "WAITAOF"];
    let known: Vec<Value> = command(server.url(), &words).await;
    let can = known.iter().any(|known| *known != Value::Nil);
    let redis = connect_to(server.url(), &new_identity()).await;
    let wait_for = WaitFor {
        replicas: 0,
        fsync: true,
        timeout_ms: 10_000,
    };
    match open(redis, wait_for).await {
        Ok(journal) => {
            assert!(can);
            journal.raise(&Version::ZERO).await.unwrap();
            let answer = journal.append(&[put("a", "x")]).await.remove(0);
            assert!(matches!(answer, Ok(Appended::At(_))), "{answer:?}");
        }
        Err(Error::BadSetting { key, reason }) => {
            assert!(!can);
            assert_eq!(key, "REDIS_WAIT_FSYNC");
            assert!(reason.contains("7.2"), "{reason}");
        }
        Err(other) => panic!("{other:?}"),
    }
}
