//! What the stores count of what they send, for both databases. The counters are of
//! the process, so one test looks at them at a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says why"
)]

use std::ops::Sub;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cache_core::bypass::protocol::Membership;
use cache_core::error::{Error, Result};
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Condition, Key, Record, Write};
use cache_core::model::version::Version;
use cache_core::settings::DatabaseUrl;
use cache_core::store::mysql::MysqlStore;
use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Proposal, Store};
use cache_core::telemetry::{self, MetricsHandle};
use tempfile::TempDir;
use testkit::servers::TestDatabase;
use tokio::sync::{Mutex, MutexGuard};

const TIMEOUT: Duration = Duration::from_secs(60);
/// One row more than a statement takes.
const MANY: usize = 1025;

static METRICS: OnceLock<MetricsHandle> = OnceLock::new();
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    reads: u64,
    writes: u64,
    rows: u64,
    committed: u64,
    commits: u64,
}

const NOTHING: Counts = Counts {
    reads: 0,
    writes: 0,
    rows: 0,
    committed: 0,
    commits: 0,
};

impl Sub for Counts {
    type Output = Counts;

    fn sub(self, before: Counts) -> Counts {
        Counts {
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            rows: self.rows - before.rows,
            committed: self.committed - before.committed,
            commits: self.commits - before.commits,
        }
    }
}

fn counts() -> Counts {
    let text = METRICS.get().unwrap().render();
    let value = |series: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.expect(series).parse().unwrap()
    };
    Counts {
        reads: value("write_cache_store_statements_total{service=\"test\",kind=\"read\"}"),
        writes: value("write_cache_store_statements_total{service=\"test\",kind=\"write\"}"),
        rows: value("write_cache_store_rows_sent_total{service=\"test\"}"),
        committed: value("write_cache_store_rows_committed_total{service=\"test\"}"),
        commits: value("write_cache_store_commits_total{service=\"test\"}"),
    }
}

/// What is counted while `done` is.
async fn counted<T>(done: impl Future<Output = T>) -> (T, Counts) {
    let before = counts();
    let answer = done.await;
    (answer, counts() - before)
}

/// The same of what must succeed.
async fn count_of<T>(done: impl Future<Output = Result<T>>) -> Counts {
    let (answer, counts) = counted(done).await;
    answer.unwrap();
    counts
}

async fn turn() -> MutexGuard<'static, ()> {
    let turn = ONE_AT_A_TIME.lock().await;
    if METRICS.get().is_none() {
        METRICS
            .set(telemetry::start_metrics("test").unwrap())
            .unwrap();
        // There before anything is sent, so that a rate can be taken.
        assert_eq!(counts(), NOTHING);
    }
    turn
}

trait StoreWithMembers: Store + Membership {}

impl<T: Store + Membership> StoreWithMembers for T {}

async fn sqlite(folder: &TempDir) -> Arc<dyn StoreWithMembers> {
    Arc::new(
        SqliteStore::open(&folder.path().join("users.db"))
            .await
            .unwrap(),
    )
}

async fn mysql(database: &TestDatabase) -> Arc<dyn StoreWithMembers> {
    let Ok(DatabaseUrl::Mysql(url)) = DatabaseUrl::parse(&database.url()) else {
        panic!("TEST_MYSQL_URL is no MySQL URL");
    };
    Arc::new(MysqlStore::open(url, 1, TIMEOUT).await.unwrap())
}

