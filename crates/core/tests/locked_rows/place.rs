//! Engines on a database of their own, with what they keep in a folder or in Redis.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::bypass::Access;
use cache_core::cache::memory::MemoryCache;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lifetimes};
use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::write_behind::backlog::BacklogLimits;
use cache_core::engine::write_behind::drainer::DrainerSettings;
use cache_core::engine::write_behind::{WriteBehind, WriteBehindSettings};
use cache_core::engine::write_through::{WriteThrough, WriteThroughSettings};
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Result;
use cache_core::journal::Journal;
use cache_core::journal::file::FileJournal;
use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::lease::redis::RedisLeases;
use cache_core::lease::{Leases, Sole};
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::redis::Redis;
use cache_core::settings::{CacheUrl, DatabaseUrl, JournalSync};
use cache_core::store::Store;
use cache_core::store::mysql::MysqlStore;
use testkit::servers::{TestDatabase, redis_url};

const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 64,
    waiting_max: 1024,
};
const MINUTE: Duration = Duration::from_secs(60);
const LIFETIMES: Lifetimes = Lifetimes {
    clean: MINUTE,
    absent: MINUTE,
    in_doubt: MINUTE,
    fill: MINUTE,
};
const WRITE_BEHIND: WriteBehindSettings = WriteBehindSettings {
    group_commit: BOUNDS,
    drainer: DrainerSettings {
        batch_max: 50,
        parallel_max: 4,
        linger: Duration::ZERO,
        dead_letters_max: u64::MAX,
    },
    limits: BacklogLimits {
        entries: 1_000_000,
        bytes: 1_000_000_000,
        age: Duration::from_secs(3_600),
        dead_letters: u64::MAX,
    },
};
/// How long what must happen may take on a machine under load.
pub(crate) const EVENTUALLY: Duration = Duration::from_secs(60);
/// How long a write of a locked name waits where the test does not release it.
pub(crate) const LONG: Duration = MINUTE;

/// Where the journal and the cache are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    File,
    Redis,
}

pub(crate) struct Place {
    // Dropped first, since no table can be dropped that is in use.
    pub(crate) store: Arc<MysqlStore>,
    folder: tempfile::TempDir,
    database: TestDatabase,
}

impl Place {
    pub(crate) async fn new() -> Place {
        let database = TestDatabase::create();
        let DatabaseUrl::Mysql(url) = DatabaseUrl::parse(&database.url()).unwrap() else {
            panic!("this is for MySQL");
        };
        let store = MysqlStore::open(url, 6, Duration::from_secs(10)).await;
        Place {
            store: Arc::new(store.unwrap()),
            folder: tempfile::tempdir().unwrap(),
            database,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    pub(crate) fn sql(&self, statement: &str) {
        self.database.query_rows(statement);
    }

    pub(crate) async fn write_through(&self, lock_timeout: Duration) -> Arc<WriteThrough> {
        let settings = WriteThroughSettings {
            group_commit: BOUNDS,
            lanes: 2,
            lock_timeout,
        };
        let cache = Arc::new(MemoryCache::new(1 << 20, LIFETIMES));
        WriteThrough::start(cache, self.store.clone(), Access::always(), settings)
            .await
            .unwrap()
    }

    pub(crate) async fn write_behind(&self, kind: Kind) -> Arc<WriteBehind> {
        let (cache, journal, leases): (Arc<dyn Cache>, Arc<dyn Journal>, Arc<dyn Leases>) =
            match kind {
                Kind::File => {
                    let folder = self.folder.path().join("journal");
                    let journal = opened(&folder).await;
                    (
                        Arc::new(MemoryCache::new(1 << 20, LIFETIMES)),
                        Arc::new(journal),
                        Arc::new(Sole::new(1)),
                    )
                }
                Kind::Redis => {
                    let CacheUrl::Redis(url) = CacheUrl::parse(&redis_url()).unwrap() else {
                        panic!("this is for Redis");
                    };
                    let timeout = Duration::from_secs(5);
                    let redis = Redis::connect(url, timeout, self.store.dataset());
                    let redis = redis.await.unwrap();
                    let process = format!("test:{:08x}", fastrand::u32(..));
                    let leases = RedisLeases::new(redis.clone(), process, timeout);
                    let journal = RedisStreamJournal::open(
                        redis.clone(),
                        redis.clone(),
                        WaitFor::default(),
                        LIFETIMES.clean,
                        leases.share_held(),
                    );
                    (
                        Arc::new(RedisCache::new(redis, LIFETIMES)),
                        Arc::new(journal.await.unwrap()),
                        Arc::new(leases),
                    )
                }
            };
        let store = self.store.clone();
        WriteBehind::start(cache, journal, store, leases, WRITE_BEHIND)
            .await
            .unwrap()
    }

    /// The record in the database.
    pub(crate) async fn stored(&self, name: &str) -> Option<Record> {
        self.store.load(&Key::from(name)).await.unwrap()
    }
}

pub(crate) fn put(name: &str, age: u8) -> Write {
    let user = User {
        name: name.to_owned(),
        age,
        occupation: "Tester".to_owned(),
    };
    Write::put(Key::from(name), user.to_body())
}

pub(crate) fn version_of(outcome: Result<Outcome>) -> Version {
    match outcome.unwrap() {
        Outcome::Written { version, .. } => version,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn write(engine: &dyn Engine, name: &str, age: u8) -> Version {
    version_of(engine.write(put(name, age)).await)
}

/// Waits until `holds`.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + EVENTUALLY;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The journal in `folder`. Tasks of an engine that has stopped release it a moment later.
async fn opened(folder: &Path) -> FileJournal {
    let mut journal = FileJournal::open(folder, JournalSync::Os, 1 << 16);
    eventually("the journal is released", async || {
        if journal.is_err() {
            journal = FileJournal::open(folder, JournalSync::Os, 1 << 16);
        }
        journal.is_ok()
    })
    .await;
    journal.unwrap()
}
