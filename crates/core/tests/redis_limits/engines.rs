//! The engines on a server that is out of memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::bypass::Access;
use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::Engine;
use cache_core::engine::write_behind::backlog::BacklogLimits;
use cache_core::engine::write_behind::drainer::DrainerSettings;
use cache_core::engine::write_behind::{WriteBehind, WriteBehindSettings};
use cache_core::engine::write_through::{WriteThrough, WriteThroughSettings};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::lease::redis::RedisLeases;
use cache_core::model::record::{Record, Write};
use cache_core::model::source::Source;
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Store};
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::out_of_memory::{fill_up, make_room};
use crate::redis_process::Process;
use crate::suite::{key, version};

pub(crate) const BOUNDS: GroupCommitBounds = GroupCommitBounds {
    batch_max: 64,
    waiting_max: 1_024,
};
pub(crate) const SETTINGS: WriteBehindSettings = WriteBehindSettings {
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
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(20);

fn body(name: &str, age: u8) -> Bytes {
    let (name, occupation) = (name.to_owned(), "Tester".to_owned());
    let user = User {
        name,
        age,
        occupation,
    };
    user.to_body()
}

fn put(name: &str, age: u8) -> Write {
    Write::put(key(name), body(name, age))
}

async fn store_with_ann(folder: &Path) -> Arc<SqliteStore> {
    let store = SqliteStore::open(&folder.join("users.db")).await.unwrap();
    let ann = Record {
        key: key("Ann"),
        version: version(7),
        body: Some(body("Ann", 1)),
    };
    store.apply(&[ann], Origin::Drained).await.unwrap();
    Arc::new(store)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_behind_starts_drains_and_reads_and_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_ann(folder.path()).await;
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let process = Process::start_for(server.url(), store.dataset()).await;
    process.journal.raise(&Version::ZERO).await.unwrap();
    process
        .append(&[put("Bob", 2), put("Cid", 3), put("Bob", 4)])
        .await;
    fill_up(&server).await;
    let lifetime = Duration::from_secs(2);
    let leases = RedisLeases::new(process.redis.clone(), "one".to_owned(), lifetime);
    let journal = cache_core::journal::redis_stream::RedisStreamJournal::open(
        process.redis.clone(),
        process.redis.clone(),
        cache_core::journal::redis_stream::WaitFor::default(),
        crate::redis_process::LONG,
        leases.share_held(),
    );
    let journal = Arc::new(journal.await.unwrap());
    let (cache, stored) = (process.cache.clone(), store.clone());
    let engine = WriteBehind::start(cache, journal, stored, Arc::new(leases), SETTINGS)
        .await
        .unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap(), "it drains");
    for (name, age) in [("Bob", 4), ("Cid", 3)] {
        let drained = store.load(&key(name)).await.unwrap().unwrap();
        assert_eq!(drained.body, Some(body(name, age)));
    }
    for _ in 0..2 {
        let read = engine.read(&key("Ann")).await.unwrap();
        assert_eq!(read.record.body, Some(body("Ann", 1)));
        assert_eq!(read.source, Source::Miss { stored: false });
        let read = engine.read(&key("Bob")).await.unwrap();
        assert_eq!(read.record.body, Some(body("Bob", 4)));
        assert_eq!(read.source, Source::Hit);
        let refused = engine.write(put("Dan", 5)).await;
        assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
        let refused = engine.write(Write::delete(key("Ann"))).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    assert!(
        engine
            .read(&key("Dan"))
            .await
            .unwrap()
            .record
            .body
            .is_none()
    );
    make_room(&server).await;
    engine.write(put("Dan", 5)).await.unwrap();
    engine.write(Write::delete(key("Ann"))).await.unwrap();
    assert!(engine.flush(WAIT_TIMEOUT).await.unwrap());
    assert!(
        store
            .load(&key("Ann"))
            .await
            .unwrap()
            .unwrap()
            .body
            .is_none()
    );
    engine.stop(WAIT_TIMEOUT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_through_reads_and_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_ann(folder.path()).await;
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let process = Process::start_for(server.url(), store.dataset()).await;
    let (cache, access) = (process.cache.clone(), Access::always());
    let settings = WriteThroughSettings {
        group_commit: BOUNDS,
        lanes: 1,
        lock_timeout: Duration::from_secs(10),
    };
    let engine = WriteThrough::start(cache, store.clone(), access, settings)
        .await
        .unwrap();
    engine.write(put("Bob", 2)).await.unwrap();
    fill_up(&server).await;
    let read = engine.read(&key("Ann")).await.unwrap();
    assert_eq!(read.record.body, Some(body("Ann", 1)));
    assert_eq!(read.source, Source::Miss { stored: false });
    assert_eq!(engine.read(&key("Bob")).await.unwrap().source, Source::Hit);
    let refused = engine.write(put("Bob", 3)).await;
    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    let stored = store.load(&key("Bob")).await.unwrap().unwrap();
    assert_eq!(
        stored.body,
        Some(body("Bob", 2)),
        "nothing of it is written"
    );
    make_room(&server).await;
    engine.write(put("Bob", 3)).await.unwrap();
    let read = engine.read(&key("Bob")).await.unwrap();
    assert_eq!(read.record.body, Some(body("Bob", 3)));
    engine.stop(WAIT_TIMEOUT).await;
}
