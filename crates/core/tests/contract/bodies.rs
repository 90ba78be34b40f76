//! What every journal promises of names and bodies.

use bytes::Bytes;
use cache_core::model::record::{Record, Write};
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::records::valid_name;

use crate::suite::{SEVERAL, append, for_random, key, put, remove};
use crate::{Implementation, acknowledge, by_shard, stats_of};

async fn a_tombstone_is_not_an_empty_value(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let appended = append(
        &*journal,
        &[put("a", "x"), remove("a"), put("b", "y"), remove("c")],
    )
    .await;
    drop(journal);
    let journal = place.open().await;
    for (shard, records) in by_shard(&*journal, &appended) {
        let read = journal.read(shard, Version::ZERO, 9).await.unwrap();
        assert_eq!(read, records);
    }
    let of_a: Vec<Record> = journal
        .read(journal.shard_of(&key("a")), Version::ZERO, 9)
        .await
        .unwrap();
    let of_a = of_a.into_iter().filter(|record| record.key == key("a"));
    assert_eq!(
        of_a.map(|record| record.body.is_some()).collect::<Vec<_>>(),
        [true, false]
    );
}

async fn any_name_and_any_body_come_back_unchanged(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let body = prop::option::weighted(0.9, vec(any::<u8>(), 1..300));
    let writes = vec((valid_name(), body), 1..8);
    for_random(implementation.cases(), writes, async |writes| {
        let writes: Vec<Write> = writes
            .into_iter()
            .map(|(name, body)| Write {
                body: body.map(Bytes::from),
                ..remove(&name)
            })
            .collect();
        let appended = append(&*journal, &writes).await;
        for (shard, records) in by_shard(&*journal, &appended) {
            assert_eq!(
                journal.read(shard, Version::ZERO, 99).await.unwrap(),
                records
            );
            acknowledge(&*journal, shard, &records).await;
        }
    })
    .await;
}

async fn large_batches_and_large_bodies_come_back_whole(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let mut writes: Vec<Write> = (0..3_000)
        .map(|number| put(&format!("user {number}"), &format!("body {number}")))
        .collect();
    writes.push(put("large", &"z".repeat(1 << 20)));
    let appended = append(&*journal, &writes).await;
    for (shard, records) in by_shard(&*journal, &appended) {
        assert_eq!(
            journal.read(shard, Version::ZERO, 10_000).await.unwrap(),
            records
        );
        acknowledge(&*journal, shard, &records).await;
        assert_eq!(stats_of(&*journal, shard).await.depth, 0);
    }
}

on_every_journal!([
    a_tombstone_is_not_an_empty_value,
    any_name_and_any_body_come_back_unchanged,
    large_batches_and_large_bodies_come_back_whole,
]);
