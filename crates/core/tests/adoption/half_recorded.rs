//! Migrations whose record does not agree with the tables.

use crate::classic::CLASSIC;
use crate::mysql::Mysql;
use crate::{Database, all, expect_usable, expect_users, on_both, refusal, user};

const RECORD: &str = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
    run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

on_both!(
    records_without_tables_are_not_believed,
    a_classic_table_is_adopted_whatever_is_recorded,
    a_classic_table_in_place_of_ours_is_adopted,
    columns_that_are_missing_are_made,
    an_index_that_is_missing_is_made,
    columns_that_are_not_recorded_are_recorded,
    tables_that_others_rely_on_are_not_made_again,
);

fn record(database: &impl Database, migrations: impl IntoIterator<Item = u32>) {
    database.execute(RECORD);
    for migration in migrations {
        database.execute(&format!(
            "INSERT INTO __diesel_schema_migrations (version) VALUES ('{migration:014}')"
        ));
    }
}

async fn records_without_tables_are_not_believed(database: impl Database) {
    record(&database, 1..=5);
    let store = database.start().await.unwrap();
    expect_users(&all(&*store).await, &[]);
}

async fn a_classic_table_is_adopted_whatever_is_recorded(database: impl Database) {
    database.execute(CLASSIC);
    database.execute("INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A')");
    record(&database, [1, 2, 6]);
    let store = database.start().await.unwrap();
    expect_users(&all(&*store).await, &[user("Ann", 20, "A")]);
    expect_usable(&*store, "Ann").await;
}

async fn a_classic_table_in_place_of_ours_is_adopted(database: impl Database) {
    let identity = database.start().await.unwrap().identity().to_owned();
    database.execute("DROP TABLE users");
    database.execute(CLASSIC);
    database.execute("INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A')");
    let store = database.start().await.unwrap();
    assert_eq!(store.identity(), identity);
    expect_users(&all(&*store).await, &[user("Ann", 20, "A")]);
    expect_usable(&*store, "Ann").await;
}

async fn columns_that_are_missing_are_made(database: impl Database) {
    drop(database.start().await.unwrap());
    database.execute("ALTER TABLE users DROP COLUMN judged");
    drop(database.start().await.unwrap());
    database.rows("SELECT judged FROM users");
}

async fn an_index_that_is_missing_is_made(database: impl Database) {
    drop(database.start().await.unwrap());
    database.drop_index_of_users("users_tombstones");
    drop(database.start().await.unwrap());
    // Fails where there is none.
    database.drop_index_of_users("users_tombstones");
}

async fn columns_that_are_not_recorded_are_recorded(database: impl Database) {
    drop(database.start().await.unwrap());
    database.execute("DELETE FROM __diesel_schema_migrations");
    drop(database.start().await.unwrap());
    database.execute("DROP TABLE __diesel_schema_migrations");
    drop(database.start().await.unwrap());
}

async fn tables_that_others_rely_on_are_not_made_again(database: impl Database) {
    for (lose, what) in [
        ("DELETE FROM cache_epoch", "cache_epoch is empty"),
        ("DROP TABLE cache_epoch", "cache_epoch is not there"),
        ("DROP TABLE users", "users is not there"),
    ] {
        drop(database.start().await.unwrap());
        database.execute(lose);
        let said = refusal(database.start().await);
        assert!(said.contains(what), "{lose}: {said}");
        // What the sentence says.
        database.execute("DROP TABLE users_identity");
    }
    let store = database.start().await.unwrap();
    expect_users(&all(&*store).await, &[]);
}

/// As a release makes it that clusters the table by id; and again after a crash before the
/// migration was recorded.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_table_of_an_earlier_release_is_clustered_by_name() {
    let mysql = Mysql::new();
    mysql.execute(CLASSIC);
    mysql.execute(
        "INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A'), ('Bob', 20, 'B')",
    );
    let store = mysql.start().await.unwrap();
    expect_usable(&*store, "Bob").await;
    drop(store);
    let table = "SHOW CREATE TABLE users";
    let rows = "SELECT id, name, age, occupation, version, deleted_at FROM users ORDER BY id";
    let (table_before, rows_before) = (mysql.rows(table), mysql.rows(rows));
    mysql.execute(include_str!(
        "../../../../migrations/mysql/00000000000013_cluster_users_by_name/down.sql"
    ));
    mysql.execute("ALTER TABLE users RENAME KEY users_name TO of_names");
    for recorded in [false, false, true] {
        if !recorded {
            let last = "00000000000013";
            mysql.execute(&format!(
                "DELETE FROM __diesel_schema_migrations WHERE version = '{last}'"
            ));
        }
        drop(mysql.start().await.unwrap());
        assert_eq!(mysql.rows(table), table_before);
        assert_eq!(mysql.rows(rows), rows_before);
    }
}

/// The state that releases have left which did not look at the table.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_classic_table_that_an_older_release_has_altered() {
    let mysql = Mysql::new();
    drop(mysql.start().await.unwrap());
    mysql.execute("DROP TABLE users");
    mysql.execute(CLASSIC);
    mysql.execute("ALTER TABLE users ADD COLUMN judged TINYINT NOT NULL DEFAULT 0");
    mysql.execute("INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A')");
    let store = mysql.start().await.unwrap();
    expect_usable(&*store, "Ann").await;
}
