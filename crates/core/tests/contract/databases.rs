//! What holds for one kind of database only, and for the migrations of each.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use cache_core::error::Error;
use cache_core::store::mysql::MysqlStore;
use cache_core::store::{Origin, Store as _};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection as _};
use testkit::servers::TestDatabase;
use tokio::task::JoinSet;

use crate::ceilings::expect_newest;
use crate::suite::{key, tombstone, version};
use crate::{Implementation, MYSQL_CONNECTIONS_MAX, TIMEOUT, apply, load, mysql_secret, numbered};

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
#[ignore = "needs servers"]
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
#[ignore = "needs servers"]
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
#[ignore = "needs servers"]
async fn mysql_a_timed_out_query_gives_its_answer_to_no_other_call() {
    let database = TestDatabase::create();
    let wait_timeout = Duration::from_millis(300);
    let store = MysqlStore::open(mysql_secret(&database), 1, wait_timeout)
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
#[ignore = "needs servers"]
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
#[ignore = "needs servers"]
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
