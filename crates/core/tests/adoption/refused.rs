//! Tables of other programs that cannot be adopted: the refusal says what differs, and
//! nothing is changed.

use crate::mysql::Mysql;
use crate::sqlite::Sqlite;
use crate::{Database, MIGRATE, NEWEST, all, expect_users, refusal};

async fn expect_refused(database: &impl Database, create: &str, parts: &[&str]) {
    database.execute(create);
    let before = database.everything();
    for said in [
        refusal(database.start().await),
        refusal(database.migrate(MIGRATE).await),
        refusal(database.migrate(NEWEST).await),
    ] {
        for part in parts {
            assert!(said.contains(part), "{create}: {part}: {said}");
        }
    }
    assert!(before == database.everything(), "{create} was changed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn of_mysql() {
    let classic = "id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL, age INT NOT NULL";
    let whole = format!("{classic}, occupation VARCHAR(255) NOT NULL");
    for (create, parts) in [
        ("CREATE TABLE users (name VARCHAR(9) PRIMARY KEY)".to_owned(), &["no column id", "no column age"][..]),
        (format!("CREATE TABLE users ({classic}, occupation VARCHAR(255) NULL)"), &["occupation may be NULL"]),
        (format!("CREATE TABLE users ({classic}, occupation TEXT NOT NULL)"), &["occupation is text"]),
        (format!("CREATE TABLE users ({whole}, email VARCHAR(9) NOT NULL)"), &["email", "without a default"]),
        (format!("CREATE TABLE users ({whole}, version INT NULL)"), &["version"]),
        (format!("CREATE TABLE users ({whole}, twice INT AS (age * 2))"), &["computed column twice"]),
        (format!("CREATE TABLE users ({whole}, UNIQUE (occupation))"), &["unique key on occupation"]),
        (format!("CREATE TABLE users ({whole}, UNIQUE (name(9)))"), &["unique key on name(9)"]),
        (format!("CREATE TABLE users ({whole}, CHECK (age > 1))"), &["CHECK"]),
        (format!("CREATE TABLE users ({whole}) ENGINE = MyISAM"), &["MyISAM"]),
        (format!("CREATE TABLE users ({whole}) PARTITION BY HASH (id) PARTITIONS 2"), &["partitioned"]),
        (
            format!("CREATE TABLE people ({whole}); CREATE VIEW users AS SELECT * FROM people"),
            &["a view"],
        ),
        (
            format!("CREATE TABLE users ({whole}); CREATE TABLE pets (owner INT, FOREIGN KEY (owner) REFERENCES users (id))"),
            &["pets", "foreign key"],
        ),
        (
            format!("CREATE TABLE users ({whole}); CREATE TRIGGER mine BEFORE INSERT ON users FOR EACH ROW SET NEW.age = 1"),
            &["trigger mine"],
        ),
        (
            "CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(255) NOT NULL, age INT NOT NULL, \
             occupation VARCHAR(255) NOT NULL)".to_owned(),
            &["not AUTO_INCREMENT"],
        ),
    ] {
        expect_refused(&Mysql::new(), &create, parts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sqlite() {
    let classic = "id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER NOT NULL";
    let whole = format!("{classic}, occupation TEXT NOT NULL");
    for (create, parts) in [
        ("CREATE TABLE users (name TEXT PRIMARY KEY)".to_owned(), &["no column id", "no column age"][..]),
        (format!("CREATE TABLE users ({classic}, occupation TEXT)"), &["occupation may be NULL"]),
        (format!("CREATE TABLE users ({whole}, email TEXT NOT NULL)"), &["email", "without a default"]),
        (format!("CREATE TABLE users ({whole}, judged INTEGER)"), &["judged"]),
        (format!("CREATE TABLE users ({whole}, twice INT AS (age * 2))"), &["computed column twice"]),
        (format!("CREATE TABLE users ({whole}, UNIQUE (occupation))"), &["unique key on occupation"]),
        (format!("CREATE TABLE users ({whole}, CHECK (age > 1))"), &["CHECK"]),
        (
            format!("CREATE TABLE people ({whole}); CREATE VIEW users AS SELECT * FROM people"),
            &["a view"],
        ),
        (
            format!("CREATE TABLE users ({whole}); CREATE TRIGGER mine AFTER INSERT ON users BEGIN SELECT 1; END"),
            &["trigger mine"],
        ),
        (
            "CREATE TABLE users (id INT PRIMARY KEY, name TEXT NOT NULL, age INT NOT NULL, occupation TEXT NOT NULL)"
                .to_owned(),
            &["id is int, not integer"],
        ),
    ] {
        expect_refused(&Sqlite::new(), &create, parts).await;
    }
}

/// Renaming the table is enough.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_renamed_table_is_in_the_way_no_more() {
    let mysql = Mysql::new();
    expect_refused(
        &mysql,
        "CREATE TABLE users (name VARCHAR(9) PRIMARY KEY)",
        &["no column id"],
    )
    .await;
    mysql.execute("RENAME TABLE users TO users_old");
    let store = mysql.start().await.unwrap();
    expect_users(&all(&*store).await, &[]);
}
