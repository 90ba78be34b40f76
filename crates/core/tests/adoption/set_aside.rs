//! Rows that cannot stay.

use crate::classic::CLASSIC;
use crate::{
    DRY_NEWEST, Database, MIGRATE, NEWEST, all, expect_usable, expect_users, on_both, refusal, user,
};

on_both!(
    older_rows_are_set_aside_and_the_newest_stay,
    rows_that_break_the_rules_are_set_aside,
    rows_are_set_aside_in_several_batches,
    what_a_crash_has_left_is_continued,
    rows_set_aside_before_are_never_mixed_up,
);

const DUPLICATES: &str = "INSERT INTO users (id, name, age, occupation) VALUES (1, 'Ann', 20, 'A'), \
    (2, 'Bob', 30, 'B'), (4, 'Ann', 21, 'AA'), (7, 'Ann', 22, 'AAA'), (8, 'Eve', 40, 'E')";

async fn older_rows_are_set_aside_and_the_newest_stay(database: impl Database) {
    database.execute(CLASSIC);
    database.execute(DUPLICATES);
    let before = database.everything();
    for _ in 0..2 {
        let said = refusal(database.start().await);
        for part in [
            "2 of 5 rows",
            "id 1, 4",
            "migrate --adopt=newest",
            "--dry-run",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        refusal(database.migrate(MIGRATE).await);
        let would = database.migrate(DRY_NEWEST).await.unwrap().join("\n");
        assert!(would.contains("would be"), "{would}");
        assert!(would.contains("2 of 5 rows"), "{would}");
    }
    assert!(before == database.everything(), "something was changed");

    let done = database.migrate(NEWEST).await.unwrap().join("\n");
    assert!(
        done.contains("moved to the table users_set_aside"),
        "{done}"
    );
    database.migrate(NEWEST).await.unwrap();
    let store = database.start().await.unwrap();
    let expected = [
        user("Ann", 22, "AAA"),
        user("Bob", 30, "B"),
        user("Eve", 40, "E"),
    ];
    expect_users(&all(&*store).await, &expected);
    expect_usable(&*store, "Ann").await;
    drop(store);
    let ids = database.rows("SELECT id, name FROM users ORDER BY id");
    assert_eq!(ids, [["2", "Bob"], ["7", "Ann"], ["8", "Eve"]]);
    let aside =
        database.rows("SELECT id, name, age, occupation, reason FROM users_set_aside ORDER BY id");
    let reason = "an older row of the same name";
    assert_eq!(
        aside,
        [
            ["1", "Ann", "20", "A", reason],
            ["4", "Ann", "21", "AA", reason]
        ]
    );
}

async fn rows_that_break_the_rules_are_set_aside(database: impl Database) {
    database.execute(CLASSIC);
    database.execute(
        "INSERT INTO users (id, name, age, occupation) VALUES (1, 'old', 200, 'A'), (2, '', 1, 'B'), \
         (3, ' padded', 1, 'C'), (4, 'padded ', 1, 'D'), (5, 'unborn', -1, 'E'), (6, 'idle', 1, ''), \
         (7, 'fine', 1, 'G'), (8, 'twice', 1, 'H'), (9, 'twice', 151, 'I'), (-3, 'early', 1, 'J')",
    );
    let before = database.everything();
    let said = refusal(database.start().await);
    for part in [
        "8 of 10 rows",
        "age must be a whole number from 0 to 150 (id 1, 5, 9)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(before == database.everything(), "something was changed");
    database.migrate(NEWEST).await.unwrap();
    let store = database.start().await.unwrap();
    // The newest row of a name that keeps the rules.
    expect_users(
        &all(&*store).await,
        &[user("fine", 1, "G"), user("twice", 1, "H")],
    );
    drop(store);
    let aside = database.rows("SELECT id, age FROM users_set_aside ORDER BY id");
    let expected = [
        ["-3", "1"],
        ["1", "200"],
        ["2", "1"],
        ["3", "1"],
        ["4", "1"],
        ["5", "-1"],
        ["6", "1"],
        ["9", "151"],
    ];
    assert_eq!(aside, expected);
    // No number is given out again, not even one that was set aside.
    let ids = database.rows("SELECT id, name FROM users ORDER BY id");
    assert_eq!(ids, [["7", "fine"], ["8", "twice"]]);
}

async fn rows_are_set_aside_in_several_batches(database: impl Database) {
    database.execute(CLASSIC);
    let rows = (1..=3_500).map(|id| format!("({id}, 'name {}', 1, 'of {id}')", id % 500));
    let rows: Vec<String> = rows.collect();
    let insert = format!(
        "INSERT INTO users (id, name, age, occupation) VALUES {}",
        rows.join(", ")
    );
    database.execute(&insert);
    database.migrate(NEWEST).await.unwrap();
    let store = database.start().await.unwrap();
    let found = all(&*store).await;
    assert_eq!(found.len(), 500);
    assert_eq!(found["name 499"], user("name 499", 1, "of 3499"));
    drop(store);
    let aside = database.rows("SELECT COUNT(*) FROM users_set_aside");
    assert_eq!(aside, [["3000"]]);
}

/// A process that died has set some rows aside and made nothing else.
async fn what_a_crash_has_left_is_continued(database: impl Database) {
    database.execute(CLASSIC);
    database.execute(DUPLICATES);
    database.execute(
        "CREATE TABLE users_set_aside (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255) NOT NULL, \
         age INT NOT NULL, occupation VARCHAR(255) NOT NULL, reason VARCHAR(255) NOT NULL); \
         INSERT INTO users_set_aside SELECT id, name, age, occupation, 'x' FROM users WHERE id = 1; \
         DELETE FROM users WHERE id = 1",
    );
    refusal(database.start().await);
    database.migrate(NEWEST).await.unwrap();
    let aside = database.rows("SELECT id, name FROM users_set_aside ORDER BY id");
    assert_eq!(aside, [["1", "Ann"], ["4", "Ann"]]);
}

async fn rows_set_aside_before_are_never_mixed_up(database: impl Database) {
    for (create, why) in [
        ("CREATE TABLE users_set_aside (id INT)", "no column name"),
        (
            "CREATE TABLE users_set_aside AS SELECT id, name, age, occupation, 'x' AS reason FROM users \
             WHERE id = 4",
            "1 rows already",
        ),
    ] {
        database.execute("DROP TABLE IF EXISTS users; DROP TABLE IF EXISTS users_set_aside");
        database.execute(CLASSIC);
        database.execute(DUPLICATES);
        database.execute(create);
        let before = database.everything();
        let said = refusal(database.migrate(NEWEST).await);
        assert!(
            said.contains(why) && said.contains("users_set_aside"),
            "{said}"
        );
        assert!(before == database.everything(), "something was changed");
    }
}
