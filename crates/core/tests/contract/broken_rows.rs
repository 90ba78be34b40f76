//! What every store promises of rows that other programs have written and that break the
//! rules: each is found by its own name only, and none hides another.

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Write};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Page, Proposal, ROWS_PASSED_MAX, Store};
use diesel::{RunQueryDsl, sql_query};

use crate::suite::{key, tombstone, version};
use crate::{Database, Implementation, apply, load, numbered, page_through, user};

impl Database {
    /// Inserts a row that the table's own check would refuse.
    fn insert_unchecked(&self, values: &str) {
        let insert =
            format!("INSERT INTO users (name, age, occupation, version) VALUES ({values})");
        match self {
            Database::Sqlite(_) => {
                let mut connection = self.sqlite().unwrap();
                for sql in ["PRAGMA ignore_check_constraints = ON", &insert] {
                    sql_query(sql).execute(&mut connection).unwrap();
                }
            }
            Database::Mysql(database) => {
                let drop = "ALTER TABLE users DROP CONSTRAINT users_live_is_whole";
                let check = "SELECT 1 FROM information_schema.table_constraints WHERE \
                     table_schema = DATABASE() AND constraint_name = 'users_live_is_whole'";
                if !database.query_rows(check).is_empty() {
                    database.query_rows(drop);
                }
                database.query_rows(&insert);
            }
        }
    }
}

/// Names with which a row is broken, as SQL has them.
const BROKEN_NAMES: &[&str] = &[" c", "c\u{a0}", "c\u{1}c", "\u{3000}c"];

/// A row for each rule that can be broken: its name, the values, and the field.
fn broken_rows(implementation: Implementation) -> Vec<(String, String, &'static str)> {
    let mut rows = vec![
        ("aged", "'aged', 200, 'x', 7", "age"),
        ("negative", "'negative', -1, 'x', 7", "age"),
        ("ageless", "'ageless', NULL, 'x', 7", "age"),
        ("idle", "'idle', 30, '', 7", "occupation"),
        ("jobless", "'jobless', 30, NULL, 7", "occupation"),
    ]
    .into_iter()
    .map(|(name, values, field)| (name.to_owned(), values.to_owned(), field))
    .collect::<Vec<_>>();
    let mut names: Vec<String> = BROKEN_NAMES.iter().map(|name| (*name).to_owned()).collect();
    names.push(String::new());
    if let Implementation::Sqlite = implementation {
        names.push("c".repeat(256));
        names.push("c".repeat(3_000));
    }
    for name in names {
        let values = format!("'{name}', 30, 'x', 7");
        rows.push((name, values, "name"));
    }
    rows
}

async fn a_broken_row_says_which_rule_it_breaks(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("fine", 7)).await;
    for (name, values, expected) in broken_rows(implementation) {
        database.insert_unchecked(&values);
        let loaded = store.load(&key(&name)).await;
        let keys = [&name, "fine", "none"].map(key);
        let mut many = store.load_many(&keys).await.unwrap();
        assert_eq!(
            many.remove(&key("fine")).unwrap().unwrap(),
            numbered("fine", 7)
        );
        let of_many = many.remove(&key(&name)).unwrap().unwrap_err();
        assert_eq!(
            of_many.to_string(),
            loaded.as_ref().unwrap_err().to_string()
        );
        assert_eq!(many.len(), 0, "{many:?}");
        let Err(error @ Error::BrokenRow { field, .. }) = loaded else {
            panic!("{name:?}: {loaded:?}")
        };
        assert_eq!(field, expected, "{name:?}");
        let shown = error.to_string();
        assert!(name.is_empty() || !shown.contains(&name), "{shown}");
    }
    assert_eq!(load(&*store, "fine").await, Some(numbered("fine", 7)));
}

async fn broken_rows_hide_no_user_from_any_page(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let users: Vec<_> = ["a", "b", "bb", "c", "cc", "h", "j", "z", "é"]
        .map(|name| numbered(name, 7))
        .into();
    store.apply(&users, Origin::Drained).await.unwrap();
    for (_, values, _) in broken_rows(implementation) {
        database.insert_unchecked(&values);
    }
    for limit in [1, 2, 3, 5, 100] {
        let paged = page_through(&*store, limit).await;
        assert!(paged == users, "by pages of {limit}: {paged:?}");
    }
}

/// MySQL takes a padded name for the name itself; SQLite for another.
async fn a_padded_name_hides_nothing_and_is_mended(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    database.insert_unchecked("'ann  ', 30, 'x', 7");
    apply(&*store, &numbered("bob", 7)).await;
    for after in ["ann ", "ann", "ann  "] {
        let page = store.page(Some(&key(after)), 10).await.unwrap();
        assert_eq!(page.records, [numbered("bob", 7)], "{after:?}");
    }
    let is_found = matches!(
        store.load(&key("ann")).await,
        Err(Error::BrokenRow { field: "name", .. })
    );
    assert_eq!(is_found, matches!(implementation, Implementation::Mysql));
    apply(&*store, &numbered("ann", 8)).await;
    assert_eq!(load(&*store, "ann").await, Some(numbered("ann", 8)));
    let users = [numbered("ann", 8), numbered("bob", 7)];
    assert_eq!(page_through(&*store, 1).await, users);
}

