//! What lies in the server: it passes, so no record is refused for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cache_core::error::Result;
use cache_core::model::record::Record;
use cache_core::model::version::Version;
use cache_core::store::mysql::MysqlStore;
use cache_core::store::{Origin, Store};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use testkit::proxy::ChaosProxy;
use testkit::servers::TestDatabase;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::server::{Locked, PlainUser, connect, open};
use crate::{good, is_locked, is_unavailable, user};

/// What lets the server take records again must come soon.
const SOON: Duration = Duration::from_secs(10);

/// Applying `a` and `b`, of which the second has to wait for the holder.
struct Applying {
    store: Arc<MysqlStore>,
    seen: Arc<AtomicBool>,
    applied: JoinHandle<Result<()>>,
}

impl Applying {
    /// Retries a statement that timed out, until it was seen to wait.
    async fn begin(url: &str) -> Applying {
        let (store, seen) = (Arc::new(open(url).await), Arc::new(AtomicBool::new(false)));
        let (applying, was_seen) = (store.clone(), seen.clone());
        let applied = tokio::spawn(async move {
            loop {
                let both = [good("a"), good("b")];
                let applied = applying.apply(&both, Origin::Drained).await;
                if !is_locked(&applied) || was_seen.load(Ordering::SeqCst) {
                    return applied;
                }
            }
        });
        Applying {
            store,
            seen,
            applied,
        }
    }

    /// The id of the connection that waits.
    async fn waits(&self, locked: &Locked) -> String {
        let id = locked.waiting().await;
        self.seen.store(true, Ordering::SeqCst);
        id
    }
}