fn record(name: &str, at: u64) -> Record {
    let body = format!(r#"{{"name":"{name}","age":30,"occupation":"Engineer"}}"#);
    Record {
        key: Key::from(name),
        version: Version::new(at).unwrap(),
        body: Some(Bytes::from(body)),
    }
}

fn tombstone(name: &str, at: u64) -> Record {
    Record {
        body: None,
        ..record(name, at)
    }
}

fn many(at: u64) -> Vec<Record> {
    (0..MANY)
        .map(|number| record(&format!("of many {number}"), at))
        .collect()
}

fn proposal(name: &str, condition: Condition) -> Proposal {
    let body = record(name, 1).body.unwrap();
    Proposal {
        write: Write {
            condition,
            ..Write::put(Key::from(name), body)
        },
        version: None,
        beside: None,
    }
}

async fn reads_are_counted_by_statement(store: &dyn StoreWithMembers) {
    let keys: Vec<Key> = many(1).into_iter().map(|record| record.key).collect();
    let three = keys.get(..3).unwrap();
    let reads = |reads| Counts { reads, ..NOTHING };

    assert_eq!(count_of(store.load(&Key::from("none"))).await, reads(1));
    assert_eq!(count_of(store.load_many(&keys)).await, reads(2));
    assert_eq!(count_of(store.versions(three)).await, reads(1));
    assert_eq!(count_of(store.versions(&keys)).await, reads(2));
    assert_eq!(count_of(store.versions(&[])).await, NOTHING);
    assert_eq!(count_of(store.page(None, 10)).await, reads(1));
    assert_eq!(count_of(store.newest_version()).await, reads(1));

    let (health, of_health) = counted(store.health()).await;
    assert!(health.up);
    assert_eq!(of_health, NOTHING);
    assert_eq!(count_of(store.leave("absent")).await, NOTHING);
}

async fn rows_are_counted_when_sent_and_commits_when_done(store: &dyn StoreWithMembers) {
    let drained = Origin::Drained;
    let wrote = |writes, rows, commits| Counts {
        reads: 0,
        writes,
        rows,
        // Of what was not committed, none.
        committed: rows * commits,
        commits,
    };

    // Three rows take a statement for four.
    let three = [record("a", 5), record("b", 5), tombstone("c", 5)];
    assert_eq!(count_of(store.apply(&three, drained)).await, wrote(1, 3, 1));
    // Nothing changes, but that was sent as well.
    assert_eq!(count_of(store.apply(&three, drained)).await, wrote(1, 3, 1));
    assert_eq!(
        count_of(store.apply(&many(5), drained)).await,
        wrote(2, MANY as u64, 1)
    );
    assert_eq!(count_of(store.apply(&[], drained)).await, NOTHING);

    let of_another_epoch = Origin::Issued(Some(Epoch::new(99)));
    let newer = [record("a", 6)];
    let (fenced, of_fenced) = counted(store.apply(&newer, of_another_epoch)).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");
    assert_eq!(of_fenced, wrote(1, 1, 0));
    let (fenced, of_fenced) = counted(store.apply(&many(6), of_another_epoch)).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");
    assert_eq!(of_fenced, wrote(1, MANY as u64 - 1, 0));
}

/// `holds`: how many statements it takes to hold rows, and to remove those that were made
/// for it and not written.
async fn judged_writes_are_counted(store: &dyn StoreWithMembers, holds: u64) {
    let proposals = [
        proposal("new", Condition::Absent),
        proposal("not there", Condition::Exists),
    ];
    let (verdicts, of_one) = counted(store.transact(&proposals, None)).await;
    let verdicts = verdicts.unwrap();
    assert!(
        matches!(
            verdicts[..],
            [Decision::Written(_), Decision::ConditionFailed]
        ),
        "{verdicts:?}"
    );
    let expected = Counts {
        reads: 2,
        writes: 2 * holds + 1,
        rows: 1,
        committed: 1,
        commits: 1,
    };
    assert_eq!(of_one, expected);

    let (verdicts, of_none) = counted(store.transact(&proposals, None)).await;
    assert_eq!(verdicts.unwrap(), [Decision::ConditionFailed; 2]);
    let expected = Counts {
        reads: 2,
        writes: 2 * holds,
        ..NOTHING
    };
    assert_eq!(of_none, expected);

    let fence = Some(Epoch::new(99));
    let (fenced, of_fenced) = counted(store.transact(&proposals, fence)).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");
    let asked = Counts {
        reads: 1,
        ..NOTHING
    };
    assert_eq!(of_fenced, asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_sqlite_is_counted() {
    let _turn = turn().await;
    let folder = TempDir::new().unwrap();
    let (store, of_opening) = counted(sqlite(&folder)).await;
    assert_eq!(of_opening, NOTHING);
    reads_are_counted_by_statement(&*store).await;
    rows_are_counted_when_sent_and_commits_when_done(&*store).await;
    judged_writes_are_counted(&*store, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn what_is_sent_to_mysql_is_counted() {
    let _turn = turn().await;
    let database = TestDatabase::create();
    let (store, of_opening) = counted(mysql(&database)).await;
    assert_eq!(of_opening, NOTHING);
    reads_are_counted_by_statement(&*store).await;
    rows_are_counted_when_sent_and_commits_when_done(&*store).await;
    judged_writes_are_counted(&*store, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs servers"]
async fn what_is_sent_again_on_another_connection_counts_again() {
    let _turn = turn().await;
    let database = TestDatabase::create();
    let store = mysql(&database).await;
    let (first, second) = ([record("a", 5)], [record("a", 6)]);
    // So that one lies in the pool.
    store.apply(&first, Origin::Drained).await.unwrap();
    store.load(&Key::from("a")).await.unwrap();
    let connections = database.connections();
    assert!(!connections.is_empty());
    connections.iter().for_each(|one| database.kill(one));

    let of_two = count_of(store.apply(&second, Origin::Drained)).await;
    let expected = Counts {
        reads: 0,
        writes: 2,
        rows: 2,
        committed: 1,
        commits: 1,
    };
    assert_eq!(of_two, expected);
}
