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

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::error::Error;
use cache_core::membership::Membership;
use cache_core::record::{Record, newest_per_key};
use cache_core::settings::{DatabaseUrl, Secret};
use cache_core::store::mysql::MysqlStore;
use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Store};
use cache_core::user::User;
use cache_core::version::Version;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;
use test_support::records::{CHARACTERS_MAX, valid_name, valid_names, valid_occupation};
use test_support::servers::TestDatabase;
use tokio::task::JoinSet;

use ceilings::expect_newest;
use suite::{for_random, key, new_identity, tombstone, version};

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

async fn an_applied_record_is_loaded_as_it_was(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let john = user("John Doe", 7, 30, "Engineer");
    apply(&*store, &john).await;
    assert_eq!(load(&*store, "John Doe").await, Some(john.clone()));
    assert_eq!(store.page(None, 10).await.unwrap().records, [john]);
}

async fn a_newer_version_replaces_an_older_one(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &user("a", 7, 30, "old")).await;
    let newer = user("a", 8, 31, "new");
    apply(&*store, &newer).await;
    assert_eq!(load(&*store, "a").await, Some(newer));
}

async fn an_older_version_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let held = user("a", 7, 30, "held");
    apply(&*store, &held).await;
    apply(&*store, &user("a", 6, 31, "older")).await;
    apply(&*store, &user("a", 1, 32, "much older")).await;
    assert_eq!(load(&*store, "a").await, Some(held));
}

async fn the_same_version_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let held = user("a", 7, 30, "held");
    apply(&*store, &held).await;
    apply(&*store, &held).await;
    apply(&*store, &user("a", 7, 31, "another")).await;
    apply(&*store, &tombstone(&key("a"), version(7))).await;
    assert_eq!(load(&*store, "a").await, Some(held));
}

async fn each_record_of_a_batch_is_judged_by_itself(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let held: Vec<Record> = (0..9)
        .map(|number| numbered(&format!("{number}"), 100))
        .collect();
    store.apply(&held, Origin::Drained).await.unwrap();
    // Older, the same, newer, and so on.
    let batch: Vec<Record> = (0..12)
        .map(|number| numbered(&format!("{number}"), 99 + number % 3))
        .collect();
    store.apply(&batch, Origin::Drained).await.unwrap();
    for record in &batch {
        let name = record.key.as_str();
        let is_new = name.parse::<u64>().unwrap() >= 9;
        let expected = match record.version.get() {
            99 | 100 if !is_new => numbered(name, 100),
            _ => record.clone(),
        };
        assert_eq!(load(&*store, name).await, Some(expected));
    }
}

async fn versions_from_the_first_to_the_last_are_kept(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for number in [
        1,
        3,
        1 << 31,
        1 << 32,
        Version::now().get(),
        Version::MAX.get() - 1,
    ] {
        let record = numbered("a", number);
        apply(&*store, &record).await;
        assert_eq!(load(&*store, "a").await, Some(record));
        let deleted = tombstone(&key("a"), version(number + 1));
        apply(&*store, &deleted).await;
        assert_eq!(load(&*store, "a").await, Some(deleted.clone()));
        expect_newest(&*store, deleted.version).await;
    }
}

async fn any_order_and_any_repetition_end_in_the_newest(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let versions = vec((0usize..4, 1u64..12, any::<bool>()), 1..25).prop_flat_map(|versions| {
        let twice = [versions.clone(), versions].concat();
        (
            Just(twice.len()).prop_flat_map(|count| 1..=count),
            Just(twice).prop_shuffle(),
        )
    });
    for_random(
        implementation.cases(),
        versions,
        async |(count, versions)| {
            // Names that no other input uses, so that one database is enough.
            let prefix = new_identity();
            let records: Vec<Record> = versions
                .into_iter()
                .take(count)
                .map(|(name, number, deleted)| {
                    // One version of a key is always the same record.
                    let number = number * 2 + u64::from(deleted);
                    let name = format!("{prefix} {name}");
                    if deleted {
                        tombstone(&key(&name), version(number))
                    } else {
                        numbered(&name, number)
                    }
                })
                .collect();
            apply_in_order(&*store, &records).await;
            for newest in newest_per_key(records) {
                assert_eq!(load(&*store, newest.key.as_str()).await, Some(newest));
            }
        },
    )
    .await;
}

