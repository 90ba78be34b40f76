//! What every store promises of the records that are applied to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use cache_core::error::Error;
use cache_core::model::record::{Record, newest_per_key};
use cache_core::model::version::Version;
use cache_core::store::Origin;
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::records::CHARACTERS_MAX;
use tokio::task::JoinSet;

use crate::ceilings::expect_newest;
use crate::suite::{for_random, key, new_identity, tombstone, version};
use crate::{Implementation, apply, apply_in_order, load, numbered, page_through, user};

async fn an_applied_record_is_loaded_as_it_was(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let john = user("John Doe", 7, 30, "Engineer");
    apply(&*store, &john).await;
    assert_eq!(load(&*store, "John Doe").await, Some(john.clone()));
    assert_eq!(store.page(None, 10).await.unwrap().records, [john]);
}

async fn a_newer_version_replaces_an_older_one(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &user("a", 7, 30, "old")).await;
    let newer = user("a", 8, 31, "new");
    apply(&*store, &newer).await;
    assert_eq!(load(&*store, "a").await, Some(newer));
}

async fn an_older_version_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let held = user("a", 7, 30, "held");
    apply(&*store, &held).await;
    apply(&*store, &user("a", 6, 31, "older")).await;
    apply(&*store, &user("a", 1, 32, "much older")).await;
    assert_eq!(load(&*store, "a").await, Some(held));
}

async fn the_same_version_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let held = user("a", 7, 30, "held");
    apply(&*store, &held).await;
    apply(&*store, &held).await;
    apply(&*store, &user("a", 7, 31, "another")).await;
    apply(&*store, &tombstone(&key("a"), version(7))).await;
    assert_eq!(load(&*store, "a").await, Some(held));
}

async fn each_record_of_a_batch_is_judged_by_itself(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let held: Vec<Record> = (0..9)
        .map(|number| numbered(&format!("{number}"), 100))
        .collect();
    store.apply(&held, Origin::Drained).await.unwrap();
    // Older, the same, newer, and so on.
    let batch: Vec<Record> = (0..12)
        .map(|number| numbered(&format!("{number}"), 99 + number % 3))
        .collect();
    store.apply(&batch, Origin::Drained).await.unwrap();
    for record in &batch {
        let name = record.key.as_str();
        let is_new = name.parse::<u64>().unwrap() >= 9;
        let expected = match record.version.get() {
            99 | 100 if !is_new => numbered(name, 100),
            _ => record.clone(),
        };
        assert_eq!(load(&*store, name).await, Some(expected));
    }
}

async fn versions_from_the_first_to_the_last_are_kept(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for number in [
        1,
        3,
        1 << 31,
        1 << 32,
        Version::now().get(),
        Version::MAX.get() - 1,
    ] {
        let record = numbered("a", number);
        apply(&*store, &record).await;
        assert_eq!(load(&*store, "a").await, Some(record));
        let deleted = tombstone(&key("a"), version(number + 1));
        apply(&*store, &deleted).await;
        assert_eq!(load(&*store, "a").await, Some(deleted.clone()));
        expect_newest(&*store, deleted.version).await;
    }
}

async fn any_order_and_any_repetition_end_in_the_newest(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let versions = vec((0usize..4, 1u64..12, any::<bool>()), 1..25).prop_flat_map(|versions| {
        let twice = [versions.clone(), versions].concat();
        (
            Just(twice.len()).prop_flat_map(|count| 1..=count),
            Just(twice).prop_shuffle(),
        )
    });
    for_random(
        implementation.cases(),
        versions,
        async |(count, versions)| {
            // Names that no other input uses, so that one database is enough.
            let prefix = new_identity();
            let records: Vec<Record> = versions
                .into_iter()
                .take(count)
                .map(|(name, number, deleted)| {
                    // One version of a key is always the same record.
                    let number = number * 2 + u64::from(deleted);
                    let name = format!("{prefix} {name}");
                    if deleted {
                        tombstone(&key(&name), version(number))
                    } else {
                        numbered(&name, number)
                    }
                })
                .collect();
            apply_in_order(&*store, &records).await;
            for newest in newest_per_key(records) {
                assert_eq!(load(&*store, newest.key.as_str()).await, Some(newest));
            }
        },
    )
    .await;
}

async fn writers_that_race_leave_the_newest(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let store = store.clone();
        writers.spawn(async move {
            for turn in 0..6 {
                let number = 1 + turn * 6 + writer;
                let batch: Vec<Record> = (0..20)
                    .map(|name| numbered(&format!("user {name:02}"), number))
                    .collect();
                // A deadlock is no failure: applying again is safe.
                for attempt in 1.. {
                    match store.apply(&batch, Origin::Drained).await {
                        Ok(()) => break,
                        Err(error) => assert!(attempt < 20, "{error}"),
                    }
                }
                let held = load(&*store, "user 07").await.unwrap();
                assert!(held.version >= version(number));
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    for name in 0..20 {
        let name = format!("user {name:02}");
        assert_eq!(load(&*store, &name).await, Some(numbered(&name, 36)));
    }
    assert_eq!(database.ids().len(), 20);
}

async fn a_tombstone_keeps_its_version_and_hides_the_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for name in ["a", "b", "c"] {
        apply(&*store, &numbered(name, 7)).await;
    }
    let deleted = tombstone(&key("b"), version(8));
    apply(&*store, &deleted).await;
    assert_eq!(load(&*store, "b").await, Some(deleted));
    let left = [numbered("a", 7), numbered("c", 7)];
    assert_eq!(store.page(None, 10).await.unwrap().records, left);
    assert_eq!(page_through(&*store, 1).await, left);
    assert_eq!(
        store.page(Some(&key("b")), 10).await.unwrap().records,
        left[1..]
    );
}

async fn a_name_that_never_was_can_be_deleted(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let deleted = tombstone(&key("a"), version(8));
    apply(&*store, &deleted).await;
    apply(&*store, &numbered("a", 7)).await;
    assert_eq!(load(&*store, "a").await, Some(deleted));
    assert_eq!(store.page(None, 10).await.unwrap().records, []);
}

async fn deleted_stays_deleted_against_an_older_put(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("a", 5)).await;
    let deleted = tombstone(&key("a"), version(8));
    apply(&*store, &deleted).await;
    for number in [5, 6, 7, 8] {
        apply(&*store, &numbered("a", number)).await;
        assert_eq!(load(&*store, "a").await, Some(deleted.clone()));
        assert_eq!(store.page(None, 10).await.unwrap().records, []);
    }
}

async fn a_newer_put_brings_a_deleted_name_back(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &tombstone(&key("a"), version(8))).await;
    let back = numbered("a", 9);
    apply(&*store, &back).await;
    assert_eq!(load(&*store, "a").await, Some(back.clone()));
    assert_eq!(store.page(None, 10).await.unwrap().records, [back]);
}

