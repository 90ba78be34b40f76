//! The server's policy becomes one that may evict what only the journal has,
//! while services run.

use cache_core::cache::{Cache, Lookup};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Key, Record};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{Crashed, Process, Stored, command, keys};
use crate::suite::{append, eventually, key, new_identity, put};

const RAISES_MAX: usize = 1_000;

async fn set(url: &str, name: &str, value: &str) {
    command::<(), _>(url, &["CONFIG", "SET", name, value]).await;
}

/// Removes keys as an eviction does.
async fn remove(url: &str, pattern: &str) {
    for name in keys(url, pattern).await {
        command::<u64, _>(url, &["DEL", &name]).await;
    }
}

async fn is_refused(process: &Process) -> bool {
    match process
        .journal
        .append(&[put("too late", "x")])
        .await
        .remove(0)
    {
        Err(Error::NotAdmitted(reason)) => {
            assert!(reason.contains("allkeys-lru"), "{reason}");
            true
        }
        Ok(Decision::Written(_)) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn appends_are_refused_and_what_waits_is_drained() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    process.append(&[put("Ann", "x"), put("Bob", "y")]).await;
    assert!(process.journal.health().await.up);
    set(url, "maxmemory-policy", "allkeys-lru").await;
    eventually("appends are refused", async || is_refused(process).await).await;
    let health = process.journal.health().await;
    assert!(!health.up, "{health:?}");
    let problem = health.problem.unwrap();
    assert!(
        problem.contains("allkeys-lru") && !problem.contains(url),
        "{problem}"
    );
    process.journal.raise(&Version::ZERO).await.unwrap();
    process.drain().await;
    assert_eq!(process.journal.depth(), 0);
    assert!(matches!(process.get("Ann").await, Lookup::Hit(_)));
    set(url, "maxmemory-policy", "volatile-lru").await;
    eventually("appends go on", async || !is_refused(process).await).await;
    assert!(process.journal.health().await.up);
}

/// With the bodies that the cache has yet.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_evicted_stream_is_restored_from_the_cache() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    let writes: Vec<_> = (0..40)
        .map(|number| put(&format!("user {number}"), "x"))
        .collect();
    // What the database has is not brought back.
    let drained: Vec<_> = (20..60)
        .map(|number| put(&format!("user {number}"), "drained"))
        .collect();
    process.append(&drained).await;
    process.drain().await;
    let mut records = process.append(&writes).await;
    remove(url, "*.journal").await;
    // Nothing that is acknowledged from here on hides the loss.
    let late = process.journal.append(&[put("late", "x")]).await.remove(0);
    assert!(matches!(late, Err(Error::Unseeded(_))), "{late:?}");
    process.journal.raise(&Version::ZERO).await.unwrap();
    records.sort_by_key(|record| record.version);
    assert_eq!(process.all_waiting().await, records);
    assert_eq!(process.journal.lost(), 0);
    process.append(&[put("late", "x")]).await;
    process.drain().await;
    assert_eq!(process.journal.depth(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn every_process_counts_its_own_evicted_writes() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    let other = crashed.another().await;
    let write = |from: usize, to: usize| -> Vec<_> {
        (from..to)
            .map(|number| put(&format!("user {number}"), "x"))
            .collect()
    };
    process.append(&write(0, 40)).await;
    process.drain().await;
    process.append(&write(0, 25)).await;
    // What is known of the streams that are lost.
    for process in [process, &other] {
        process.journal.stats().await.unwrap();
    }
    append(&*other.journal, &write(100, 130)).await;
    remove(url, "*.journal").await;
    remove(url, "*}[^.]*:*").await;
    process.journal.stats().await.unwrap();
    process.journal.raise(&Version::ZERO).await.unwrap();
    assert!(process.journal.lost() >= 25, "{}", process.journal.lost());
    process.append(&write(0, 60)).await;
    other.journal.stats().await.unwrap();
    assert_eq!(other.journal.lost(), 30);
    other.journal.stats().await.unwrap();
    assert_eq!(other.journal.lost(), 30, "once");
}

/// What fills the place of an evicted entry is older than what waits.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_older_value_does_not_outlast_the_drain() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    let record = process.append(&[put("Ann", "new")]).await.remove(0);
    remove(url, "*:Ann").await;
    let old = Record {
        version: Version::new(7).unwrap(),
        ..record.clone()
    };
    process.fill(&old).await;
    assert_eq!(process.get("Ann").await, Lookup::Hit(old));
    process.drain().await;
    assert_eq!(process.get("Ann").await, Lookup::Miss);
}

/// Until it works, as the drainer does: evictions may take a clock that was just raised.
async fn raise(process: &Process, stored: &Stored) {
    for _ in 0..RAISES_MAX {
        match process.journal.raise(stored).await {
            Ok(()) => return,
            Err(Error::Unseeded(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the clocks cannot be raised");
}

async fn drain_as_the_drainer_does(process: &Process, stored: &mut Stored) {
    for shard in (0..process.journal.shards()).map(Shard) {
        loop {
            let waiting = process.journal.read(shard, Version::ZERO, 10_000).await;
            let waiting = match waiting {
                Ok(waiting) => waiting,
                Err(Error::Unseeded(_)) => {
                    raise(process, stored).await;
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let Some(last) = waiting.last() else { break };
            stored.newest = stored.newest.max(last.version);
            let records = waiting.iter();
            stored
                .of
                .extend(records.map(|record| (record.key.clone(), record.version)));
            let flushed: Vec<_> = waiting
                .iter()
                .map(|record| (record.key.clone(), record.version))
                .collect();
            match process
                .journal
                .acknowledge(shard, last.version, &flushed)
                .await
            {
                Ok(()) => {}
                Err(Error::Unseeded(_)) => raise(process, stored).await,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Real evictions, under the load of another program.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn no_older_value_is_read_after_evictions_are_seen() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let process = Process::start(server.url(), &new_identity()).await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    let names: Vec<String> = (0..400).map(|number| format!("user {number}")).collect();
    let body = "x".repeat(1_000);
    let writes: Vec<_> = names.iter().map(|name| put(name, &body)).collect();
    let records = process.append(&writes).await;
    let url = server.url();
    set(url, "maxmemory-policy", "allkeys-random").await;
    let said: String = command(url, &["INFO", "memory"]).await;
    let used = said
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let room = used.unwrap().parse::<u64>().unwrap() - 100_000;
    set(url, "maxmemory", &room.to_string()).await;
    for filler in 0..50 {
        command::<(), _>(url, &["SET", &format!("filler {filler}"), &body]).await;
    }
    let entries = keys(url, "*}[^.]*:*").await.len();
    assert!(entries < names.len(), "nothing was evicted: {entries}");
    assert!(!process.journal.health().await.up);
    // In the last shard that is looked at.
    let unknown = (0..).map(|number| key(&format!("unknown {number}")));
    let in_last = |key: &Key| process.journal.shard_of(key).0 + 1 == process.journal.shards();
    let unknown = unknown.into_iter().find(in_last).unwrap();
    eventually("the evictions are seen", async || {
        let read = process.cache.get(&unknown).await;
        matches!(read, Err(Error::NotAdmitted(_)))
    })
    .await;
    let mut refused = 0;
    for (name, record) in names.iter().zip(&records) {
        match process.cache.get(&key(name)).await {
            Ok(held) => assert_eq!(held, Lookup::Hit(record.clone())),
            // Clocks are evicted, too.
            Err(Error::NotAdmitted(_) | Error::Unseeded(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    let mut stored = Stored::default();
    drain_as_the_drainer_does(&process, &mut stored).await;
    // All but what is counted is in the database.
    let missing = records
        .iter()
        .filter(|record| stored.of.get(&record.key) != Some(&record.version));
    let missing = missing.count() as u64;
    assert!(
        missing <= process.journal.lost(),
        "{missing} {}",
        process.journal.lost()
    );
    eventually("misses are answered again", async || {
        match process.cache.get(&unknown).await {
            Err(Error::Unseeded(_)) => {
                raise(&process, &stored).await;
                false
            }
            read => read.is_ok(),
        }
    })
    .await;
    set(url, "maxmemory", "0").await;
    set(url, "maxmemory-policy", "noeviction").await;
    eventually("appends go on", async || {
        process.journal.append(&[put("Ann", "x")]).await[0].is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn durability_is_that_of_now() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    for (name, value, said) in [
        ("appendfsync", "always", "appendfsync always"),
        ("appendfsync", "everysec", "appendfsync everysec"),
        ("appendonly", "no", "appendonly no"),
    ] {
        set(url, name, value).await;
        let durability = process.journal.health().await.durability.unwrap();
        assert!(durability.contains(said), "{durability}");
    }
}