async fn writers_that_race_leave_the_newest(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let store = store.clone();
        writers.spawn(async move {
            for turn in 0..6 {
                let number = 1 + turn * 6 + writer;
                let batch: Vec<Record> = (0..20)
                    .map(|name| numbered(&format!("user {name:02}"), number))
                    .collect();
                // A deadlock is no failure: applying again is safe.
                for attempt in 1.. {
                    match store.apply(&batch, Origin::Drained).await {
                        Ok(()) => break,
                        Err(error) => assert!(attempt < 20, "{error}"),
                    }
                }
                let held = load(&*store, "user 07").await.unwrap();
                assert!(held.version >= version(number));
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    for name in 0..20 {
        let name = format!("user {name:02}");
        assert_eq!(load(&*store, &name).await, Some(numbered(&name, 36)));
    }
    assert_eq!(database.ids().len(), 20);
}

// Tombstones

async fn a_tombstone_keeps_its_version_and_hides_the_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for name in ["a", "b", "c"] {
        apply(&*store, &numbered(name, 7)).await;
    }
    let deleted = tombstone(&key("b"), version(8));
    apply(&*store, &deleted).await;
    assert_eq!(load(&*store, "b").await, Some(deleted));
    let left = [numbered("a", 7), numbered("c", 7)];
    assert_eq!(store.page(None, 10).await.unwrap().records, left);
    assert_eq!(page_through(&*store, 1).await, left);
    assert_eq!(
        store.page(Some(&key("b")), 10).await.unwrap().records,
        left[1..]
    );
}

async fn a_name_that_never_was_can_be_deleted(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let deleted = tombstone(&key("a"), version(8));
    apply(&*store, &deleted).await;
    apply(&*store, &numbered("a", 7)).await;
    assert_eq!(load(&*store, "a").await, Some(deleted));
    assert_eq!(store.page(None, 10).await.unwrap().records, []);
}

async fn deleted_stays_deleted_against_an_older_put(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("a", 5)).await;
    let deleted = tombstone(&key("a"), version(8));
    apply(&*store, &deleted).await;
    for number in [5, 6, 7, 8] {
        apply(&*store, &numbered("a", number)).await;
        assert_eq!(load(&*store, "a").await, Some(deleted.clone()));
        assert_eq!(store.page(None, 10).await.unwrap().records, []);
    }
}

async fn a_newer_put_brings_a_deleted_name_back(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &tombstone(&key("a"), version(8))).await;
    let back = numbered("a", 9);
    apply(&*store, &back).await;
    assert_eq!(load(&*store, "a").await, Some(back.clone()));
    assert_eq!(store.page(None, 10).await.unwrap().records, [back]);
}

// Rows

async fn batches_of_every_size_arrive_whole(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let mut all = BTreeMap::new();
    for size in [1, 2, 3, 1_000, 1_024, 1_025, 3_000] {
        let batch: Vec<Record> = (0..size)
            .map(|number| numbered(&format!("{size} {number:04}"), number + 1))
            .collect();
        store.apply(&batch, Origin::Drained).await.unwrap();
        all.extend(batch.into_iter().map(|record| (record.key.clone(), record)));
        let count = database.ids().len();
        assert_eq!(count, all.len(), "after a batch of {size}");
    }
    let all: Vec<Record> = all.into_values().collect();
    let stored = page_through(&*store, 5_000).await;
    assert!(stored == all, "{} of {}", stored.len(), all.len());
}

async fn a_batch_arrives_whole_or_not_at_all(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("0000", 5)).await;
    // A name that a database with a limit refuses, in the second statement.
    let mut batch: Vec<Record> = (0..1_500)
        .map(|number| numbered(&format!("{number:04}"), 7))
        .collect();
    batch.push(numbered(&"z".repeat(CHARACTERS_MAX + 1), 7));
    let applied = store.apply(&batch, Origin::Drained).await;
    let (count, held) = match applied {
        Ok(()) => (batch.len(), numbered("0000", 7)),
        Err(_) => (1, numbered("0000", 5)),
    };
    assert_eq!(database.ids().len(), count, "{applied:?}");
    assert_eq!(load(&*store, "0000").await, Some(held));
    // The store is none the worse for it.
    apply(&*store, &numbered("0000", 8)).await;
    assert_eq!(load(&*store, "0000").await, Some(numbered("0000", 8)));
}

