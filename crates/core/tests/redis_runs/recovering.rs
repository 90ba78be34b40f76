//! While a server is being brought back: others do the same, and are faster.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cache_core::cache::{Cache, Lookup};
use cache_core::error::{Error, Part, Result};
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::record::{Key, Record};
use cache_core::model::stored_versions::StoredVersions;
use cache_core::model::version::Version;
use tokio::sync::Semaphore;

use crate::redis_process::{Crashed, LIFETIMES, Process, Stored};
use crate::suite::{eventually, key, put};

/// A database that becomes unavailable when it is asked about keys for the n-th
/// time.
pub(crate) struct FailsAt {
    nth: usize,
    asked: AtomicUsize,
}

impl FailsAt {
    pub(crate) fn the(nth: usize) -> FailsAt {
        FailsAt {
            nth,
            asked: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl StoredVersions for FailsAt {
    async fn newest(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn of(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.nth {
            return Err(Error::unavailable(Part::Database, "switched off"));
        }
        Ok(HashMap::new())
    }
}

const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// A database that answers what it has been asked only when it is let.
struct Slow {
    asked: Semaphore,
    go_on: Semaphore,
}

impl Slow {
    fn new() -> Arc<Slow> {
        Arc::new(Slow {
            asked: Semaphore::new(0),
            go_on: Semaphore::new(0),
        })
    }

    async fn is_asked(&self) {
        let asked = tokio::time::timeout(ASKED_WITHIN, self.asked.acquire()).await;
        asked.expect("it is asked").unwrap().forget();
    }

    fn answer_all(&self) {
        self.go_on.add_permits(1_000);
    }
}

#[async_trait]
impl StoredVersions for Slow {
    async fn newest(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn of(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        self.asked.add_permits(1);
        self.go_on.acquire().await.unwrap().forget();
        Ok(HashMap::new())
    }
}

async fn raise_slowly(process: Process) -> (Arc<Slow>, tokio::task::JoinHandle<Result<()>>) {
    let slow = Slow::new();
    let stored = slow.clone();
    let raising = tokio::spawn(async move { process.journal.raise(&*stored).await });
    slow.is_asked().await;
    (slow, raising)
}

/// What it has read of the journal is old when it goes on: the name was written,
/// drained, and forgotten by the cache since.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_slow_recovery_brings_no_old_value_back() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&[put("a", "old")]).await;
    crashed.crash().await;
    let (slow, raising) = raise_slowly(crashed.another().await).await;

    let short = Duration::from_millis(20);
    let lifetimes = cache_core::cache::Lifetimes {
        clean: short,
        ..LIFETIMES
    };
    let url = crashed.server.url();
    let fast = Process::start_with(url, &crashed.identity, lifetimes).await;
    fast.journal.raise(&Version::ZERO).await.unwrap();
    let written = fast.append(&[put("a", "new")]).await;
    fast.drain().await;
    eventually("the new one has expired", async || {
        fast.get("a").await == Lookup::Miss
    })
    .await;
    slow.answer_all();
    raising.await.unwrap().unwrap();
    assert_eq!(fast.get("a").await, Lookup::Miss);
    let next = fast.append(&[put("a", "newer")]).await;
    assert!(next[0].version > written[0].version);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_slow_recovery_hides_no_newer_write() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&[put("a", "old")]).await;
    crashed.crash().await;
    let (slow, raising) = raise_slowly(crashed.another().await).await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    let written = crashed.process.append(&[put("a", "new")]).await;
    slow.answer_all();
    raising.await.unwrap().unwrap();
    let held = crashed.process.get("a").await;
    assert_eq!(held, Lookup::Hit(written[0].clone()));
    assert_eq!(crashed.process.all_waiting().await.len(), 2);
}

/// The server ends again while a process recovers it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_slow_recovery_of_a_run_leaves_the_next_alone() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&[put("a", "old")]).await;
    crashed.crash().await;
    let (slow, raising) = raise_slowly(crashed.another().await).await;
    crashed.crash().await;
    slow.answer_all();
    assert!(raising.await.unwrap().is_err(), "its connection is broken");
    crashed.process.assert_unseeded(&["a"]).await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    assert!(matches!(crashed.process.get("a").await, Lookup::Hit(_)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn any_number_may_recover_at_once() {
    let mut crashed = Crashed::new().await;
    let writes: Vec<_> = (0..200)
        .map(|number| put(&format!("user {}", number % 60), &number.to_string()))
        .collect();
    let appended = crashed.process.append(&writes).await;
    crashed.crash().await;
    let mut recovering = tokio::task::JoinSet::new();
    for number in 0..6 {
        let process = crashed.another().await;
        recovering.spawn(async move {
            match number % 2 {
                0 => process.journal.raise(&Version::ZERO).await.unwrap(),
                _ => process.cache.raise(&Version::ZERO).await.unwrap(),
            }
            // Seeded, so everything that waits is there.
            let name = format!("after {number}");
            process.append(&[put(&name, "x")]).await;
            let mut newest = HashMap::new();
            for record in process.all_waiting().await {
                newest.insert(record.key.clone(), record);
            }
            for record in newest.values() {
                let held = process.get(record.key.as_str()).await;
                let Lookup::Hit(held) = held else {
                    panic!("{held:?}")
                };
                assert!(held.version >= record.version);
            }
        });
    }
    while let Some(ended) = recovering.join_next().await {
        ended.unwrap();
    }
    assert_eq!(
        crashed.process.all_waiting().await.len(),
        appended.len() + 6
    );
}

/// Records what a reader is given each time that the database is asked.
struct Watched {
    reader: Process,
    name: &'static str,
    seen: std::sync::Mutex<Vec<Result<Lookup>>>,
}

#[async_trait]
impl StoredVersions for Watched {
    async fn newest(&self) -> Result<Version> {
        Ok(Version::ZERO)
    }

    async fn of(&self, _: &[Key]) -> Result<HashMap<Key, Version>> {
        let held = self.reader.cache.get(&key(self.name)).await;
        self.seen.lock().unwrap().push(held);
        Ok(HashMap::new())
    }
}

async fn set_aside(process: &Process, record: &Record) {
    let letter = DeadLetter {
        record: record.clone(),
        reason: "refused".into(),
        set_aside_at: Version::now(),
        held_back: false,
    };
    let journal = &process.journal;
    let shard = journal.shard_of(&record.key);
    journal.set_aside(shard, &letter).await.unwrap();
    journal
        .acknowledge(shard, record.version, &[])
        .await
        .unwrap();
}

/// As after a failover, when one process is told of it late.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn writes_by_the_database_go_on_after_any_process_has_recovered() {
    let mut crashed = Crashed::new().await;
    crashed.crash().await;
    let other = crashed.another().await;
    other.cache.raise(&Version::ZERO).await.unwrap();
    let begun = crashed
        .process
        .cache
        .begin_write(&[key("a")])
        .await
        .unwrap();
    assert_eq!(begun.len(), 1);
}

/// The journal is longer than what is read of it at once, and older versions of
/// the name are everywhere in it, and among the dead letters.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_is_read_while_a_server_is_recovered() {
    let mut crashed = Crashed::new().await;
    let process = &crashed.process;
    let (_, names) = crate::redis_process::names_in_one_shard(&*process.journal, 2);
    let dead = process.append(&[put("user 0", "dead")]).await;
    set_aside(process, &dead[0]).await;
    for _ in 0..5 {
        process.append(&[put("user 0", "x")]).await;
        let others: Vec<_> = (0..500)
            .map(|number| put(&names[1], &number.to_string()))
            .collect();
        process.append(&others).await;
    }
    let newest = process.append(&[put("user 0", "newest")]).await;
    crashed.crash().await;
    let watched = Watched {
        reader: crashed.another().await,
        name: "user 0",
        seen: std::sync::Mutex::default(),
    };
    crashed.process.journal.raise(&watched).await.unwrap();
    let seen = watched.seen.into_inner().unwrap();
    assert!(
        !seen.is_empty(),
        "it was looked at while it was being recovered"
    );
    let nothing = |held: &Result<Lookup>| matches!(held, Err(Error::Unseeded(_)));
    assert!(seen.iter().all(nothing), "{seen:?}");
    assert_eq!(
        crashed.process.get("user 0").await,
        Lookup::Hit(newest[0].clone())
    );
}

/// The database got it after all, between one attempt and the next.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_attempt_that_failed_leaves_nothing_that_the_database_has_newer() {
    let mut crashed = Crashed::of_several_shards().await;
    let names = crate::redis_process::a_name_in_each_shard(&*crashed.process.journal);
    let appended = crashed
        .process
        .append(&[put(&names[0], "x"), put(&names[1], "x")])
        .await;
    crashed.crash().await;
    let raised = crashed.process.journal.raise(&FailsAt::the(2)).await;
    assert!(raised.is_err());
    let newer = Version::new(appended[0].version.get() + 1).unwrap();
    let stored = Stored::with(&[(&names[0], newer)]);
    crashed.process.journal.raise(&stored).await.unwrap();
    assert_eq!(crashed.process.get(&names[0]).await, Lookup::Miss);
    assert!(matches!(
        crashed.process.get(&names[1]).await,
        Lookup::Hit(_)
    ));
}
