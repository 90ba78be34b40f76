//! A process relies on its registration in Redis while the database does not answer, or is slow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says why"
)]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cache_core::binding::{BindingStore, Bound, CacheSite, ServedBy};
use cache_core::error::Result;
use cache_core::model::version::Version;
use cache_core::ownership::guard::{Guard, GuardSettings};
use cache_core::redis::Redis;
use cache_core::settings::CacheUrl;
use cache_core::store::Store;
use cache_core::store::sqlite::SqliteStore;
use cache_core::timing;
use testkit::servers::redis_url;

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
    /// How many milliseconds each call takes.
    delay_ms: AtomicU64,
}

impl HangsAfter {
    /// Returns whether this is the last call that is answered.
    async fn call(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst))).await;
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

/// A process that is bound.
struct Site {
    _folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
    database: Arc<HangsAfter>,
    redis: Arc<Redis>,
    guard: Guard,
}

async fn bound() -> Site {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("users.db")).await;
    let store = Arc::new(store.unwrap());
    let database = Arc::new(HangsAfter {
        database: store.clone(),
        calls: AtomicUsize::new(NOT_YET),
        delay_ms: AtomicU64::new(0),
    });
    let Ok(CacheUrl::Redis(url)) = CacheUrl::parse(&redis_url()) else {
        panic!("this is no Redis URL");
    };
    let redis = Redis::connect(url, TIMEOUT, store.dataset()).await.unwrap();
    let settings = GuardSettings {
        process: "one".to_owned(),
        program: "test",
    };
    let guard = Guard::post(&redis, database.clone(), store.clone(), settings)
        .await
        .unwrap();
    guard.bind().await.unwrap();
    Site {
        _folder: folder,
        store,
        database,
        redis,
        guard,
    }
}

#[track_caller]
fn expect_answers(began: Instant, answered: &Result<()>) {
    assert!(
        answered.is_ok(),
        "after {:?}: {answered:?}",
        began.elapsed()
    );
}

/// Redis can be used all the time while the database hangs after so many calls.
async fn uses_redis_while_the_database_hangs_after(calls: usize) {
    let Site {
        _folder,
        database,
        redis,
        guard,
        ..
    } = bound().await;
    database.calls.store(calls, Ordering::SeqCst);
    guard.watch();
    let began = Instant::now();
    while began.elapsed() < OUTAGE {
        expect_answers(began, &redis.answers().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(database.calls.load(Ordering::SeqCst), 0, "it hangs");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn redis_is_used_while_the_database_hangs_from_the_start() {
    uses_redis_while_the_database_hangs_after(0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn redis_is_used_while_noting_it_hangs() {
    uses_redis_while_the_database_hangs_after(1).await;
}

/// Another process has noted the same Redis by another name, and a start wants to use another one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_slow_database_keeps_no_process_from_objecting() {
    let Site {
        _folder,
        store,
        database,
        redis,
        guard,
    } = bound().await;
    database.delay_ms.store(900, Ordering::SeqCst);
    let before = store.bound().await.unwrap().served_by;
    let mut noted = ServedBy::parse(&before).unwrap();
    let other = |number: u8| CacheSite {
        run: format!("run {number}"),
        address: format!("host-{number}:6379"),
        ..noted.cache.clone()
    };
    let (renamed, contender) = (other(1), other(2));
    noted.cache = renamed;
    noted.contender = Some(contender);
    assert!(store.note_cache(&before, &noted.encode()).await.unwrap());
    guard.watch();
    let began = Instant::now();
    loop {
        expect_answers(began, &redis.answers().await);
        let found = store.bound().await.unwrap().noted().unwrap();
        if found.contender.is_none() {
            return;
        }
        assert!(
            began.elapsed() < timing::REGISTRATION_LIFETIME,
            "nothing was objected"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
