//! Tables of ours that were changed by hand.

use crate::mysql::Mysql;
use crate::sqlite::Sqlite;
use crate::{Database, MIGRATE, refusal};

async fn expect_refused(database: &impl Database, change: &str, parts: &[&str]) {
    drop(database.start().await.unwrap());
    database.execute(change);
    let before = database.everything();
    for said in [
        refusal(database.start().await),
        refusal(database.migrate(MIGRATE).await),
    ] {
        for part in parts {
            assert!(said.contains(part), "{change}: {part}: {said}");
        }
    }
    assert!(
        before == database.everything(),
        "{change} was followed by a change"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn of_mysql() {
    for (change, parts) in [
        (
            "ALTER TABLE users DROP PRIMARY KEY",
            &["no unique key on name"][..],
        ),
        (
            "ALTER TABLE users DROP PRIMARY KEY, ADD KEY users_name (name)",
            &["no unique key on name"],
        ),
        (
            "ALTER TABLE users DROP INDEX users_id, ADD KEY users_id (id)",
            &["no unique key on id"],
        ),
        (
            "ALTER TABLE users MODIFY name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL",
            &["utf8mb4_general_ci, not utf8mb4_bin"],
        ),
        (
            "ALTER TABLE users MODIFY id INT NOT NULL AUTO_INCREMENT",
            &["users.id is int, not bigint unsigned"],
        ),
        (
            "ALTER TABLE users MODIFY id BIGINT UNSIGNED NOT NULL",
            &["users.id is not AUTO_INCREMENT"],
        ),
        (
            "ALTER TABLE users MODIFY age SMALLINT NOT NULL",
            &["users.age may not be NULL"],
        ),
        (
            "ALTER TABLE users MODIFY age TINYINT NULL",
            &["users.age is tinyint"],
        ),
        (
            "ALTER TABLE users MODIFY occupation VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
            &["users.occupation may not be NULL"],
        ),
        (
            "ALTER TABLE users MODIFY version BIGINT NULL",
            &["users.version may be NULL"],
        ),
        (
            "ALTER TABLE users MODIFY version BIGINT NOT NULL",
            &["users.version has no default"],
        ),
        (
            "ALTER TABLE users MODIFY deleted_at DATETIME NULL",
            &["users.deleted_at is datetime"],
        ),
        (
            "ALTER TABLE users ADD COLUMN email VARCHAR(9) NOT NULL",
            &["a column email more"],
        ),
        (
            "ALTER TABLE users DROP CONSTRAINT users_live_is_whole",
            &["no CHECK constraint"],
        ),
        ("ALTER TABLE cache_members ENGINE = MyISAM", &["MyISAM"]),
        (
            "ALTER TABLE cache_epoch MODIFY epoch INT NOT NULL",
            &["cache_epoch.epoch is int"],
        ),
        (
            "ALTER TABLE cache_members DROP PRIMARY KEY",
            &["cache_members has no primary key on process"],
        ),
    ] {
        expect_refused(&Mysql::new(), change, parts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sqlite() {
    let rest = "age INTEGER NULL, occupation TEXT NULL, version INTEGER NOT NULL DEFAULT 0, \
                deleted_at TIMESTAMP NULL, judged INTEGER NOT NULL DEFAULT 0, \
                CHECK (deleted_at IS NOT NULL OR (age IS NOT NULL AND occupation IS NOT NULL))";
    let id = "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT";
    for (columns, parts) in [
        (
            format!("{id}, name TEXT NOT NULL, {rest}"),
            "no unique key on name",
        ),
        (
            format!("{id}, name TEXT COLLATE NOCASE NOT NULL UNIQUE, {rest}"),
            "no unique key on name",
        ),
        (
            format!("{id}, name TEXT UNIQUE, {rest}"),
            "users.name may be NULL",
        ),
        (
            format!("id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, {rest}"),
            "users.id is not AUTO_INCREMENT",
        ),
    ] {
        let change = format!(
            "DROP TABLE users; CREATE TABLE users ({columns}); CREATE INDEX users_version ON users (version)"
        );
        expect_refused(&Sqlite::new(), &change, &[parts]).await;
    }
}

/// What no statement of the services can notice.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn additions_are_tolerated() {
    for change in [
        "ALTER TABLE users ADD COLUMN email VARCHAR(9) NULL",
        "ALTER TABLE users ADD COLUMN country VARCHAR(2) NOT NULL DEFAULT 'XY'",
        "ALTER TABLE users ADD KEY by_age (age)",
        "ALTER TABLE users ADD CONSTRAINT young CHECK (age < 200)",
        "CREATE TABLE of_another_program (a INT)",
    ] {
        let mysql = Mysql::new();
        drop(mysql.start().await.unwrap());
        mysql.execute(change);
        mysql.start().await.unwrap();
    }
}