async fn a_body_that_is_no_user_is_refused_and_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let bad = Record {
        body: Some(Bytes::from("{}")),
        ..numbered("b", 7)
    };
    let refused = store
        .apply(&[numbered("a", 7), bad, numbered("c", 7)], Origin::Drained)
        .await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(database.ids(), BTreeMap::new());
}

async fn a_row_keeps_its_id_for_ever(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names: Vec<String> = (0..100).map(|number| format!("user {number}")).collect();
    let first: Vec<Record> = names.iter().map(|name| numbered(name, 5)).collect();
    store.apply(&first, Origin::Drained).await.unwrap();
    let ids = database.ids();
    assert_eq!(ids.len(), names.len());
    for number in [5, 4, 6, 7] {
        let again: Vec<Record> = names
            .iter()
            .rev()
            .map(|name| numbered(name, number))
            .collect();
        store.apply(&again, Origin::Drained).await.unwrap();
        assert_eq!(database.ids(), ids);
    }
    let deleted: Vec<Record> = names
        .iter()
        .map(|name| tombstone(&key(name), version(8)))
        .collect();
    store.apply(&deleted, Origin::Drained).await.unwrap();
    apply(&*store, &numbered("user 7", 9)).await;
    assert_eq!(database.ids(), ids);
}

async fn a_row_that_no_service_wrote_is_older_than_every_write(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    database.execute("INSERT INTO users (name, age, occupation) VALUES ('old', 44, 'Smith')");
    let old = user("old", 0, 44, "Smith");
    assert_eq!(load(&*store, "old").await, Some(old.clone()));
    assert_eq!(store.page(None, 10).await.unwrap().records, [old]);
    let first = numbered("old", 1);
    apply(&*store, &first).await;
    assert_eq!(load(&*store, "old").await, Some(first));
}

// Names and occupations

