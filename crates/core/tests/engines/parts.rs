//! Engines on the embedded parts and on real servers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::bypass::Access;
use cache_core::cache::memory::MemoryCache;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, Lifetimes};
use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::write_behind::backlog::BacklogLimits;
use cache_core::engine::write_behind::drainer::DrainerSettings;
use cache_core::engine::write_behind::{WriteBehind, WriteBehindSettings};
use cache_core::engine::write_through::{WriteThrough, WriteThroughSettings};
use cache_core::journal::Journal;
use cache_core::journal::file::FileJournal;
use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::lease::redis::RedisLeases;
use cache_core::lease::{Leases, Sole};
use cache_core::model::record::{Key, Write};
use cache_core::model::user::User;
use cache_core::redis::Redis;
use cache_core::settings::{CacheUrl, DatabaseUrl, JournalSync, Secret};
use cache_core::store::Store;
use cache_core::store::mysql::MysqlStore;
use cache_core::store::sqlite::SqliteStore;
use testkit::servers::{TestDatabase, redis_url};

use crate::switched_store::SwitchedStore;

pub(crate) const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 64,
    waiting_max: 1024,
};
pub(crate) const WRITE_THROUGH: WriteThroughSettings = WriteThroughSettings {
    group_commit: BOUNDS,
    lanes: 2,
    lock_timeout: Duration::from_secs(10),
};
pub(crate) const WRITE_BEHIND: WriteBehindSettings = WriteBehindSettings {
    group_commit: BOUNDS,
    drainer: DrainerSettings {
        batch_max: 100,
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
const LEASE: Duration = Duration::from_secs(2);
pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    clean: Duration::from_secs(60),
    absent: Duration::from_secs(60),
    in_doubt: Duration::from_secs(30),
    fill: Duration::from_secs(10),
};

/// Parts in one folder, or on the servers; opened again on the same data as
/// often as a test restarts.
pub(crate) enum Place {
    Embedded(tempfile::TempDir),
    Servers(TestDatabase),
}

pub(crate) struct Parts {
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) store: Arc<SwitchedStore>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) leases: Arc<dyn Leases>,
}

impl Place {
    pub(crate) fn embedded() -> Place {
        Place::Embedded(tempfile::tempdir().unwrap())
    }

    pub(crate) fn servers() -> Place {
        Place::Servers(TestDatabase::create())
    }

    pub(crate) async fn open(&self) -> Parts {
        match self {
            Place::Embedded(folder) => {
                let store = SqliteStore::open(&folder.path().join("users.db"))
                    .await
                    .unwrap();
                let cache = Arc::new(MemoryCache::new(1 << 20, LIFETIMES));
                Parts {
                    cache,
                    store: SwitchedStore::new(store),
                    journal: open_file_journal(folder.path()),
                    leases: Arc::new(Sole::new(1)),
                }
            }
            Place::Servers(database) => {
                let url = mysql_secret(&database.url());
                let store = MysqlStore::open(url, 4, Duration::from_secs(10))
                    .await
                    .unwrap();
                let redis = Redis::connect(
                    redis_secret(&redis_url()),
                    Duration::from_secs(2),
                    store.dataset(),
                );
                let redis = redis.await.unwrap();
                let process = format!("test:{:08x}", fastrand::u32(..));
                let leases = RedisLeases::new(redis.clone(), process, LEASE);
                let journal = RedisStreamJournal::open(
                    redis.clone(),
                    redis.clone(),
                    WaitFor::default(),
                    LIFETIMES.clean,
                    leases.share_held(),
                );
                let journal = journal.await.unwrap();
                let cache = Arc::new(RedisCache::new(redis, LIFETIMES));
                Parts {
                    cache,
                    store: SwitchedStore::new(store),
                    journal: Arc::new(journal),
                    leases: Arc::new(leases),
                }
            }
        }
    }
}

pub(crate) fn open_file_journal(folder: &Path) -> Arc<dyn Journal> {
    let journal = FileJournal::open(&folder.join("journal"), JournalSync::Fsync, 1 << 16);
    Arc::new(journal.unwrap())
}

impl Parts {
    pub(crate) async fn write_through(&self) -> Arc<WriteThrough> {
        let (cache, store) = (self.cache.clone(), self.store.clone());
        WriteThrough::start(cache, store, Access::always(), WRITE_THROUGH)
            .await
            .unwrap()
    }

    pub(crate) async fn write_behind(&self) -> Arc<WriteBehind> {
        let (cache, journal, store) =
            (self.cache.clone(), self.journal.clone(), self.store.clone());
        WriteBehind::start(cache, journal, store, self.leases.clone(), WRITE_BEHIND)
            .await
            .unwrap()
    }
}

fn mysql_secret(url: &str) -> Secret {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Mysql(secret) => secret,
        other => panic!("{other:?}"),
    }
}

fn redis_secret(url: &str) -> Secret {
    match CacheUrl::parse(url).unwrap() {
        CacheUrl::Redis(secret) => secret,
        other => panic!("{other:?}"),
    }
}

/// A user called `name`, told apart from its other values by `age`.
pub(crate) fn body(name: &str, age: u8) -> Bytes {
    User {
        name: name.to_owned(),
        age,
        occupation: "Tester".to_owned(),
    }
    .to_body()
}

pub(crate) fn put(name: &str, age: u8) -> Write {
    Write::put(Key::from(name), body(name, age))
}

/// Defines one test for each place.
macro_rules! in_each_place {
    ($($name:ident)+) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name($crate::parts::Place::embedded()).await })+
        }
        mod redis_and_mariadb {
            $(#[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs servers"]
            async fn $name() { super::$name($crate::parts::Place::servers()).await })+
        }
    };
}
pub(crate) use in_each_place;
