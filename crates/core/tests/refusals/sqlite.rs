//! The same for SQLite.

use std::path::Path;

use cache_core::model::record::Write;
use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Proposal, Store};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{expect_refused, good, is_refused, is_unavailable, tombstone, user};

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

/// SQL that replaces the table by one with other columns for age and occupation.
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

/// It is recognised by its number: the text is the trigger's own, and may be that of an outage.
#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_raises() {
    let (_folder, store, mut other) = open().await;
    let texts = [
        "no",
        "",
        "database is locked",
        "disk I/O error",
        "a\nb",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
    ];
    for how in ["ABORT", "FAIL", "ROLLBACK"] {
        for text in texts {
            let trigger = format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON users WHEN NEW.age = 13 \
                 BEGIN SELECT RAISE({how}, '{text}'); END"
            );
            other.batch_execute(&trigger).unwrap();
            let bad = user("thirteen", 13, "x");
            for batch in [&[bad.clone(), good("after")][..], &[bad]] {
                let applied = store.apply(batch, Origin::Drained).await;
                assert!(is_refused(&applied), "{how} {text:?}: {applied:?}");
            }
            store
                .apply(&[good("after")], Origin::Drained)
                .await
                .unwrap();
            other
                .batch_execute("DROP TRIGGER refuse; DELETE FROM users")
                .unwrap();
        }
    }
}

/// More rows than one statement takes, and conditions, are in a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_raises_in_a_transaction() {
    let (_folder, store, mut other) = open().await;
    for when in ["INSERT", "UPDATE"] {
        let trigger = format!(
            "CREATE TRIGGER refuse BEFORE {when} ON users WHEN NEW.age = 13 \
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        );
        other.batch_execute(&trigger).unwrap();
        let bad = user("thirteen", 13, "x");
        if when == "INSERT" {
            let mut many: Vec<_> = (0..1_100).map(|row| good(&format!("row {row}"))).collect();
            many.push(bad.clone());
            let applied = store.apply(&many, Origin::Drained).await;
            assert!(is_refused(&applied), "{applied:?}");
        } else {
            store
                .apply(&[user("thirteen", 12, "x")], Origin::Drained)
                .await
                .unwrap();
        }
        let proposal = Proposal {
            write: Write::put(bad.key.clone(), bad.body.clone().unwrap()),
            version: None,
            beside: None,
        };
        let judged = store.transact(&[proposal], None).await.map(drop);
        assert!(is_refused(&judged), "{when}: {judged:?}");
        other.batch_execute("DROP TRIGGER refuse").unwrap();
    }
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
}

/// What fails in a trigger is not the record's fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_whose_table_is_not_there() {
    let (_folder, store, mut other) = open().await;
    let trigger = "CREATE TABLE log (name TEXT); CREATE TRIGGER log BEFORE INSERT ON users \
                   BEGIN INSERT INTO log VALUES (NEW.name); END; DROP TABLE log";
    other.batch_execute(trigger).unwrap();
    let applied = store.apply(&[good("a")], Origin::Drained).await;
    assert!(is_unavailable(&applied), "{applied:?}");
    other.batch_execute("CREATE TABLE log (name TEXT)").unwrap();
    store.apply(&[good("a")], Origin::Drained).await.unwrap();
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