/// Names that a database may take for one another, or cut, or change.
fn difficult_names() -> Vec<String> {
    let mut names = valid_names();
    for trailing in [
        "\u{200b}", "\u{ad}", "\u{2060}", ".", "-", "_", "%", "\u{301}", "\u{feff}",
    ] {
        names.push(format!("trailing{trailing}"));
    }
    names.push("trailing".to_owned());
    // 1,020 bytes that differ in the last four, and in a bit of these.
    for last in ["😀", "😁", "\u{10ffff}"] {
        names.push(format!("{}{last}", "😀".repeat(CHARACTERS_MAX - 1)));
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

async fn names_are_equal_byte_for_byte_only(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names = difficult_names();
    let records: Vec<Record> = (1..)
        .zip(&names)
        .map(|(number, name)| numbered(name, number))
        .collect();
    for record in &records {
        // None of those before is taken for it.
        assert_eq!(
            store.load(&record.key).await.unwrap(),
            None,
            "{:?}",
            record.key.as_str()
        );
        apply(&*store, record).await;
    }
    let loaded = async || {
        for record in &records {
            let loaded = store.load(&record.key).await.unwrap();
            assert_eq!(loaded.as_ref(), Some(record), "{:?}", record.key.as_str());
        }
    };
    loaded().await;
    store.apply(&records, Origin::Drained).await.unwrap();
    loaded().await;
    let stored: HashSet<String> = database.ids().into_keys().collect();
    assert_eq!(stored, names.into_iter().collect());
}

async fn pages_are_in_the_order_of_bytes_and_complete(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names = difficult_names();
    let records: Vec<Record> = (1..)
        .zip(&names)
        .map(|(number, name)| numbered(name, number))
        .collect();
    store.apply(&records, Origin::Drained).await.unwrap();
    let expected = sorted(records);
    for limit in [1, 2, 7, 50, 10_000] {
        let paged = page_through(&*store, limit).await;
        assert!(paged == expected, "by pages of {limit}");
    }
    for (place, record) in expected.iter().enumerate() {
        let page = store.page(Some(&record.key), 3).await.unwrap().records;
        let end = expected.len().min(place + 4);
        assert_eq!(
            page,
            expected[place + 1..end],
            "after {:?}",
            record.key.as_str()
        );
    }
}

async fn a_page_begins_after_names_that_are_not_there(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for name in ["b", "d", "f"] {
        apply(&*store, &numbered(name, 7)).await;
    }
    for (after, expected) in [
        ("a", &["b", "d"][..]),
        ("b", &["d", "f"]),
        ("bb", &["d", "f"]),
        ("B", &["b", "d"]),
        ("D", &["b", "d"]),
        ("e", &["f"]),
        ("f", &[]),
        ("é", &[]),
    ] {
        let page = store.page(Some(&key(after)), 2).await.unwrap().records;
        let names: Vec<&str> = page.iter().map(|record| record.key.as_str()).collect();
        assert_eq!(names, expected, "after {after}");
    }
    assert_eq!(store.page(None, 0).await.unwrap().records, []);
    assert_eq!(store.page(None, u32::MAX).await.unwrap().records.len(), 3);
}

async fn any_user_comes_back_unchanged(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let users = vec((valid_name(), 0u8..=150, valid_occupation()), 1..12);
    let number = std::cell::Cell::new(0);
    for_random(implementation.cases(), users, async |users| {
        // A name may come again in another input: then with a newer version.
        number.set(number.get() + 1);
        let records = users
            .iter()
            .map(|(name, age, occupation)| user(name, number.get(), *age, occupation));
        let records = newest_per_key(records);
        store.apply(&records, Origin::Drained).await.unwrap();
        for record in records {
            let loaded = store.load(&record.key).await.unwrap().unwrap();
            let shown = |record: &Record| {
                User::from_body(record.key.as_str(), record.body.as_ref().unwrap()).unwrap()
            };
            assert_eq!(
                loaded,
                record,
                "{:?}, not {:?}",
                shown(&loaded),
                shown(&record)
            );
        }
    })
    .await;
}

async fn occupations_are_kept_byte_for_byte(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let long = "😀".repeat(CHARACTERS_MAX);
    let spaces = " ".repeat(CHARACTERS_MAX);
    let occupations = [
        " ",
        "  ",
        "a ",
        " a",
        "a  ",
        "a\t",
        "\0",
        "a\0",
        "\0a",
        "a\0b",
        "\n",
        "\r\n",
        "\u{1}\u{1f}",
        "\u{7f}\u{80}\u{9f}",
        "'",
        "\"",
        "\\",
        "\\0",
        "%_",
        "é",
        "e\u{301}",
        "\u{feff}x",
        "\u{a0}",
        "\u{fffd}",
        "\u{ffff}",
        "NULL",
        &long,
        &spaces,
    ];
    for (number, occupation) in (1..).zip(occupations) {
        let record = user("a", number, 0, occupation);
        apply(&*store, &record).await;
        assert_eq!(load(&*store, "a").await, Some(record), "{occupation:?}");
    }
}

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

contract!(
    [
        sqlite: Implementation::Sqlite,
        mysql: Implementation::Mysql,
    ],
    [
        it_says_that_it_is_up,
        an_empty_database_has_nothing,
        an_applied_record_is_loaded_as_it_was,
        a_newer_version_replaces_an_older_one,
        an_older_version_changes_nothing,
        the_same_version_changes_nothing,
        each_record_of_a_batch_is_judged_by_itself,
        versions_from_the_first_to_the_last_are_kept,
        any_order_and_any_repetition_end_in_the_newest,
        writers_that_race_leave_the_newest,
        a_tombstone_keeps_its_version_and_hides_the_row,
        a_name_that_never_was_can_be_deleted,
        deleted_stays_deleted_against_an_older_put,
        a_newer_put_brings_a_deleted_name_back,
        batches_of_every_size_arrive_whole,
        a_batch_arrives_whole_or_not_at_all,
        a_body_that_is_no_user_is_refused_and_changes_nothing,
        a_row_keeps_its_id_for_ever,
        a_row_that_no_service_wrote_is_older_than_every_write,
        names_are_equal_byte_for_byte_only,
        pages_are_in_the_order_of_bytes_and_complete,
        a_page_begins_after_names_that_are_not_there,
        any_user_comes_back_unchanged,
        occupations_are_kept_byte_for_byte,
        the_newest_version_is_that_of_any_row,
        what_was_applied_is_there_after_reopening,
        the_identity_stays_and_is_the_databases_own,
        a_dropped_load_gives_its_answer_to_no_other_call,
        a_dropped_apply_is_whole_or_did_not_take_place,
    ]
);

// What holds for one product only

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_is_open_in_one_process_only() {
    let database = Implementation::Sqlite.new_database();
    let store = database.open().await;
    let Err(error) = database.try_open().await else {
        panic!("opened twice")
    };
    assert!(
        error.to_string().contains("another process has it open"),
        "{error}"
    );
    drop(store);
    database.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_may_open_a_mysql_database_that_is_not_there_yet() {
    let database = TestDatabase::create();
    database.query_rows(&format!("DROP DATABASE `{}`", database.name()));
    let mut openers = JoinSet::new();
    for number in 0..8 {
        let url = mysql_secret(&database);
        openers.spawn(async move {
            let store = MysqlStore::open(url, MYSQL_CONNECTIONS_MAX, TIMEOUT)
                .await
                .unwrap();
            apply(&store, &numbered(&format!("user {number}"), 7)).await;
            store.identity().to_owned()
        });
    }
    let identities: HashSet<String> = openers.join_all().await.into_iter().collect();
    assert_eq!(identities.len(), 1);
    assert_eq!(database.query_rows("SELECT COUNT(*) FROM users"), [["8"]]);
    assert_eq!(
        database.query_rows("SELECT COUNT(*) FROM users_identity"),
        [["1"]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_database_is_read_and_written_by_several_processes_at_once() {
    let database = Implementation::Mysql.new_database();
    let one = database.open().await;
    let other = database.open().await;
    assert_eq!(one.identity(), other.identity());
    apply(&*one, &numbered("a", 8)).await;
    apply(&*other, &numbered("a", 7)).await;
    assert_eq!(load(&*other, "a").await, Some(numbered("a", 8)));
    apply(&*other, &tombstone(&key("a"), version(9))).await;
    assert_eq!(
        load(&*one, "a").await,
        Some(tombstone(&key("a"), version(9)))
    );
    expect_newest(&*one, version(9)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_a_timed_out_query_gives_its_answer_to_no_other_call() {
    let database = TestDatabase::create();
    let patience = Duration::from_millis(300);
    let store = MysqlStore::open(mysql_secret(&database), 1, patience)
        .await
        .unwrap();
    for name in ["slow", "quick"] {
        store
            .apply(&[numbered(name, 7)], Origin::Drained)
            .await
            .unwrap();
    }
    let mut other = <AsyncMysqlConnection as AsyncConnection>::establish(&database.url())
        .await
        .unwrap();
    other
        .batch_execute("LOCK TABLES users WRITE")
        .await
        .unwrap();
    let refused = store.load(&key("slow")).await;
    assert!(
        matches!(refused, Err(Error::Unavailable { .. })),
        "{refused:?}"
    );
    other.batch_execute("UNLOCK TABLES").await.unwrap();
    for _ in 0..3 {
        for name in ["quick", "slow"] {
            assert_eq!(load(&store, name).await, Some(numbered(name, 7)));
        }
    }
}

/// As after a crash between a statement, which MySQL commits by itself, and the
/// note that it ran. (SQLite commits both at once.)
#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_ran_already_run_again() {
    let database = Implementation::Mysql.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("kept", 7)).await;
    let identity = store.identity().to_owned();
    drop(store);
    database.execute("DELETE FROM __diesel_schema_migrations");
    let store = database.open().await;
    assert_eq!(load(&*store, "kept").await, Some(numbered("kept", 7)));
    assert_eq!(store.identity(), identity);
}

/// The newest first, as an operator who goes back to an older release would.
#[tokio::test(flavor = "multi_thread")]
async fn migrations_that_are_undone_leave_nothing_and_may_run_again() {
    for (implementation, folder) in [
        (Implementation::Sqlite, "sqlite"),
        (Implementation::Mysql, "mysql"),
    ] {
        let database = implementation.new_database();
        let store = database.open().await;
        apply(&*store, &numbered("undone", 7)).await;
        drop(store);
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let folders = std::fs::read_dir(migrations.join(folder)).unwrap();
        let mut folders: Vec<_> = folders.map(|folder| folder.unwrap().path()).collect();
        folders.sort();
        for folder in folders.iter().rev() {
            let down = std::fs::read_to_string(folder.join("down.sql")).unwrap();
            assert!(
                !down.trim().is_empty(),
                "{} undoes nothing",
                folder.display()
            );
            database.execute(&down);
        }
        database.execute("DELETE FROM __diesel_schema_migrations");
        let store = database.open().await;
        assert_eq!(load(&*store, "undone").await, None);
    }
}
