//! A server that may evict what only the journal has is refused.

use std::sync::Arc;
use std::time::Duration;

use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lifetimes, Lookup};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::lease::Held;
use cache_core::model::version::Version;
use cache_core::redis::Redis;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::redis_process::{Crashed, LIFETIMES, LONG, command};
use crate::suite::{connect_to, eventually, key, new_identity, put, value, version};

pub(crate) async fn open(
    redis: Arc<Redis>,
    wait_for: WaitFor,
) -> cache_core::error::Result<RedisStreamJournal> {
    let held = Arc::new(Held::all(15));
    RedisStreamJournal::open(redis.clone(), redis, wait_for, LONG, held).await
}

async fn set_policy(url: &str, policy: &str) {
    command::<(), _>(url, &["CONFIG", "SET", "maxmemory-policy", policy]).await;
}

fn assert_refused(error: &Error, policy: &str) {
    let Error::BadSetting { key, reason } = error else {
        panic!("{error:?}")
    };
    assert_eq!(*key, "CACHE_URL");
    // What it is, and what to set.
    for word in [policy, "maxmemory-policy", "noeviction", "volatile"] {
        assert!(reason.contains(word), "{word}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_journal_opens_only_where_nothing_without_an_expiry_is_evicted() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let redis = connect_to(server.url(), &new_identity()).await;
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        set_policy(server.url(), policy).await;
        let refused = open(redis.clone(), WaitFor::default()).await.unwrap_err();
        assert_refused(&refused, policy);
    }
    for policy in [
        "noeviction",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        set_policy(server.url(), policy).await;
        open(redis.clone(), WaitFor::default()).await.unwrap();
    }
}

/// It may be set up in another way when it comes back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_server_that_comes_back_with_another_policy_is_only_drained() {
    let mut crashed = Crashed::new().await;
    crashed.process.append(&[put("a", "x")]).await;
    crashed.crash().await;
    set_policy(crashed.server.url(), "allkeys-lru").await;
    let journal = &crashed.process.journal;
    journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!(crashed.process.all_waiting().await.len(), 1);
    crashed.process.drain().await;
    let refused = journal.append(&[put("a", "x")]).await.remove(0);
    assert!(matches!(refused, Err(Error::NotAdmitted(_))), "{refused:?}");
    set_policy(crashed.server.url(), "volatile-lru").await;
    eventually("it is seen", async || journal.health().await.up).await;
    crashed.process.append(&[put("a", "x")]).await;
}

/// What a server with a `volatile` policy takes first, in its need, is nothing
/// that was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_waits_is_never_evicted() {
    let crashed = Crashed::new().await;
    let process = &crashed.process;
    let url = crashed.server.url();
    set_policy(url, "volatile-random").await;
    let waiting = process.append(&[put("a", "x"), put("b", "y")]).await;
    process.fill(&value(&key("clean"), version(7), "x")).await;
    command::<(), _>(url, &["CONFIG", "SET", "maxmemory", "100kb"]).await;
    // Evicts all that it may, before it refuses.
    let refused = process.journal.append(&[put("c", "z")]).await.remove(0);
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert_eq!(process.get("clean").await, Lookup::Miss);
    for record in &waiting {
        let held = process.get(record.key.as_str()).await;
        assert_eq!(held, Lookup::Hit(record.clone()));
    }
    assert_eq!(process.all_waiting().await, waiting);
    command::<(), _>(url, &["CONFIG", "SET", "maxmemory", "0"]).await;
    process.append(&[put("c", "z")]).await;
}

/// A reader would cache what the database has before the write.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn marks_of_doubt_are_never_evicted() {
    let crashed = Crashed::new().await;
    let (process, url) = (&crashed.process, crashed.server.url());
    set_policy(url, "volatile-random").await;
    let names: Vec<_> = (0..30)
        .map(|number| key(&format!("user {number}")))
        .collect();
    process.cache.begin_write(&names).await.unwrap();
    process.fill(&value(&key("clean"), version(7), "x")).await;
    command::<(), _>(url, &["CONFIG", "SET", "maxmemory", "100kb"]).await;
    // Evicts all that it may, before it refuses.
    let refused = process.cache.begin_write(&[key("late")]).await;
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert_eq!(process.get("clean").await, Lookup::Miss);
    for name in &names {
        assert_eq!(process.get(name.as_str()).await, Lookup::InDoubt(None));
    }
}

/// Marks of names that are neither read nor written again, also of earlier runs and epochs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn marks_of_doubt_are_removed_after_their_lifetime() {
    let mut crashed = Crashed::new().await;
    let lifetimes = Lifetimes {
        in_doubt: Duration::from_millis(50),
        ..LIFETIMES
    };
    let cache = &crashed.process.cache;
    cache.begin_write(&[key("before the crash")]).await.unwrap();
    crashed.crash().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    let cache = &crashed.process.cache;
    cache.begin_write(&[key("a")]).await.unwrap();
    crashed.process.append(&[put("b", "dirty")]).await;
    cache.begin_write(&[key("b")]).await.unwrap();
    let redis = connect_to(crashed.server.url(), &crashed.identity).await;
    let sweeping = RedisCache::new(redis, lifetimes).keeping_doubts().unwrap();
    eventually("they are removed", async || {
        crashed.keys("}[^.]*:*").await.len() == 1
    })
    .await;
    assert!(matches!(
        sweeping.get(&key("b")).await.unwrap(),
        Lookup::InDoubt(Some(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_cache_that_may_lose_doubts_is_unavailable() {
    let crashed = Crashed::new().await;
    let url = crashed.server.url();
    let redis = connect_to(url, &crashed.identity).await;
    let cache = RedisCache::new(redis, LIFETIMES).keeping_doubts().unwrap();
    assert!(cache.health().await.up);
    for policy in [
        "volatile-lru",
        "allkeys-lru",
        "volatile-lru",
        "allkeys-random",
        "noeviction",
    ] {
        set_policy(url, policy).await;
        let is_refused = policy.starts_with("allkeys");
        eventually("the policy is seen", async || {
            let read = cache.get(&key("a")).await;
            let write = cache.begin_write(&[key("a")]).await;
            let unavailable = |error: &Error| matches!(error, Error::Unavailable { .. });
            read.is_err_and(|error| unavailable(&error)) == is_refused
                && write.is_err_and(|error| unavailable(&error)) == is_refused
        })
        .await;
        let health = cache.health().await;
        assert_eq!(health.up, !is_refused, "{health:?}");
        assert_eq!(cache.probe().await.is_err(), is_refused);
        if let Some(problem) = health.problem {
            assert!(problem.contains("maxmemory-policy"), "{problem}");
        }
    }
}
