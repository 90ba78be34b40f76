//! A server that comes back with all its data: what the journal holds is served
//! again, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use cache_core::cache::{Cache, Lookup};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::record::Record;
use cache_core::model::version::Version;
use cache_core::redis::{Redis, patterns};
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{Crashed, Process, Stored, keys};
use crate::suite::{key, new_identity, put, remove, tombstone, value, version};

fn refused(record: &Record) -> DeadLetter {
    DeadLetter {
        record: record.clone(),
        reason: "refused".into(),
        set_aside_at: Version::now(),
        held_back: false,
    }
}

/// Sets a write aside that nothing else waits with, as the drainer does when the
/// database refuses it.
async fn make_dead(process: &Process, record: &Record) {
    let journal = &process.journal;
    let shard = journal.shard_of(&record.key);
    journal.set_aside(shard, &refused(record)).await.unwrap();
    let acknowledged = journal.acknowledge(shard, record.version, &[]);
    acknowledged.await.unwrap();
}

async fn assert_dirty(process: &Process, record: &Record) {
    let name = record.key.as_str();
    assert_eq!(process.get(name).await, Lookup::Hit(record.clone()));
    // What is dirty can be given up, and what is clean cannot.
    let discarded = process.cache.discard(&record.key, record.version);
    discarded.await.unwrap();
    assert_eq!(process.get(name).await, Lookup::Miss, "{name}: it is clean");
    process
        .cache
        .put_dirty(std::slice::from_ref(record))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_is_served_or_taken_before_the_clocks_are_raised() {
    let mut crashed = Crashed::new().await;
    let process = &crashed.process;
    process
        .append(&[put("waits", "x"), put("drained", "x")])
        .await;
    process.drain().await;
    process
        .append(&[put("waits", "y"), remove("deleted")])
        .await;
    process.fill(&value(&key("filled"), version(7), "x")).await;
    let begun = process.cache.begin_write(&[key("in doubt")]).await.unwrap();
    let names = ["waits", "drained", "deleted", "filled", "in doubt", "new"];
    crashed.crash().await;
    // For a process that was there before, and for a new one.
    crashed.process.assert_unseeded(&names).await;
    let fresh = crashed.another().await;
    fresh.assert_unseeded(&names).await;
    // A process that writes through the database leaves nothing behind either.
    let late = value(&key("in doubt"), begun[0].version, "settled late");
    crashed
        .process
        .cache
        .settle(std::slice::from_ref(&late))
        .await
        .unwrap();
    crashed.process.assert_unseeded(&names).await;

    fresh.journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!(fresh.get("in doubt").await, Lookup::Miss);
    assert_eq!(fresh.get("drained").await, Lookup::Miss);
    assert_eq!(fresh.get("filled").await, Lookup::Miss);
    fresh.fill(&value(&key("filled"), version(7), "x")).await;
    crashed.process.append(&[put("new", "x")]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_newest_of_each_name_that_waits_is_dirty_again() {
    let mut crashed = Crashed::new().await;
    let process = &crashed.process;
    let mut newest: HashMap<String, Record> = HashMap::new();
    for round in 0..4 {
        let writes: Vec<_> = (0..40)
            .filter(|number| round == 0 || number % (round + 1) == 0)
            .map(|number| match (number + round) % 4 {
                0 => remove(&format!("user {number}")),
                _ => put(&format!("user {number}"), &format!("{round} \0 {number}")),
            })
            .collect();
        let appended = process.append(&writes).await;
        newest.extend(
            appended
                .into_iter()
                .map(|record| (record.key.as_str().to_owned(), record)),
        );
        if round == 0 {
            // Acknowledged, and so no longer of any concern but to the database.
            process.drain().await;
            newest.clear();
        }
    }
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    assert!(newest.len() > 10 && newest.values().any(|record| record.body.is_none()));
    for record in newest.values() {
        assert_dirty(&crashed.process, record).await;
    }
    for number in 0..40 {
        let name = format!("user {number}");
        if !newest.contains_key(&name) {
            assert_eq!(crashed.process.get(&name).await, Lookup::Miss);
        }
    }
    // It drains as ever, and is forgotten then: a drain under way when the server
    // ended may have brought something newer into the database.
    crashed.process.drain().await;
    for record in newest.values() {
        assert_eq!(crashed.process.get(record.key.as_str()).await, Lookup::Miss);
    }
    // What is appended from here on is kept.
    let appended = crashed.process.append(&[put("user 1", "after")]).await;
    crashed.process.drain().await;
    assert_eq!(
        crashed.process.get("user 1").await,
        Lookup::Hit(appended[0].clone())
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_was_read_before_the_crash_acknowledges_nothing_after_it() {
    let mut crashed = Crashed::new().await;
    let appended = crashed
        .process
        .append(&[put("a", "1"), put("a", "2")])
        .await;
    let shard = crashed.process.journal.shard_of(&appended[0].key);
    // A drain that has read and applied them, and comes late with its note of it.
    assert_eq!(crashed.process.waiting(shard).await, appended);
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    let flushed = [(appended[1].key.clone(), appended[1].version)];
    let journal = crashed.process.journal.clone();
    let late = journal
        .acknowledge(shard, appended[1].version, &flushed)
        .await;
    assert!(matches!(late, Err(Error::Unseeded(_))), "{late:?}");
    assert_eq!(crashed.process.waiting(shard).await, appended);
    // Having read again, it may.
    let again = journal.acknowledge(shard, appended[1].version, &flushed);
    again.await.unwrap();
    assert_eq!(crashed.process.waiting(shard).await, []);
}

/// An acknowledgement is about all that was read since the beginning, so none of it may be
/// of another run.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn reading_goes_on_only_in_the_run_in_which_it_began() {
    let mut crashed = Crashed::new().await;
    let appended = crashed
        .process
        .append(&[put("a", "1"), put("a", "2")])
        .await;
    let shard = crashed.process.journal.shard_of(&appended[0].key);
    assert_eq!(crashed.process.waiting(shard).await, appended);
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    let journal = crashed.process.journal.clone();
    let first = appended[0].version;
    for _ in 0..2 {
        let goes_on = journal.read(shard, first, 10).await;
        assert!(matches!(goes_on, Err(Error::Unseeded(_))), "{goes_on:?}");
    }
    assert_eq!(crashed.process.waiting(shard).await, appended);
    let goes_on = journal.read(shard, first, 10).await.unwrap();
    assert_eq!(goes_on, appended[1..]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_the_database_has_the_same_or_newer_of_is_not_brought_back() {
    let mut crashed = Crashed::new().await;
    let appended = crashed
        .process
        .append(&[
            put("older", "x"),
            put("same", "x"),
            put("newer", "x"),
            put("none", "x"),
        ])
        .await;
    let moved = |place: usize, by: i64| {
        version(
            appended[place]
                .version
                .get()
                .checked_add_signed(by)
                .unwrap(),
        )
    };
    crashed.crash().await;
    let stored = Stored::with(&[
        ("older", moved(0, -1)),
        ("same", moved(1, 0)),
        ("newer", moved(2, 1)),
    ]);
    crashed.process.journal.raise(&stored).await.unwrap();
    assert_dirty(&crashed.process, &appended[0]).await;
    assert_dirty(&crashed.process, &appended[3]).await;
    for name in ["same", "newer"] {
        assert_eq!(crashed.process.get(name).await, Lookup::Miss);
    }
    // The database's may be filled, and what waits does not hide it.
    let newer = value(&key("newer"), moved(2, 1), "y");
    crashed.process.fill(&newer).await;
    crashed.process.drain().await;
    assert_eq!(crashed.process.get("newer").await, Lookup::Hit(newer));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn dead_letters_are_served_again_unless_something_newer_is_known() {
    let mut crashed = Crashed::new().await;
    let process = &crashed.process;
    let names = ["dead", "deleted", "written again", "stored"];
    let appended = process
        .append(&[
            put(names[0], "x"),
            remove(names[1]),
            put(names[2], "x"),
            put(names[3], "x"),
        ])
        .await;
    for record in &appended {
        process
            .journal
            .set_aside(process.journal.shard_of(&record.key), &refused(record))
            .await
            .unwrap();
    }
    for shard in (0..process.journal.shards()).map(cache_core::model::shard::Shard) {
        if let Some(last) = process.waiting(shard).await.last() {
            process
                .journal
                .acknowledge(shard, last.version, &[])
                .await
                .unwrap();
        }
    }
    assert_eq!(process.all_waiting().await, []);
    // One that could not be understood has a name that is never read.
    let mut strange = refused(&tombstone(&key(" entry 1-1 of shard 0"), version(1)));
    strange.record.body = Some("?".into());
    let of_strange = cache_core::model::shard::Shard(0);
    process
        .journal
        .set_aside(of_strange, &strange)
        .await
        .unwrap();
    let again = process.append(&[put(names[2], "again")]).await;
    crashed.crash().await;
    let stored = Stored::with(&[("stored", version(appended[3].version.get() + 1))]);
    crashed.process.journal.raise(&stored).await.unwrap();
    assert_dirty(&crashed.process, &appended[0]).await;
    assert_dirty(&crashed.process, &appended[1]).await;
    assert_dirty(&crashed.process, &again[0]).await;
    assert_eq!(crashed.process.get(names[3]).await, Lookup::Miss);
    assert_eq!(
        crashed.process.get(" entry 1-1 of shard 0").await,
        Lookup::Miss
    );
    assert_eq!(
        crashed.process.journal.dead_letters(9).await.unwrap().len(),
        5
    );
}

/// An unknown entry without an expiry would stay for ever.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_of_the_runs_before_stays_without_an_expiry() {
    let mut crashed = Crashed::new().await;
    for round in 0..3 {
        let process = &crashed.process;
        let name = |what: &str| format!("{what} {round}");
        process.drain().await;
        let dead = process.append(&[put(&name("dead"), "x")]).await;
        make_dead(process, &dead[0]).await;
        let appended = process
            .append(&[
                put(&name("waits"), "x"),
                put(&name("in doubt"), "x"),
                put(&name("stored"), "x"),
                put("always", "x"),
            ])
            .await;
        let in_doubt = [appended[1].key.clone(), key("only in doubt")];
        process.cache.begin_write(&in_doubt).await.unwrap();
        let filled = value(&key(&name("filled")), version(7), "x");
        process.fill(&filled).await;
        let before = crashed.without_expiry().await;
        assert!(before.len() >= 4, "{before:?}");
        crashed.crash().await;
        let stored = Stored::with(&[(&name("stored"), appended[2].version)]);
        crashed.process.cache.raise(&stored).await.unwrap();
        let after = crashed.without_expiry().await;
        // Marks of doubt are removed when their lifetime is over.
        let stays = |name: &&String| after.contains(name) && !name.ends_with("only in doubt");
        let left: Vec<_> = before.iter().filter(stays).collect();
        assert!(left.is_empty(), "{left:?}");
        // One run's clocks, and no more.
        let shards = crashed.process.journal.shards();
        assert_eq!(crashed.keys("*.clock").await.len(), usize::from(shards));
    }
}

/// What the engine repeats after it found a clock unseeded it may do to a server
/// that needs nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn raising_again_changes_nothing() {
    let mut crashed = Crashed::new().await;
    let appended = crashed.process.append(&[put("a", "x")]).await;
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    let written = crashed.process.append(&[put("a", "y")]).await;
    let all = crashed.keys("*").await;
    // Though the database is said to have it all.
    for stored in [Version::ZERO, appended[0].version] {
        crashed.process.journal.raise(&stored).await.unwrap();
        crashed.process.cache.raise(&stored).await.unwrap();
        assert_eq!(
            crashed.process.get("a").await,
            Lookup::Hit(written[0].clone())
        );
        assert_eq!(crashed.keys("*").await, all);
    }
}

/// Two databases on one server know nothing of each other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_data_of_another_database_is_left_alone() {
    let mut crashed = Crashed::new().await;
    let identity = new_identity();
    let other = Process::start(crashed.server.url(), &identity).await;
    other.journal.raise(&Version::ZERO).await.unwrap();
    other.append(&[put("a", "other")]).await;
    let [pattern, _] = patterns(&identity);
    let before = keys(crashed.server.url(), &pattern).await;
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!(keys(crashed.server.url(), &pattern).await, before);
    other.reconnect().await;
    other.assert_unseeded(&["a"]).await;
}

/// The connection that appends is another than the one that reads.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn each_connection_finds_the_new_run_by_itself() {
    let mut server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let identity = new_identity();
    let connect = async || crate::suite::connect_to(server.url(), &identity).await;
    let (redis, appends): (Arc<Redis>, Arc<Redis>) = (connect().await, connect().await);
    let journal = cache_core::journal::redis_stream::RedisStreamJournal::open(
        redis.clone(),
        appends,
        cache_core::journal::redis_stream::WaitFor::default(),
        crate::redis_process::LONG,
        Arc::new(cache_core::lease::Held::all(15)),
    );
    let journal = Arc::new(journal.await.unwrap());
    let cache =
        cache_core::cache::redis::RedisCache::new(redis.clone(), crate::redis_process::LIFETIMES);
    let process = Process {
        redis,
        journal,
        cache: Arc::new(cache),
    };
    process.journal.raise(&Version::ZERO).await.unwrap();
    process.append(&[put("a", "x")]).await;
    server.crash_and_restart();
    process.reconnect().await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    // The connection that appends has not noticed it yet.
    let mut written = Vec::new();
    crate::suite::eventually("an append succeeds", async || {
        let answer = process.journal.append(&[put("a", "y")]).await.remove(0);
        let Ok(cache_core::model::decision::Decision::Written(at)) = answer else {
            return false;
        };
        written.push(value(&key("a"), at, "y"));
        true
    })
    .await;
    assert_eq!(process.get("a").await, Lookup::Hit(written[0].clone()));
    assert_eq!(
        process.all_waiting().await.len(),
        2,
        "none was appended twice"
    );
}

/// A server that is killed over and over while it is being brought back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_stays_of_a_run_that_ended_before_it_was_recovered() {
    let mut crashed = Crashed::of_several_shards().await;
    crashed
        .process
        .append(&[put("a", "x"), put("b", "y"), put("c", "z")])
        .await;
    for _ in 0..3 {
        crashed.crash().await;
        let raised = crashed
            .process
            .journal
            .raise(&crate::recovering::FailsAt::the(2))
            .await;
        assert!(raised.is_err(), "the database became unavailable half-way");
    }
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!(crashed.process.all_waiting().await.len(), 3);
    let left = crashed.without_expiry().await;
    assert_eq!(left.len(), 3, "{left:?}");
}