async fn batches_of_every_size_arrive_whole(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let mut all = BTreeMap::new();
    for size in [1, 2, 3, 1_000, 1_024, 1_025, 3_000] {
        let batch: Vec<Record> = (0..size)
            .map(|number| numbered(&format!("{size} {number:04}"), number + 1))
            .collect();
        store.apply(&batch, Origin::Drained).await.unwrap();
        all.extend(batch.into_iter().map(|record| (record.key.clone(), record)));
        let count = database.ids().len();
        assert_eq!(count, all.len(), "after a batch of {size}");
    }
    let all: Vec<Record> = all.into_values().collect();
    let stored = page_through(&*store, 5_000).await;
    assert!(stored == all, "{} of {}", stored.len(), all.len());
}

async fn a_batch_arrives_whole_or_not_at_all(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("0000", 5)).await;
    // A name that a database with a limit refuses, in the second statement.
    let mut batch: Vec<Record> = (0..1_500)
        .map(|number| numbered(&format!("{number:04}"), 7))
        .collect();
    batch.push(numbered(&"z".repeat(CHARACTERS_MAX + 1), 7));
    let applied = store.apply(&batch, Origin::Drained).await;
    let (count, held) = match applied {
        Ok(()) => (batch.len(), numbered("0000", 7)),
        Err(_) => (1, numbered("0000", 5)),
    };
    assert_eq!(database.ids().len(), count, "{applied:?}");
    assert_eq!(load(&*store, "0000").await, Some(held));
    // The store is none the worse for it.
    apply(&*store, &numbered("0000", 8)).await;
    assert_eq!(load(&*store, "0000").await, Some(numbered("0000", 8)));
}

async fn a_body_that_is_no_user_is_refused_and_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let bad = Record {
        body: Some(Bytes::from("{}")),
        ..numbered("b", 7)
    };
    let refused = store
        .apply(&[numbered("a", 7), bad, numbered("c", 7)], Origin::Drained)
        .await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(database.ids(), BTreeMap::new());
}

async fn a_row_keeps_its_id_for_ever(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names: Vec<String> = (0..100).map(|number| format!("user {number}")).collect();
    let first: Vec<Record> = names.iter().map(|name| numbered(name, 5)).collect();
    store.apply(&first, Origin::Drained).await.unwrap();
    let ids = database.ids();
    assert_eq!(ids.len(), names.len());
    for number in [5, 4, 6, 7] {
        let again: Vec<Record> = names
            .iter()
            .rev()
            .map(|name| numbered(name, number))
            .collect();
        store.apply(&again, Origin::Drained).await.unwrap();
        assert_eq!(database.ids(), ids);
    }
    let deleted: Vec<Record> = names
        .iter()
        .map(|name| tombstone(&key(name), version(8)))
        .collect();
    store.apply(&deleted, Origin::Drained).await.unwrap();
    apply(&*store, &numbered("user 7", 9)).await;
    assert_eq!(database.ids(), ids);
}

async fn a_row_that_no_service_wrote_is_older_than_every_write(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    database.execute("INSERT INTO users (name, age, occupation) VALUES ('old', 44, 'Smith')");
    let old = user("old", 0, 44, "Smith");
    assert_eq!(load(&*store, "old").await, Some(old.clone()));
    assert_eq!(store.page(None, 10).await.unwrap().records, [old]);
    let first = numbered("old", 1);
    apply(&*store, &first).await;
    assert_eq!(load(&*store, "old").await, Some(first));
}

on_every_store!([
    an_applied_record_is_loaded_as_it_was,
    a_newer_version_replaces_an_older_one,
    an_older_version_changes_nothing,
    the_same_version_changes_nothing,
    each_record_of_a_batch_is_judged_by_itself,
    versions_from_the_first_to_the_last_are_kept,
    any_order_and_any_repetition_end_in_the_newest,
    writers_that_race_leave_the_newest,
    a_tombstone_keeps_its_version_and_hides_the_row,
    a_name_that_never_was_can_be_deleted,
    deleted_stays_deleted_against_an_older_put,
    a_newer_put_brings_a_deleted_name_back,
    batches_of_every_size_arrive_whole,
    a_batch_arrives_whole_or_not_at_all,
    a_body_that_is_no_user_is_refused_and_changes_nothing,
    a_row_keeps_its_id_for_ever,
    a_row_that_no_service_wrote_is_older_than_every_write,
]);
