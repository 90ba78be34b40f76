//! A process relies on its registration in Redis while the database does not answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says why"
)]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cache_core::binding::{BindingStore, Bound, Guard, GuardSettings};
use cache_core::error::Result;
use cache_core::redis::Redis;
use cache_core::settings::CacheUrl;
use cache_core::store::Store;
use cache_core::store::sqlite::SqliteStore;
use cache_core::version::Version;
use test_support::servers::redis_url;

const TIMEOUT: Duration = Duration::from_secs(1);
/// Longer than a registration is relied upon after its first renewal.
const OUTAGE: Duration = Duration::from_secs(9);
const NOT_YET: usize = usize::MAX;

/// A database that hangs after so many more calls. The last of them reports that another Redis
/// is noted.
#[derive(Debug)]
struct HangsAfter {
    database: Arc<SqliteStore>,
    calls: AtomicUsize,
}

impl HangsAfter {
    /// Returns whether this is the last call that is answered.
    async fn call(&self) -> bool {
        let left = self.calls.load(Ordering::SeqCst);
        match left {
            NOT_YET => false,
            0 => pending().await,
            left => {
                self.calls.store(left - 1, Ordering::SeqCst);
                left == 1
            }
        }
    }
}

#[async_trait]
impl BindingStore for HangsAfter {
    async fn bound(&self) -> Result<Bound> {
        let is_last = self.call().await;
        let mut bound = self.database.bound().await?;
        if is_last {
            bound.served_by.clear();
        }
        Ok(bound)
    }

    async fn exchange(&self, from: &str, to: &str) -> Result<bool> {
        self.call().await;
        self.database.exchange(from, to).await
    }

    async fn note_cache(&self, from: &str, to: &str) -> Result<bool> {
        self.call().await;
        self.database.note_cache(from, to).await
    }

    async fn note_newest(&self, newest: Version) -> Result<()> {
        self.call().await;
        self.database.note_newest(newest).await
    }

    async fn renew_identity(&self) -> Result<()> {
        self.call().await;
        self.database.renew_identity().await
    }

    async fn begin_epoch_after(&self, epoch: u64) -> Result<()> {
        self.call().await;
        self.database.begin_epoch_after(epoch).await
    }
}

/// Redis can be used all the time while the database hangs after so many calls.
async fn uses_redis_while_the_database_hangs_after(calls: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("users.db")).await;
    let store = Arc::new(store.unwrap());
    let database = Arc::new(HangsAfter {
        database: store.clone(),
        calls: AtomicUsize::new(NOT_YET),
    });
    let Ok(CacheUrl::Redis(url)) = CacheUrl::parse(&redis_url()) else {
        panic!("this is no Redis URL");
    };
    let redis = Redis::connect(url, TIMEOUT, store.dataset()).await.unwrap();
    let settings = GuardSettings {
        process: "one".to_owned(),
        program: "test",
    };
    let guard = Guard::post(&redis, database.clone(), store, settings)
        .await
        .unwrap();
    guard.bind().await.unwrap();
    database.calls.store(calls, Ordering::SeqCst);
    guard.watch();
    let began = Instant::now();
    while began.elapsed() < OUTAGE {
        let answered = redis.answers().await;
        assert!(
            answered.is_ok(),
            "after {:?}: {answered:?}",
            began.elapsed()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(database.calls.load(Ordering::SeqCst), 0, "it hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_used_while_the_database_hangs_from_the_start() {
    uses_redis_while_the_database_hangs_after(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_used_while_noting_it_hangs() {
    uses_redis_while_the_database_hangs_after(1).await;
}
