//! The same for SQLite.

use std::path::Path;

use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Store};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{expect_refused, good, is_unavailable, tombstone, user};

/// The folder must outlive the store.
async fn open() -> (TempDir, SqliteStore, SqliteConnection) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let store = SqliteStore::open(&path).await.unwrap();
    (folder, store, connect(&path))
}

fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

/// The table anew, with other columns for age and occupation.
fn with_columns(columns: &str) -> String {
    format!(
        "DROP TABLE users; CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \
         name TEXT NOT NULL UNIQUE, {columns}, version INTEGER NOT NULL DEFAULT 0, \
         deleted_at TIMESTAMP NULL, judged INTEGER NOT NULL DEFAULT 0)"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_another_row_has_in_an_index_of_its_own() {
    let (_folder, store, mut other) = open().await;
    let unique = "CREATE UNIQUE INDEX of_its_own ON users (occupation)";
    other.batch_execute(unique).unwrap();
    let first = user("first", 1, "taken");
    store
        .apply(std::slice::from_ref(&first), Origin::Drained)
        .await
        .unwrap();
    expect_refused(&store, user("second", 2, "taken")).await;
    assert_eq!(store.load(&first.key).await.unwrap(), Some(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violated_check() {
    let (_folder, store, mut other) = open().await;
    let columns = with_columns("age INTEGER NULL CHECK (age < 100), occupation TEXT NULL");
    other.batch_execute(&columns).unwrap();
    expect_refused(&store, user("old", 101, "x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_where_there_must_be_none() {
    let (_folder, store, mut other) = open().await;
    let columns = with_columns("age INTEGER NOT NULL, occupation TEXT NULL");
    other.batch_execute(&columns).unwrap();
    expect_refused(&store, tombstone("gone")).await;
}

/// It should be refused, but the driver keeps SQLite's code to itself, and the
/// text is the trigger's own: it might as well be an outage. So it is tried
/// again, and holds up the journal until the trigger is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_raises_cannot_be_told_from_an_outage() {
    let (_folder, store, mut other) = open().await;
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON users WHEN NEW.age = 13 \
                   BEGIN SELECT RAISE(ABORT, 'no'); END";
    other.batch_execute(trigger).unwrap();
    let applied = store
        .apply(&[good("a"), user("b", 13, "x")], Origin::Drained)
        .await;
    assert!(is_unavailable(&applied), "{applied:?}");
    assert_eq!(store.load(&good("a").key).await.unwrap(), None);
    other.batch_execute("DROP TRIGGER refuse").unwrap();
    store
        .apply(&[good("a"), user("b", 13, "x")], Origin::Drained)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_writes() {
    let (_folder, store, mut other) = open().await;
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    let applied = store.apply(&[good("a")], Origin::Drained).await;
    assert!(is_unavailable(&applied), "{applied:?}");
    other.batch_execute("ROLLBACK").unwrap();
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
    assert_eq!(store.load(&good("a").key).await.unwrap(), Some(good("a")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there() {
    let (_folder, store, mut other) = open().await;
    other
        .batch_execute("ALTER TABLE users RENAME TO elsewhere")
        .unwrap();
    let applied = store.apply(&[good("a")], Origin::Drained).await;
    assert!(is_unavailable(&applied), "{applied:?}");
    other
        .batch_execute("ALTER TABLE elsewhere RENAME TO users")
        .unwrap();
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
}
