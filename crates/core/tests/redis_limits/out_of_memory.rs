//! A server that is out of memory takes nothing more, and everything that makes
//! room or keeps what was acknowledged works in spite of it.

use std::sync::Arc;
use std::time::Duration;

use cache_core::cache::{Cache, Lookup};
use cache_core::error::{Error, Result};
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::lease::Leases;
use cache_core::lease::redis::RedisLeases;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::record::Record;
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{Crashed, Process, a_name_in_each_shard, command, name_of};
use crate::suite::{SEVERAL, appended, key, put, remove, value, version};

/// Less than an empty server takes.
const NOTHING: &str = "100kb";

pub(crate) async fn fill_up(server: &OwnServer) {
    command::<(), _>(server.url(), &["CONFIG", "SET", "maxmemory", NOTHING]).await;
}

pub(crate) async fn make_room(server: &OwnServer) {
    command::<(), _>(server.url(), &["CONFIG", "SET", "maxmemory", "0"]).await;
}

fn assert_full<T: std::fmt::Debug>(answer: Result<T>) {
    assert!(matches!(answer, Err(Error::Full { .. })), "{answer:?}");
}

fn letter(record: &Record) -> DeadLetter {
    DeadLetter {
        record: record.clone(),
        reason: "refused".into(),
        set_aside_at: Version::now(),
        held_back: false,
    }
}

