//! What lies in the record: repeating it changes nothing.

use std::time::{Duration, Instant};

use cache_core::model::record::Record;
use cache_core::store::{Origin, Store};
use testkit::servers::TestDatabase;

use crate::server::open;
use crate::{expect_refused, good, is_refused, is_unavailable, tombstone, user};

const SOON: Duration = Duration::from_secs(10);

/// After `change`, the database refuses `bad`, and the store's one connection
/// stays what it is; also where it has prepared its statements before the change.
async fn after(change: &str, bad: Record) {
    for prepared in [false, true] {
        refuses_after(change, bad.clone(), prepared).await;
    }
}

async fn refuses_after(change: &str, bad: Record, prepared: bool) {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    if prepared {
        let many = ["a", "b", "c"].map(|name| user(&format!("was there {name}"), 7, "short"));
        for records in [&many[..], &many[..1]] {
            store.apply(records, Origin::Drained).await.unwrap();
        }
    }
    database.query_rows(change);
    store.load(&bad.key).await.unwrap();
    // Once the server has noticed that the others are closed.
    let the_only_one = || {
        let deadline = Instant::now() + SOON;
        loop {
            let open = database.connections();
            if open.len() == 1 {
                return open;
            }
            assert!(Instant::now() < deadline, "{open:?}");
        }
    };
    let before = the_only_one();
    expect_refused(&store, bad).await;
    assert_eq!(the_only_one(), before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_text_that_is_too_long() {
    let change = "ALTER TABLE users MODIFY occupation VARCHAR(12) NULL";
    after(change, user("long", 7, "longer than twelve")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_violated_check() {
    let change = "ALTER TABLE users ADD CONSTRAINT young CHECK (age < 100)";
    after(change, user("old", 101, "x")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_trigger_that_signals() {
    let change = "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW BEGIN \
                  IF NEW.age = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; END";
    after(change, user("thirteen", 13, "x")).await;
}

/// The server escapes some of these on their way to the client, but not in what it keeps.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_trigger_that_signals_any_text() {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    let texts = [
        "no",
        "",
        "a\nb",
        "\u{1}",
        "\u{7}",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{200b}",
        "\u{2028}",
        "\u{feff}",
        "😀",
        "100% 'quoted' \\ text",
        "Driver error",
        "Lock wait timeout exceeded",
    ];
    for text in texts {
        let bytes: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let signal = format!(
            "SET text = CONVERT(x'{bytes}' USING utf8mb4); \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = text;"
        );
        refuses_by(&database, &store, &signal).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_trigger_that_signals_any_state() {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    for signal in [
        "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1205;",
        "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1213;",
        "SIGNAL SQLSTATE 'HY000';",
        "SIGNAL SQLSTATE '42000' SET MESSAGE_TEXT = 'no';",
        "SIGNAL SQLSTATE '40001' SET MESSAGE_TEXT = 'no';",
        "SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = 'no';",
        "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION RESIGNAL SQLSTATE '45000'; \
         SIGNAL SQLSTATE 'HY000'; END;",
        "CASE NEW.age WHEN 1 THEN SET text = 'one'; END CASE;",
        "SET text = CAST('abc' AS SIGNED); SIGNAL SQLSTATE '45000';",
    ] {
        refuses_by(&database, &store, signal).await;
    }
}

/// A trigger that runs `statements` for one record refuses it, alone and among others.
async fn refuses_by(database: &TestDatabase, store: &dyn Store, statements: &str) {
    let trigger = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW BEGIN \
         DECLARE text VARCHAR(100) CHARACTER SET utf8mb4; \
         IF NEW.age = 13 THEN {statements} END IF; END"
    );
    database.query_rows(&trigger);
    let bad = user("thirteen", 13, "x");
    for batch in [&[good("before"), bad.clone(), good("after")][..], &[bad]] {
        let applied = store.apply(batch, Origin::Drained).await;
        assert!(is_refused(&applied), "{statements:?}: {applied:?}");
    }
    store
        .apply(&[good("before")], Origin::Drained)
        .await
        .unwrap();
    database.query_rows("DROP TRIGGER refuse");
    database.query_rows("DELETE FROM users");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_row_of_another_table_that_is_missing() {
    let change = "CREATE TABLE jobs (job VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin \
                  NOT NULL PRIMARY KEY); INSERT INTO jobs VALUES ('short'), ('as before'), \
                  ('as zz after'); ALTER TABLE users ADD FOREIGN KEY (occupation) REFERENCES jobs (job)";
    after(change, user("jobless", 7, "unknown")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_generated_column_that_is_too_narrow() {
    let change = "ALTER TABLE users ADD tight VARCHAR(12) AS (occupation) STORED";
    after(change, user("long", 7, "longer than twelve")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_character_that_the_column_does_not_have() {
    let change = "ALTER TABLE users MODIFY occupation VARCHAR(255) CHARACTER SET latin1 NULL";
    after(change, user("emoji", 7, "😀")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_null_where_there_must_be_none() {
    let change = "ALTER TABLE users MODIFY age SMALLINT NOT NULL";
    after(change, tombstone("gone")).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_number_out_of_range() {
    let change = "ALTER TABLE users MODIFY age TINYINT NULL";
    after(change, user("old", 150, "x")).await;
}

/// Not what `ON DUPLICATE KEY UPDATE` does by itself: it would change the row
/// of the other name.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_value_that_another_row_has_in_an_index_of_its_own() {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    database.query_rows("ALTER TABLE users ADD UNIQUE KEY of_its_own (occupation)");
    let first = user("first", 1, "taken");
    store
        .apply(std::slice::from_ref(&first), Origin::Drained)
        .await
        .unwrap();
    let mut second = user("second", 2, "taken");
    for version in [7, 8] {
        second.version = cache_core::model::version::Version::new(version).unwrap();
        expect_refused_once(&store, &second).await;
        assert_eq!(store.load(&first.key).await.unwrap().as_ref(), Some(&first));
    }
}

async fn expect_refused_once(store: &dyn Store, bad: &Record) {
    let applied = store
        .apply(std::slice::from_ref(bad), Origin::Drained)
        .await;
    assert!(is_refused(&applied), "{applied:?}");
    assert_eq!(store.load(&bad.key).await.unwrap(), None);
}

/// Most rows in one statement.
const ROWS_MAX: usize = 1024;

/// One statement says what it is refused for; a transaction of several may not,
/// and is tried again with fewer.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_record_among_many() {
    let database = TestDatabase::create();
    let store = open(&database.url()).await;
    database.query_rows("ALTER TABLE users ADD CONSTRAINT young CHECK (age < 100)");
    let mut batch: Vec<Record> = (0..=ROWS_MAX)
        .map(|row| good(&format!("row {row:04}")))
        .collect();
    batch[ROWS_MAX - 1] = user("row old", 101, "x");
    let applied = store.apply(&batch, Origin::Drained).await;
    assert!(
        is_refused(&applied) || is_unavailable(&applied),
        "{applied:?}"
    );
    let applied = store.apply(&batch[..ROWS_MAX], Origin::Drained).await;
    assert!(is_refused(&applied), "{applied:?}");
    let count = || database.query_rows("SELECT COUNT(*) FROM users");
    assert_eq!(count(), [["0"]]);
    store
        .apply(&batch[..ROWS_MAX - 1], Origin::Drained)
        .await
        .unwrap();
    assert_eq!(count(), [[(ROWS_MAX - 1).to_string()]]);
}
