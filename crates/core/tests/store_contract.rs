//! What every store promises, run for every implementation. A new one joins by
//! a name in [`Implementation`] and a line in the list at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

#[macro_use]
#[path = "contract/suite.rs"]
mod suite;

/// Each test on every store.
macro_rules! on_every_store {
    ($tests:tt) => {
        contract!(
            [
                sqlite: Implementation::Sqlite,
                #[ignore = "needs servers"]
                mysql: Implementation::Mysql,
            ],
            $tests
        );
    };
}

#[path = "contract/broken_rows.rs"]
mod broken_rows;

#[path = "contract/ceilings.rs"]
mod ceilings;

#[path = "contract/dropped_calls.rs"]
mod dropped_calls;

#[path = "contract/fences.rs"]
mod fences;

#[path = "contract/judged_rows.rs"]
mod judged_rows;

#[path = "contract/members.rs"]
mod members;

#[path = "contract/row_locks.rs"]
mod row_locks;

#[path = "contract/tombstones.rs"]
mod tombstones;

#[path = "contract/transactions.rs"]
mod transactions;

#[path = "contract/applied_records.rs"]
mod applied_records;

#[path = "contract/users_and_pages.rs"]
mod users_and_pages;

#[path = "contract/databases.rs"]
mod databases;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cache_core::bypass::protocol::Membership;
use cache_core::model::record::Record;
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::settings::{DatabaseUrl, Secret};
use cache_core::store::mysql::MysqlStore;
use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Store};
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use tempfile::TempDir;
use testkit::servers::TestDatabase;
use tokio::task::JoinSet;

use ceilings::expect_newest;
use suite::{key, tombstone, version};

#[derive(Clone, Copy, Debug)]
enum Implementation {
    Sqlite,
    Mysql,
}

/// A test's own database. It is there after the store was dropped.
#[derive(Debug)]
enum Database {
    Sqlite(TempDir),
    Mysql(TestDatabase),
}

const MYSQL_CONNECTIONS_MAX: usize = 4;
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, QueryableByName)]
struct IdAndName {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
}

/// What a database is to the services.
trait StoreWithMembers: Store + Membership {}

impl<T: Store + Membership> StoreWithMembers for T {}

impl Implementation {
    fn new_database(self) -> Database {
        match self {
            Implementation::Sqlite => Database::Sqlite(TempDir::new().unwrap()),
            Implementation::Mysql => Database::Mysql(TestDatabase::create()),
        }
    }

    /// How many inputs a property is tried on.
    fn cases(self) -> u32 {
        match self {
            Implementation::Sqlite => 60,
            Implementation::Mysql => 25,
        }
    }
}

impl Database {
    async fn try_open(&self) -> cache_core::error::Result<Arc<dyn StoreWithMembers>> {
        Ok(match self {
            Database::Sqlite(folder) => {
                Arc::new(SqliteStore::open(&folder.path().join("below/users.db")).await?)
            }
            Database::Mysql(database) => Arc::new(
                MysqlStore::open(mysql_secret(database), MYSQL_CONNECTIONS_MAX, TIMEOUT).await?,
            ),
        })
    }

    /// With what it knows of the processes.
    async fn open_with_members(&self) -> Arc<dyn StoreWithMembers> {
        self.try_open().await.unwrap()
    }

    async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.unwrap()
    }

    fn sqlite(&self) -> Option<SqliteConnection> {
        match self {
            Database::Sqlite(folder) => {
                let path = folder.path().join("below/users.db");
                Some(SqliteConnection::establish(path.to_str().unwrap()).unwrap())
            }
            Database::Mysql(_) => None,
        }
    }

    /// Runs a statement past the store.
    fn execute(&self, sql: &str) {
        match self {
            Database::Sqlite(_) => {
                sql_query(sql).execute(&mut self.sqlite().unwrap()).unwrap();
            }
            Database::Mysql(database) => {
                database.query_rows(sql);
            }
        }
    }

    /// The id of every row, tombstones included.
    fn ids(&self) -> BTreeMap<String, i64> {
        const SELECT: &str = "SELECT id, name FROM users ORDER BY id";
        let rows: Vec<(String, i64)> = match self {
            Database::Sqlite(_) => {
                let rows: Vec<IdAndName> =
                    sql_query(SELECT).load(&mut self.sqlite().unwrap()).unwrap();
                rows.into_iter().map(|row| (row.name, row.id)).collect()
            }
            Database::Mysql(database) => {
                let rows = database.query_rows(SELECT).into_iter();
                rows.map(|row| (row[1].clone(), row[0].parse().unwrap()))
                    .collect()
            }
        };
        let count = rows.len();
        let ids: BTreeMap<String, i64> = rows.into_iter().collect();
        assert_eq!(ids.len(), count, "one row a name");
        ids
    }
}