/// All of it that can be seen from outside.
async fn all_data(crashed: &Crashed) -> Vec<(String, Vec<u8>)> {
    let mut data = Vec::new();
    for name in crashed.keys("*").await {
        data.push((
            name.clone(),
            command(crashed.server.url(), &["DUMP", &name]).await,
        ));
    }
    data
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_append_is_refused_and_nothing_of_it_is_written() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let names = a_name_in_each_shard(&*process.journal);
    let before = process
        .append(&[put(&names[0], "x"), put(&names[1], "x")])
        .await;
    let data = all_data(&crashed).await;
    fill_up(&crashed.server).await;
    let writes: Vec<_> = names.iter().map(|name| put(name, "y")).collect();
    for _ in 0..2 {
        for answer in process.journal.append(&writes).await {
            assert_full(answer);
        }
        assert_full(appended(process.journal.append(&[remove(&names[0])]).await));
    }
    assert_eq!(all_data(&crashed).await, data);
    assert_eq!(process.all_waiting().await, before);
    assert_eq!(process.journal.depth(), 2);
    assert_eq!(process.get(&names[0]).await, Lookup::Hit(before[0].clone()));
    make_room(&crashed.server).await;
    let after = process.append(&writes).await;
    assert!(after[0].version > before[0].version);
    assert_eq!(process.journal.depth(), 2 + writes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_was_acknowledged_is_drained_and_read() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let names = a_name_in_each_shard(&*process.journal);
    let writes: Vec<_> = names.iter().map(|name| put(name, "x")).collect();
    let waiting = process.append(&writes).await;
    // A mark of doubt beside a dirty value has to be written again.
    process.cache.begin_write(&[key(&names[1])]).await.unwrap();
    let journal = &process.journal;
    let ends = journal.shard_of(&waiting[2].key);
    journal.set_aside(ends, &letter(&waiting[2])).await.unwrap();
    fill_up(&crashed.server).await;
    assert_eq!(
        process.get(&names[0]).await,
        Lookup::Hit(waiting[0].clone())
    );
    process.drain().await;
    assert_eq!(process.all_waiting().await, []);
    assert_eq!(journal.depth(), 0);
    let stats = journal.stats().await.unwrap();
    assert!(
        stats
            .iter()
            .all(|shard| shard.drained == 1 && shard.dead == 0)
    );
    assert_eq!(process.get(&names[1]).await, Lookup::InDoubt(None));
    // They are clean now, and may go; not the mark.
    let lives: Vec<String> = crashed.without_expiry().await;
    let mark = format!(":{}", names[1]);
    assert!(lives.len() == 1 && lives[0].ends_with(&mark), "{lives:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn letters_are_kept_found_and_forgotten() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let journal = &process.journal;
    let record = process
        .append(&[put("a", &"x".repeat(10_000))])
        .await
        .remove(0);
    let shard = journal.shard_of(&record.key);
    let stream = name_of(&crashed.identity, shard, "journal");
    let words = ["XADD", &stream, "*", "x", "strange"];
    command::<(), _>(crashed.server.url(), &words).await;
    fill_up(&crashed.server).await;
    journal.set_aside(shard, &letter(&record)).await.unwrap();
    let found = journal.dead_letter(&record.key).await.unwrap().unwrap();
    assert_eq!(found.record, record);
    // A newer one takes its place.
    let newer = value(&record.key, version(record.version.get() + 1), "newer");
    journal.set_aside(shard, &letter(&newer)).await.unwrap();
    let found = journal.dead_letter(&record.key).await.unwrap().unwrap();
    assert_eq!(found.record, newer);
    assert_eq!(journal.set_aside_undecodable(shard).await.unwrap(), 1);
    let letters = journal.dead_letters(9).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert!(letters[0].is_undecodable());
    for letter in letters {
        let Record { key, version, .. } = letter.record;
        assert!(journal.forget_dead_letter(&key, version).await.unwrap());
    }
    process
        .cache
        .discard(&record.key, record.version)
        .await
        .unwrap();
    assert_eq!(process.get("a").await, Lookup::Miss);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn leases_are_taken_renewed_and_given_back() {
    let crashed = Crashed::new().await;
    fill_up(&crashed.server).await;
    let lease = |name: &str| {
        let lifetime = Duration::from_secs(600);
        RedisLeases::new(crashed.process.redis.clone(), name.to_owned(), lifetime)
    };
    let (one, other) = (lease("one"), lease("other"));
    let held = |leases: &RedisLeases| {
        let is_held = |shard: &u16| leases.held().holds(Shard(*shard));
        (0..SEVERAL).filter(is_held).count()
    };
    let all = usize::from(SEVERAL);
    for _ in 0..2 {
        one.renew().await.unwrap();
        assert_eq!(held(&one), all);
    }
    for _ in 0..2 {
        other.renew().await.unwrap();
        one.renew().await.unwrap();
    }
    other.renew().await.unwrap();
    assert!(held(&one) > 0 && held(&other) > 0);
    assert_eq!(held(&one) + held(&other), all);
    one.release().await.unwrap();
    other.renew().await.unwrap();
    assert_eq!(held(&other), all);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_server_that_comes_back_full_is_brought_back() {
    let mut crashed = Crashed::new().await;
    let names = a_name_in_each_shard(&*crashed.process.journal);
    let writes: Vec<_> = names.iter().map(|name| put(name, "x")).collect();
    let waiting = crashed.process.append(&writes).await;
    for _ in 0..2 {
        crashed.crash().await;
        fill_up(&crashed.server).await;
        crashed.process.journal.raise(&Version::ZERO).await.unwrap();
        for record in &waiting {
            let held = crashed.process.get(record.key.as_str()).await;
            assert_eq!(held, Lookup::Hit(record.clone()));
        }
    }
    // Once more, though nothing is to be done.
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    crashed.process.drain().await;
    make_room(&crashed.server).await;
    crashed.process.append(&writes).await;
}

/// There is no run before of which anything could be removed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_clock_that_was_lost_is_raised() {
    let crashed = Crashed::new().await;
    let waiting = crashed.process.append(&[put("a", "x")]).await;
    for name in crashed.keys("*.clock").await {
        command::<(), _>(crashed.server.url(), &["DEL", &name]).await;
    }
    for name in crashed.without_expiry().await {
        command::<(), _>(crashed.server.url(), &["DEL", &name]).await;
    }
    fill_up(&crashed.server).await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!(
        crashed.process.get("a").await,
        Lookup::Hit(waiting[0].clone())
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_new_server_that_is_full_is_seeded() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &["--maxmemory", NOTHING]);
    let process = Process::start(server.url(), "0123456789abcdef").await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    assert_full(appended(process.journal.append(&[put("a", "x")]).await));
    make_room(&server).await;
    process.append(&[put("a", "x")]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_cache_takes_nothing_and_loses_nothing() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let cache: &Arc<_> = &process.cache;
    let filled = value(&key("filled"), version(7), "x");
    process.fill(&filled).await;
    let begun = cache.begin_fill(&key("begun")).await.unwrap();
    let cache_core::cache::FillStart::Granted(ticket) = begun else {
        panic!("{begun:?}")
    };
    fill_up(&crashed.server).await;
    assert_full(cache.begin_fill(&key("a")).await);
    assert_full(
        cache
            .fill(ticket, &value(&key("begun"), version(9), "x"))
            .await,
    );
    assert_full(cache.begin_write(&[key("a")]).await);
    assert_eq!(process.get("begun").await, Lookup::Miss);
    assert_eq!(process.get("filled").await, Lookup::Hit(filled.clone()));
    assert!(cache.health().await.up);
    make_room(&crashed.server).await;
    // The ticket is good still.
    let begun = value(&key("begun"), version(9), "x");
    assert!(cache.fill(ticket, &begun).await.unwrap());
    assert_eq!(process.get("begun").await, Lookup::Hit(begun));
}