/// It failed, nothing of it is there, and it is taken once the holder has gone.
async fn expect_passing(mut locked: Locked, store: &dyn Store, applied: Result<()>) {
    assert!(
        is_unavailable(&applied) || is_locked(&applied),
        "{applied:?}"
    );
    let _ = locked.holder.batch_execute("ROLLBACK").await;
    let a = store.load(&good("a").key).await.unwrap().unwrap();
    assert_eq!(a.version.get(), 1, "nothing was committed");
    store
        .apply(&[good("a"), good("b")], Origin::Drained)
        .await
        .unwrap();
    assert_eq!(store.load(&good("b").key).await.unwrap(), Some(good("b")));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_lock_that_is_not_given_in_time() {
    let locked = Locked::new().await;
    let Applying {
        store,
        seen,
        applied,
    } = Applying::begin(&locked.database.url()).await;
    seen.store(true, Ordering::SeqCst);
    let applied = applied.await.unwrap();
    assert!(is_locked(&applied), "{applied:?}");
    expect_passing(locked, &*store, applied).await;
}

/// What the server notes about another record of the batch, which it takes, is
/// not why it failed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_lock_that_is_not_given_after_a_note_that_data_are_cut() {
    let locked = Locked::new().await;
    let store = open(&locked.database.url()).await;
    let narrow = "ALTER TABLE users MODIFY occupation \
                  VARCHAR(5) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL";
    let url = locked.database.url();
    let mut plain = connect(&url).await;
    let mut locked = locked;
    let _ = locked.holder.batch_execute("ROLLBACK").await;
    plain.batch_execute(narrow).await.unwrap();
    plain.batch_execute("SET sql_notes = 1").await.unwrap();
    store
        .apply(
            &[user("a", 7, "short"), user("b", 7, "short")],
            Origin::Drained,
        )
        .await
        .unwrap();
    locked.holder.batch_execute("BEGIN").await.unwrap();
    let hold = "UPDATE users SET age = 3 WHERE name = 'b'";
    locked.holder.batch_execute(hold).await.unwrap();
    let cut = |name: &str| Record {
        version: Version::new(8).unwrap(),
        ..user(name, 8, "xyz         ")
    };
    let applied = store.apply(&[cut("a"), cut("b")], Origin::Drained).await;
    assert!(is_locked(&applied), "{applied:?}");
    locked.holder.batch_execute("ROLLBACK").await.unwrap();
    store
        .apply(&[cut("a"), cut("b")], Origin::Drained)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_deadlock() {
    let mut locked = Locked::new().await;
    let applying = Applying::begin(&locked.database.url()).await;
    applying.waits(&locked).await;
    // The store has changed less, so it is the one that gives way.
    let update = "UPDATE users SET age = 3 WHERE name = 'a'";
    locked.holder.batch_execute(update).await.unwrap();
    let Applying { store, applied, .. } = applying;
    let applied = applied.await.unwrap();
    expect_passing(locked, &*store, applied).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_connection_that_is_killed() {
    let locked = Locked::new().await;
    let applying = Applying::begin(&locked.database.url()).await;
    let id = applying.waits(&locked).await;
    locked.database.query_rows(&format!("KILL {id}"));
    let Applying { store, applied, .. } = applying;
    let applied = applied.await.unwrap();
    expect_passing(locked, &*store, applied).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_statement_that_is_killed() {
    let locked = Locked::new().await;
    let applying = Applying::begin(&locked.database.url()).await;
    let id = applying.waits(&locked).await;
    locked.database.query_rows(&format!("KILL QUERY {id}"));
    let Applying { store, applied, .. } = applying;
    let applied = applied.await.unwrap();
    expect_passing(locked, &*store, applied).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_server_that_is_gone() {
    let locked = Locked::new().await;
    let url = locked.database.url();
    let proxy = ChaosProxy::before(&url);
    let applying = Applying::begin(&proxy.url(&url)).await;
    let id = applying.waits(&locked).await;
    proxy.cut();
    let Applying { store, applied, .. } = applying;
    let applied = applied.await.unwrap();
    let again = store.apply(&[good("a"), good("b")], Origin::Drained).await;
    assert!(is_unavailable(&again), "{again:?}");
    // The server goes on with what it was told before.
    locked.database.query_rows(&format!("KILL {id}"));
    proxy.restore();
    expect_passing(locked, &*store, applied).await;
}

/// Lets the server take writes again, whatever becomes of the test.
struct Writable<'d>(&'d TestDatabase);

impl Drop for Writable<'_> {
    fn drop(&mut self) {
        self.0.query_rows("SET GLOBAL read_only = 0");
    }
}

/// What one test does to all users without privileges, the other must not meet.
static WITHOUT_PRIVILEGES: Mutex<()> = Mutex::const_new(());

/// For users like those of a service: other tests have privileges.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_server_that_only_reads() {
    let _alone = WITHOUT_PRIVILEGES.lock().await;
    let database = TestDatabase::create();
    let plain = PlainUser::new(&database);
    let store = open(&plain.url()).await;
    {
        let _writable = Writable(&database);
        database.query_rows("SET GLOBAL read_only = 1");
        for _ in 0..2 {
            let applied = store.apply(&[good("a")], Origin::Drained).await;
            assert!(is_unavailable(&applied), "{applied:?}");
            assert_eq!(store.load(&good("a").key).await.unwrap(), None);
        }
    }
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_server_that_takes_no_more_connections() {
    let _alone = WITHOUT_PRIVILEGES.lock().await;
    let database = TestDatabase::create();
    let plain = PlainUser::new(&database);
    let store = open(&plain.url()).await;
    plain.may_connect_once();
    // Once the server has noticed that the one which migrated is closed.
    let deadline = Instant::now() + SOON;
    let other = loop {
        match AsyncMysqlConnection::establish(&plain.url()).await {
            Ok(other) => break other,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    let applied = store.apply(&[good("a")], Origin::Drained).await;
    assert!(is_unavailable(&applied), "{applied:?}");
    drop(other);
    let deadline = Instant::now() + SOON;
    while let Err(error) = store.apply(&[good("a")], Origin::Drained).await {
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_table_that_is_not_there() {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    database.query_rows("RENAME TABLE users TO elsewhere");
    let applied = store.apply(&[good("a")], Origin::Drained).await;
    assert!(is_unavailable(&applied), "{applied:?}");
    database.query_rows("RENAME TABLE elsewhere TO users");
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
}

/// As a full disk, which no test can have.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_table_that_is_full() {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    let mut other = connect(&database.url()).await;
    let small = "SET SESSION max_heap_table_size = 16384; ALTER TABLE users ENGINE = MEMORY";
    other.batch_execute(small).await.unwrap();
    let mut applied = Ok(());
    for row in 0..1_000 {
        applied = store
            .apply(&[good(&format!("row {row}"))], Origin::Drained)
            .await;
        if applied.is_err() {
            break;
        }
    }
    assert!(is_unavailable(&applied), "{applied:?}");
    database.query_rows("DELETE FROM users");
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
}