fn mysql_secret(database: &TestDatabase) -> Secret {
    let Ok(DatabaseUrl::Mysql(url)) = DatabaseUrl::parse(&database.url()) else {
        panic!("TEST_MYSQL_URL is no MySQL URL");
    };
    url
}

fn user(name: &str, number: u64, age: u8, occupation: &str) -> Record {
    let user = User {
        name: name.to_owned(),
        age,
        occupation: occupation.to_owned(),
    };
    Record {
        key: key(name),
        version: version(number),
        body: Some(user.to_body()),
    }
}

/// A user whose body tells its version.
fn numbered(name: &str, number: u64) -> Record {
    user(
        name,
        number,
        (number % 151) as u8,
        &format!("occupation {number}"),
    )
}

async fn apply(store: &dyn Store, record: &Record) {
    store
        .apply(std::slice::from_ref(record), Origin::Drained)
        .await
        .unwrap();
}

/// Applies in the order that is given, each batch with a key at most once.
async fn apply_in_order(store: &dyn Store, records: &[Record]) {
    let mut batch: Vec<Record> = Vec::new();
    for record in records {
        if batch.iter().any(|other| other.key == record.key) {
            store.apply(&batch, Origin::Drained).await.unwrap();
            batch.clear();
        }
        batch.push(record.clone());
    }
    store.apply(&batch, Origin::Drained).await.unwrap();
}

async fn load(store: &dyn Store, name: &str) -> Option<Record> {
    store.load(&key(name)).await.unwrap()
}

async fn page_through(store: &dyn Store, limit: u32) -> Vec<Record> {
    let mut all: Vec<Record> = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(after.as_ref(), limit).await.unwrap();
        assert!(page.records.len() <= limit as usize);
        all.extend(page.records);
        assert!(
            all.is_sorted_by(|one, next| one.key < next.key),
            "it goes in circles"
        );
        if page.next.is_none() {
            return all;
        }
        assert_ne!(after, page.next, "it stands still");
        after = page.next;
    }
}

fn sorted(records: impl IntoIterator<Item = Record>) -> Vec<Record> {
    let mut records: Vec<Record> = records.into_iter().collect();
    records.sort_by(|one, other| {
        one.key
            .as_str()
            .as_bytes()
            .cmp(other.key.as_str().as_bytes())
    });
    records
}

async fn it_says_that_it_is_up(implementation: Implementation) {
    let database = implementation.new_database();
    let health = database.open().await.health().await;
    assert!(health.up, "{health:?}");
    assert_eq!(health.problem, None);
    assert!(!health.at.contains("root:"), "{}", health.at);
}

async fn an_empty_database_has_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    assert_eq!(load(&*store, "a").await, None);
    assert_eq!(store.page(None, 10).await.unwrap().records, []);
    assert_eq!(store.newest_version().await.unwrap(), Version::ZERO);
    store.apply(&[], Origin::Drained).await.unwrap();
    assert_eq!(database.ids(), BTreeMap::new());
}

// Versions

// Tombstones

// Rows

// Names and occupations

// The database as a whole

async fn the_newest_version_is_that_of_any_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("a", 50)).await;
    apply(&*store, &numbered("b", 40)).await;
    expect_newest(&*store, version(50)).await;
    apply(&*store, &tombstone(&key("b"), version(60))).await;
    expect_newest(&*store, version(60)).await;
    apply(&*store, &numbered("c", 55)).await;
    expect_newest(&*store, version(60)).await;
}