async fn a_write_or_a_delete_replaces_a_broken_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for origin in [Origin::Drained, Origin::Issued(None)] {
        let age = "'aged', 200, 'x', 0";
        database.insert_unchecked(age);
        let mended = numbered("aged", 8);
        store
            .apply(std::slice::from_ref(&mended), origin)
            .await
            .unwrap();
        assert_eq!(load(&*store, "aged").await, Some(mended));
        database.execute("UPDATE users SET age = 200");
        let deleted = tombstone(&key("aged"), version(9));
        store
            .apply(std::slice::from_ref(&deleted), origin)
            .await
            .unwrap();
        assert_eq!(load(&*store, "aged").await, Some(deleted));
        database.execute("DELETE FROM users");
    }
}

fn proposal(name: &str, condition: Condition) -> Proposal {
    let mut write = Write::put(key(name), user(name, 1, 40, "mended").body.unwrap());
    write.condition = condition;
    Proposal {
        write,
        version: None,
        beside: None,
    }
}

async fn a_broken_row_is_a_value_to_a_condition(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let mut names = vec!["aged"];
    database.insert_unchecked("'aged', 200, 'x', 0");
    if let Implementation::Mysql = implementation {
        names.push("ann");
        database.insert_unchecked("'ann ', 30, 'x', 0");
    }
    for name in names {
        let creates = store
            .transact(&[proposal(name, Condition::Absent)], None)
            .await;
        assert_eq!(creates.unwrap(), [Decision::ConditionFailed], "{name}");
        let replaces = store
            .transact(&[proposal(name, Condition::Exists)], None)
            .await;
        assert!(
            matches!(replaces.unwrap()[..], [Decision::Written(_)]),
            "{name}"
        );
        let mended = load(&*store, name).await.unwrap();
        assert_eq!(mended.body, user(name, 1, 40, "mended").body, "{name}");
    }
}

async fn versions_are_those_of_broken_rows_too(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("fine", 8)).await;
    apply(&*store, &tombstone(&key("gone"), version(9))).await;
    database.insert_unchecked("'aged', 200, 'x', 7");
    let names = ["fine", "gone", "aged", "none"].map(key);
    let versions = store.versions(&names).await.unwrap();
    let of = |name| versions.get(&key(name)).copied();
    assert_eq!(
        ["fine", "gone", "aged", "none"].map(of),
        [Some(version(8)), Some(version(9)), Some(version(7)), None]
    );
}

/// Else the row could never be written again, and no clock could be seeded.
async fn an_impossible_version_is_older_than_every_write(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("fine", 50)).await;
    for number in [-1, i64::MIN + 1, 1 << 53, i64::MAX] {
        for origin in [Origin::Drained, Origin::Issued(None)] {
            let newest = store.newest_version().await.unwrap();
            database.insert_unchecked(&format!("'wild', 40, 'x', {number}"));
            assert_eq!(load(&*store, "wild").await, Some(user("wild", 0, 40, "x")));
            assert_eq!(store.page(None, 10).await.unwrap().records.len(), 2);
            assert_eq!(store.newest_version().await.unwrap(), newest);
            assert!(store.health().await.up);
            let versions = store.versions(&[key("wild")]).await.unwrap();
            assert_eq!(versions.get(&key("wild")), Some(&Version::ZERO));
            apply(&*store, &numbered("fine", 50)).await;
            let write = numbered("wild", 3);
            store
                .apply(std::slice::from_ref(&write), origin)
                .await
                .unwrap();
            assert_eq!(load(&*store, "wild").await, Some(write));
            database.execute("DELETE FROM users WHERE name = 'wild'");
        }
        database.insert_unchecked(&format!("'wild', 40, 'x', {number}"));
        let replace = [proposal("wild", Condition::Exists)];
        let replaced = store.transact(&replace, None).await.unwrap();
        assert!(matches!(replaced[..], [Decision::Written(_)]));
        let replaced = load(&*store, "wild").await.unwrap();
        assert_eq!(replaced.body, user("wild", 1, 40, "mended").body);
        database.execute("DELETE FROM users WHERE name = 'wild'");
    }
}

/// The pages through tombstones, and how many rows the database has read for each.
async fn page_over_tombstones(store: &dyn Store, limit: u32) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.next.clone());
        pages.push(store.page(after.as_ref(), limit).await.unwrap());
        if pages.last().unwrap().next.is_none() {
            return pages;
        }
    }
}

async fn a_page_looks_at_a_bounded_number_of_tombstones(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let count = 3 * ROWS_PASSED_MAX;
    let tombstones: Vec<_> = (0..count)
        .map(|number| tombstone(&key(&format!("b{number:06}")), version(7)))
        .collect();
    store.apply(&tombstones, Origin::Drained).await.unwrap();
    let users = [numbered("a", 7), numbered("c", 7)];
    store.apply(&users, Origin::Drained).await.unwrap();
    for limit in [1, 100] {
        let pages = page_over_tombstones(&*store, limit).await;
        assert!((3..=5).contains(&pages.len()), "{} pages", pages.len());
        let found: Vec<_> = pages.into_iter().flat_map(|page| page.records).collect();
        assert_eq!(found, users);
    }
}

on_every_store!([
    a_broken_row_says_which_rule_it_breaks,
    broken_rows_hide_no_user_from_any_page,
    a_padded_name_hides_nothing_and_is_mended,
    a_write_or_a_delete_replaces_a_broken_row,
    a_broken_row_is_a_value_to_a_condition,
    versions_are_those_of_broken_rows_too,
    an_impossible_version_is_older_than_every_write,
    a_page_looks_at_a_bounded_number_of_tombstones,
]);
