//! The classic table, whose rows all stay.

use crate::mysql::Mysql;
use crate::{Database, MIGRATE, all, expect_usable, expect_users, on_both, user};

pub(crate) const CLASSIC: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, \
    name VARCHAR(255) NOT NULL, age INT NOT NULL, occupation VARCHAR(255) NOT NULL)";

on_both!(
    an_empty_table_is_adopted,
    rows_keep_their_ids_and_are_usable,
    migrate_adopts_as_a_start_does,
    more_columns_and_keys_stay,
);

async fn an_empty_table_is_adopted(database: impl Database) {
    database.execute(CLASSIC);
    for _ in 0..2 {
        let store = database.start().await.unwrap();
        expect_users(&all(&*store).await, &[]);
    }
}

async fn rows_keep_their_ids_and_are_usable(database: impl Database) {
    database.execute(CLASSIC);
    database.execute(
        "INSERT INTO users (id, name, age, occupation) VALUES (3, 'Ann', 20, 'A'), \
         (5, 'Bob', 150, 'B'), (9, 'gone', 1, 'x'); DELETE FROM users WHERE id = 9",
    );
    let expected = [user("Ann", 20, "A"), user("Bob", 150, "B")];
    for _ in 0..2 {
        let store = database.start().await.unwrap();
        expect_users(&all(&*store).await, &expected);
    }
    let store = database.start().await.unwrap();
    expect_usable(&*store, "Ann").await;
    let new = cache_core::model::record::Record {
        key: "new".into(),
        version: cache_core::model::version::Version::new(9).unwrap(),
        body: Some(user("new", 1, "n").to_body()),
    };
    let origin = cache_core::store::Origin::Drained;
    store.apply(&[new], origin).await.unwrap();
    drop(store);
    let ids = database.rows("SELECT id, name FROM users ORDER BY id");
    assert_eq!(ids[..2], [["3", "Ann"], ["5", "Bob"]]);
    // Not one that a row had which is deleted.
    let id: i64 = ids[2][0].parse().unwrap();
    assert!(id > 9, "{id}");
}

async fn migrate_adopts_as_a_start_does(database: impl Database) {
    database.execute(CLASSIC);
    database.execute("INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A')");
    let done = database.migrate(MIGRATE).await.unwrap().join("\n");
    assert!(done.contains("adopted with 1 rows"), "{done}");
    let store = database.start().await.unwrap();
    expect_users(&all(&*store).await, &[user("Ann", 20, "A")]);
}

async fn more_columns_and_keys_stay(database: impl Database) {
    database.execute(CLASSIC);
    database.execute(
        "ALTER TABLE users ADD COLUMN email VARCHAR(99) NULL; \
         ALTER TABLE users ADD COLUMN country VARCHAR(2) NOT NULL DEFAULT 'XY'; \
         CREATE INDEX by_email ON users (email); CREATE UNIQUE INDEX by_name ON users (name); \
         INSERT INTO users (name, age, occupation, email) VALUES ('Ann', 20, 'A', 'a@b')",
    );
    let store = database.start().await.unwrap();
    expect_usable(&*store, "Ann").await;
    let rows = database.rows("SELECT email, country FROM users");
    assert_eq!(rows, [["a@b", "XY"]]);
}

/// Of each character set that a server may have had as its default.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn characters_of_any_set_are_kept() {
    for (charset, collation, name) in [
        ("latin1", "latin1_swedish_ci", "Zoë €"),
        ("utf8mb3", "utf8mb3_general_ci", "Ωmega 漢字"),
        ("utf8mb4", "utf8mb4_general_ci", "emoji 😀"),
        ("ucs2", "ucs2_general_ci", "漢字"),
        ("cp1251", "cp1251_general_ci", "Жанна"),
    ] {
        for format in ["DYNAMIC", "COMPACT", "REDUNDANT"] {
            let mysql = Mysql::new();
            mysql.execute(&format!(
                "CREATE TABLE users (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, \
                 name VARCHAR(255) NOT NULL, age INT NOT NULL, occupation VARCHAR(255) NOT NULL) \
                 CHARACTER SET {charset} COLLATE {collation} ROW_FORMAT = {format}; \
                 INSERT INTO users VALUES (4, '{name}', 7, 'is {name}')"
            ));
            let store = mysql.start().await.unwrap();
            let expected = user(name, 7, &format!("is {name}"));
            expect_users(&all(&*store).await, &[expected]);
            expect_usable(&*store, name).await;
        }
    }
}

/// What a collation takes for one name is several for the services.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn names_that_differ_by_a_byte_are_all_kept() {
    let mysql = Mysql::new();
    mysql.execute(&format!(
        "{CLASSIC} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    ));
    mysql.execute(
        "INSERT INTO users (name, age, occupation) VALUES ('ann', 1, 'a'), ('Ann', 2, 'b'), \
         ('ANN', 3, 'c'), ('änn', 4, 'd'), ('Änn', 5, 'e'), ('a nn', 6, 'f'), ('ß', 7, 'g'), \
         ('ss', 8, 'h'), ('😀', 9, 'i'), ('😁', 10, 'j')",
    );
    let store = mysql.start().await.unwrap();
    let names = [
        "ann", "Ann", "ANN", "änn", "Änn", "a nn", "ß", "ss", "😀", "😁",
    ];
    let occupations = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let expected: Vec<_> = (1..)
        .zip(names.iter().zip(occupations))
        .map(|(age, (name, occupation))| user(name, age, occupation))
        .collect();
    expect_users(&all(&*store).await, &expected);
    for name in names {
        expect_usable(&*store, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn of_many_starts_at_once_one_adopts() {
    let mysql = Mysql::new();
    mysql.execute(CLASSIC);
    mysql.execute("INSERT INTO users (name, age, occupation) VALUES ('Ann', 20, 'A')");
    let starts = (0..6).map(|_| {
        let url = mysql.database.url();
        tokio::spawn(async move { crate::mysql::start_at(&url).await })
    });
    for start in starts.collect::<Vec<_>>() {
        let store = start.await.unwrap().unwrap();
        expect_users(&all(&*store).await, &[user("Ann", 20, "A")]);
    }
}

/// An upsert uses up a number even where it updates.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn ids_go_on_above_what_an_int_holds() {
    let mysql = Mysql::new();
    mysql.execute(CLASSIC);
    mysql.execute("INSERT INTO users VALUES (2147483647, 'last', 20, 'A')");
    let store = mysql.start().await.unwrap();
    expect_usable(&*store, "last").await;
    let new = cache_core::model::record::Record {
        key: "new".into(),
        version: cache_core::model::version::Version::new(9).unwrap(),
        body: Some(user("new", 1, "n").to_body()),
    };
    let origin = cache_core::store::Origin::Drained;
    store.apply(&[new], origin).await.unwrap();
    let rows = mysql.rows("SELECT id > 2147483647 FROM users WHERE name = 'new'");
    assert_eq!(rows, [["1"]]);
}
