//! What every store promises of names, of users as they come back, and of pages of them.

use std::collections::HashSet;

use cache_core::model::record::{Key, Record, newest_per_key};
use cache_core::model::user::User;
use cache_core::store::Origin;
use proptest::collection::vec;

use testkit::records::{CHARACTERS_MAX, valid_name, valid_names, valid_occupation};

use crate::suite::{for_random, key};
use crate::{Implementation, apply, load, numbered, page_through, sorted, user};

/// Names that a database may take for one another, or cut, or change.
fn difficult_names() -> Vec<String> {
    let mut names = valid_names();
    for trailing in [
        "\u{200b}", "\u{ad}", "\u{2060}", ".", "-", "_", "%", "\u{301}", "\u{feff}",
    ] {
        names.push(format!("trailing{trailing}"));
    }
    names.push("trailing".to_owned());
    // 1,020 bytes that differ in the last four, and in a bit of these.
    for last in ["😀", "😁", "\u{10ffff}"] {
        names.push(format!("{}{last}", "😀".repeat(CHARACTERS_MAX - 1)));
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

async fn names_are_equal_byte_for_byte_only(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names = difficult_names();
    let records: Vec<Record> = (1..)
        .zip(&names)
        .map(|(number, name)| numbered(name, number))
        .collect();
    for record in &records {
        // None of those before is taken for it.
        assert_eq!(
            store.load(&record.key).await.unwrap(),
            None,
            "{:?}",
            record.key.as_str()
        );
        apply(&*store, record).await;
    }
    let loaded = async || {
        for record in &records {
            let loaded = store.load(&record.key).await.unwrap();
            assert_eq!(loaded.as_ref(), Some(record), "{:?}", record.key.as_str());
        }
    };
    loaded().await;
    store.apply(&records, Origin::Drained).await.unwrap();
    loaded().await;
    let keys: Vec<Key> = records.iter().map(|record| record.key.clone()).collect();
    let mut many = store.load_many(&keys).await.unwrap();
    assert_eq!(many.len(), keys.len());
    for record in &records {
        assert_eq!(many.remove(&record.key).unwrap().unwrap(), *record);
    }
    let stored: HashSet<String> = database.ids().into_keys().collect();
    assert_eq!(stored, names.into_iter().collect());
}

async fn pages_are_in_the_order_of_bytes_and_complete(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names = difficult_names();
    let records: Vec<Record> = (1..)
        .zip(&names)
        .map(|(number, name)| numbered(name, number))
        .collect();
    store.apply(&records, Origin::Drained).await.unwrap();
    let expected = sorted(records);
    for limit in [1, 2, 7, 50, 10_000] {
        let paged = page_through(&*store, limit).await;
        assert!(paged == expected, "by pages of {limit}");
    }
    for (place, record) in expected.iter().enumerate() {
        let page = store.page(Some(&record.key), 3).await.unwrap().records;
        let end = expected.len().min(place + 4);
        assert_eq!(
            page,
            expected[place + 1..end],
            "after {:?}",
            record.key.as_str()
        );
    }
}

async fn a_page_begins_after_names_that_are_not_there(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for name in ["b", "d", "f"] {
        apply(&*store, &numbered(name, 7)).await;
    }
    for (after, expected) in [
        ("a", &["b", "d"][..]),
        ("b", &["d", "f"]),
        ("bb", &["d", "f"]),
        ("B", &["b", "d"]),
        ("D", &["b", "d"]),
        ("e", &["f"]),
        ("f", &[]),
        ("é", &[]),
    ] {
        let page = store.page(Some(&key(after)), 2).await.unwrap().records;
        let names: Vec<&str> = page.iter().map(|record| record.key.as_str()).collect();
        assert_eq!(names, expected, "after {after}");
    }
    assert_eq!(store.page(None, 0).await.unwrap().records, []);
    assert_eq!(store.page(None, u32::MAX).await.unwrap().records.len(), 3);
}

async fn any_user_comes_back_unchanged(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let users = vec((valid_name(), 0u8..=150, valid_occupation()), 1..12);
    let number = std::cell::Cell::new(0);
    for_random(implementation.cases(), users, async |users| {
        // A name may come again in another input: then with a newer version.
        number.set(number.get() + 1);
        let records = users
            .iter()
            .map(|(name, age, occupation)| user(name, number.get(), *age, occupation));
        let records = newest_per_key(records);
        store.apply(&records, Origin::Drained).await.unwrap();
        for record in records {
            let loaded = store.load(&record.key).await.unwrap().unwrap();
            let shown = |record: &Record| {
                User::from_body(record.key.as_str(), record.body.as_ref().unwrap()).unwrap()
            };
            assert_eq!(
                loaded,
                record,
                "{:?}, not {:?}",
                shown(&loaded),
                shown(&record)
            );
        }
    })
    .await;
}

async fn occupations_are_kept_byte_for_byte(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let long = "😀".repeat(CHARACTERS_MAX);
    let spaces = " ".repeat(CHARACTERS_MAX);
    let occupations = [
        " ",
        "  ",
        "a ",
        " a",
        "a  ",
        "a\t",
        "\0",
        "a\0",
        "\0a",
        "a\0b",
        "\n",
        "\r\n",
        "\u{1}\u{1f}",
        "\u{7f}\u{80}\u{9f}",
        "'",
        "\"",
        "\\",
        "\\0",
        "%_",
        "é",
        "e\u{301}",
        "\u{feff}x",
        "\u{a0}",
        "\u{fffd}",
        "\u{ffff}",
        "NULL",
        &long,
        &spaces,
    ];
    for (number, occupation) in (1..).zip(occupations) {
        let record = user("a", number, 0, occupation);
        apply(&*store, &record).await;
        assert_eq!(load(&*store, "a").await, Some(record), "{occupation:?}");
    }
}

on_every_store!([
    names_are_equal_byte_for_byte_only,
    pages_are_in_the_order_of_bytes_and_complete,
    a_page_begins_after_names_that_are_not_there,
    any_user_comes_back_unchanged,
    occupations_are_kept_byte_for_byte,
]);