async fn what_was_applied_is_there_after_reopening(implementation: Implementation) {
    let database = implementation.new_database();
    let records: Vec<Record> = (0..50)
        .map(|number| numbered(&format!("{number:02}"), 7))
        .collect();
    for chunk in records.chunks(20) {
        let store = database.open().await;
        store.apply(chunk, Origin::Drained).await.unwrap();
    }
    let store = database.open().await;
    assert_eq!(page_through(&*store, 9).await, records);
    expect_newest(&*store, version(7)).await;
}

async fn the_identity_stays_and_is_the_databases_own(implementation: Implementation) {
    let database = implementation.new_database();
    let identity = {
        let store = database.open().await;
        apply(&*store, &numbered("a", 7)).await;
        store.identity().to_owned()
    };
    assert_eq!(identity.len(), 16);
    assert!(
        identity
            .chars()
            .all(|digit| matches!(digit, '0'..='9' | 'a'..='f')),
        "{identity}"
    );
    assert_eq!(database.open().await.identity(), identity);
    assert_eq!(database.open().await.identity(), identity);

    let other = implementation.new_database();
    assert_ne!(other.open().await.identity(), identity);
}

// Futures that are dropped

/// A load that is dropped midway must not leave its answer to the next one.
async fn a_dropped_load_gives_its_answer_to_no_other_call(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let records: Vec<Record> = (0..100)
        .map(|number| numbered(&format!("user {number:02}"), number + 1))
        .collect();
    store.apply(&records, Origin::Drained).await.unwrap();
    let mut loads = JoinSet::new();
    for (place, record) in records.iter().cycle().take(600).cloned().enumerate() {
        let store = store.clone();
        loads.spawn(async move {
            if place % 2 == 0 {
                let until_dropped = Duration::from_micros(fastrand::u64(..30_000));
                // As when the client hangs up.
                let _ = tokio::time::timeout(until_dropped, store.load(&record.key)).await;
            } else {
                assert_eq!(store.load(&record.key).await.unwrap(), Some(record));
            }
        });
    }
    while let Some(ended) = loads.join_next().await {
        ended.unwrap();
    }
    for record in &records {
        assert_eq!(
            store.load(&record.key).await.unwrap().as_ref(),
            Some(record)
        );
    }
}

/// An apply that is dropped midway takes place whole or not at all, and the
/// next ones are not part of it.
async fn a_dropped_apply_is_whole_or_did_not_take_place(implementation: Implementation) {
    const ROWS: u64 = 1_100;
    const ROUNDS: u64 = 24;
    let database = implementation.new_database();
    let store = database.open().await;
    // So that there are other connections than the one that is dropped.
    let loads: JoinSet<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            async move { load(&*store, "last").await }
        })
        .collect();
    assert_eq!(loads.join_all().await, vec![None; 20]);
    for round in 1..=ROUNDS {
        // Two statements in one transaction.
        let batch: Vec<Record> = (0..ROWS)
            .map(|number| numbered(&format!("{number:04}"), round * 2))
            .collect();
        let until_dropped = Duration::from_micros(fastrand::u64(..20_000));
        let _ = tokio::time::timeout(until_dropped, store.apply(&batch, Origin::Drained)).await;
        let last = numbered("last", round * 2 + 1);
        apply(&*store, &last).await;
        assert_eq!(load(&*store, "last").await, Some(last));
        // Where it goes on, it ends now or later, as a whole.
        let versions: HashMap<Version, usize> =
            store.page(None, 5_000).await.unwrap().records.iter().fold(
                HashMap::new(),
                |mut counts, record| {
                    *counts.entry(record.version).or_default() += 1;
                    counts
                },
            );
        let of_batches = versions
            .iter()
            .filter(|(version, _)| version.get() % 2 == 0);
        for (version, count) in of_batches {
            assert_eq!(*count as u64, ROWS, "rows at {version} in round {round}");
        }
    }
    // What was committed is seen by another process, too.
    drop(store);
    let store = database.open().await;
    assert_eq!(
        load(&*store, "last").await,
        Some(numbered("last", ROUNDS * 2 + 1))
    );
}

on_every_store!([
    it_says_that_it_is_up,
    an_empty_database_has_nothing,
    the_newest_version_is_that_of_any_row,
    what_was_applied_is_there_after_reopening,
    the_identity_stays_and_is_the_databases_own,
    a_dropped_load_gives_its_answer_to_no_other_call,
    a_dropped_apply_is_whole_or_did_not_take_place,
]);

// What holds for one product only
