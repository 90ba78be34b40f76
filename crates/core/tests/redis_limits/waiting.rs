//! Appends that wait for replicas, and for the disk where the server can.

use std::time::{Duration, Instant};

use cache_core::error::{Error, Part};
use cache_core::journal::Journal;
use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::model::decision::Decision;
use cache_core::model::version::Version;
use cache_core::settings::{self, Command, Service};
use deadpool_redis::redis::Value;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::eviction::open;
use crate::redis_process::{Process, a_name_in_each_shard, command};
use crate::suite::{connect_to, eventually, new_identity, put};
use cache_core::redis::patterns;

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
#[ignore = "needs servers"]
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
    let [of_shards, _] = patterns(&identity);
    for _ in 0..3 {
        for (write, answer) in writes.iter().zip(patient.append(&writes).await) {
            let Ok(Decision::Written(version)) = answer else {
                panic!("{answer:?}")
            };
            // It is there, without further waiting.
            let pattern = format!("{of_shards}}}*:{}", write.key.as_str());
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
            matches!(answers[0], Ok(Decision::Written(_)))
        })
        .await;
    }
    // A process that does not wait for replicas finds that all of them are in the journal.
    let process = Process::start(master.url(), &identity).await;
    assert!(process.all_waiting().await.len() >= 5 * writes.len());
}

/// What is refused for another reason says that reason.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_was_not_appended_is_not_said_to_be_waiting_for_replicas() {
    let master = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let redis = connect_to(master.url(), &new_identity()).await;
    let journal = open(redis, one_replica(TIMEOUT)).await.unwrap();
    let refused = journal.append(&[put("a", "x")]).await.remove(0);
    assert!(matches!(refused, Err(Error::Unseeded(_))), "{refused:?}");
    journal.raise(&Version::ZERO).await.unwrap();
    let delete = cache_core::model::record::Write::delete(crate::suite::key("a"));
    let unknown = journal.append(&[delete]).await.remove(0);
    assert!(matches!(unknown, Ok(Decision::Retry)), "{unknown:?}");
    let alone = journal.append(&[put("a", "x")]).await.remove(0);
    assert!(matches!(alone, Err(Error::Unavailable { .. })), "{alone:?}");
}

/// As a service that is told nothing but to wait for the disk.
fn on_disk() -> WaitFor {
    let arguments = ["write-behind-svc".into()];
    let command = settings::read(Service::WriteBehind, "", "", arguments, |_| None);
    let Ok(Command::Serve(settings)) = command else {
        panic!("{command:?}")
    };
    WaitFor {
        replicas: 0,
        fsync: true,
        timeout_ms: settings.redis_wait_timeout.as_millis() as u64,
    }
}

async fn knows_waitaof(server: &OwnServer) -> bool {
    let words = ["COMMAND", "INFO", "WAITAOF"];
    let known: Vec<Value> = command(server.url(), &words).await;
    known.iter().any(|known| *known != Value::Nil)
}

#[track_caller]
fn assert_refused(opened: Result<RedisStreamJournal, Error>, because: &str) {
    let Err(Error::BadSetting { key, reason }) = opened else {
        panic!("{opened:?}")
    };
    assert_eq!(key, "REDIS_WAIT_FSYNC");
    assert!(reason.contains(because), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn waiting_for_the_disk_is_refused_where_the_server_cannot() {
    for fsync in [AppendFsync::EverySecond, AppendFsync::Always] {
        let server = OwnServer::redis_with(fsync, &[]);
        let redis = connect_to(server.url(), &new_identity()).await;
        let opened = open(redis, on_disk()).await;
        if !knows_waitaof(&server).await {
            assert_refused(opened, "7.2");
            continue;
        }
        let journal = opened.unwrap();
        let health = journal.health().await.durability.unwrap();
        assert!(
            health.contains("every answer waits for the disk"),
            "{health}"
        );
        journal.raise(&Version::ZERO).await.unwrap();
        // Each comes just after the disk was written, which takes the longest to come again.
        for _ in 0..3 {
            let answer = journal.append(&[put("a", "x")]).await.remove(0);
            assert!(matches!(answer, Ok(Decision::Written(_))), "{answer:?}");
        }
    }
}

/// A server that leaves it to its system when something comes to the disk would
/// never answer.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn waiting_for_the_disk_is_refused_where_the_server_does_not_know() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let redis = connect_to(server.url(), &new_identity()).await;
    let opened = open(redis.clone(), on_disk()).await;
    if !knows_waitaof(&server).await {
        assert_refused(opened, "7.2");
        return;
    }
    assert_refused(opened, "appendfsync no");
    // Set up in another way, and back while the journal is in use.
    let set = ["CONFIG", "SET", "appendfsync"];
    let set_to = |value| [&set[..], &[value]].concat();
    command::<(), _>(server.url(), &set_to("always")).await;
    let journal = open(redis, on_disk()).await.unwrap();
    journal.raise(&Version::ZERO).await.unwrap();
    command::<(), _>(server.url(), &set_to("no")).await;
    let is_refused = async || match journal.append(&[put("a", "x")]).await.remove(0) {
        Err(Error::NotAdmitted(reason)) => {
            assert!(reason.contains("appendfsync no"), "{reason}");
            true
        }
        // It may be under way when the server is set up in another way.
        Ok(Decision::Written(_)) | Err(Error::Unavailable { .. }) => false,
        other => panic!("{other:?}"),
    };
    eventually("appends are refused", &is_refused).await;
    assert!(!journal.health().await.up);
    command::<(), _>(server.url(), &set_to("always")).await;
    eventually("appends go on", async || !is_refused().await).await;
}
