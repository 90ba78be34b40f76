//! What every journal promises of entries that are acknowledged.

use cache_core::model::record::{Record, Write};
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;

use crate::suite::{SEVERAL, append, put};
use crate::{
    Implementation, acknowledge, by_shard, names_in_one_shard, page_through, shards, stats_of,
};

async fn entries_are_forgotten_up_to_and_including_the_acknowledged_one(
    implementation: Implementation,
) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 3);
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let writes: Vec<Write> = names.iter().map(|name| put(name, "0123456789")).collect();
        waiting.extend(append(&*journal, &writes).await);
    }
    // At the end of a batch, within one, over several, and everything.
    for count in [3, 1, 1, 1, 2, 5, 4, 1] {
        let acknowledged: Vec<Record> = waiting.drain(..count).collect();
        acknowledge(&*journal, shard, &acknowledged).await;
        assert_eq!(
            journal.read(shard, Version::ZERO, 99).await.unwrap(),
            waiting
        );
        assert_eq!(page_through(&*journal, shard, 2).await, waiting);
        assert_eq!(stats_of(&*journal, shard).await.depth, waiting.len() as u64);
    }
    assert_eq!(waiting, []);
}

async fn acknowledging_again_or_less_changes_nothing(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 5);
    let writes: Vec<Write> = names.iter().map(|name| put(name, "x")).collect();
    let appended = append(&*journal, &writes).await;
    acknowledge(&*journal, shard, &appended[..3]).await;
    let before = stats_of(&*journal, shard).await;
    for count in [3, 2, 1, 3] {
        acknowledge(&*journal, shard, &appended[..count]).await;
        assert_eq!(
            journal.read(shard, Version::ZERO, 9).await.unwrap(),
            appended[3..]
        );
    }
    journal
        .acknowledge(shard, Version::ZERO, &[])
        .await
        .unwrap();
    let after = stats_of(&*journal, shard).await;
    assert_eq!((after.depth, after.oldest), (before.depth, before.oldest));

    acknowledge(&*journal, shard, &appended).await;
    acknowledge(&*journal, shard, &appended).await;
    assert_eq!(stats_of(&*journal, shard).await.depth, 0);
    let next = append(&*journal, &writes[..1]).await;
    acknowledge(&*journal, shard, &appended).await;
    assert_eq!(journal.read(shard, Version::ZERO, 9).await.unwrap(), next);
}

async fn acknowledging_one_shard_leaves_the_others(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let writes: Vec<Write> = (0..60)
        .map(|number| put(&format!("user {number}"), "x"))
        .collect();
    let mut waiting = by_shard(&*journal, &append(&*journal, &writes).await);
    assert_eq!(
        waiting.len(),
        usize::from(journal.shards()),
        "every shard has something"
    );
    for shard in shards(&*journal) {
        acknowledge(&*journal, shard, &waiting.remove(&shard).unwrap()).await;
        for shard in shards(&*journal) {
            let left = waiting.get(&shard).cloned().unwrap_or_default();
            assert_eq!(journal.read(shard, Version::ZERO, 99).await.unwrap(), left);
        }
    }
}

async fn what_was_acknowledged_stays_so_after_reopening(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 9);
    let writes: Vec<Write> = names.iter().map(|name| put(name, "0123456789")).collect();
    let appended = append(&*journal, &writes).await;
    let mut journal = Some(journal);
    // Within the batch, so that no file could be deleted for it.
    for count in [1, 4, 8] {
        acknowledge(&**journal.as_ref().unwrap(), shard, &appended[..count]).await;
        drop(journal.take());
        let reopened = place.open().await;
        assert_eq!(
            reopened.read(shard, Version::ZERO, 99).await.unwrap(),
            appended[count..]
        );
        assert_eq!(
            stats_of(&*reopened, shard).await.depth,
            (appended.len() - count) as u64
        );
        journal = Some(reopened);
    }
}

/// A drainer beside a writer takes every entry once and in order.
async fn what_is_appended_is_drained_once(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 5);
    let writer = {
        let journal = journal.clone();
        tokio::spawn(async move {
            let mut appended = Vec::new();
            for batch in 0..60 {
                let writes: Vec<Write> = (0..1 + batch % 7)
                    .map(|number| put(&names[number % 5], &format!("{batch} {number}")))
                    .collect();
                appended.extend(append(&*journal, &writes).await);
            }
            appended
        })
    };
    let mut drained = Vec::new();
    loop {
        let ended = writer.is_finished();
        let records = journal.read(shard, Version::ZERO, 4).await.unwrap();
        if records.is_empty() {
            if ended {
                break;
            }
            tokio::task::yield_now().await;
            continue;
        }
        acknowledge(&*journal, shard, &records).await;
        drained.extend(records);
        assert!(
            drained.is_sorted_by(|one, next| one.version < next.version),
            "it goes in circles"
        );
    }
    assert_eq!(drained, writer.await.unwrap());
    let stats = stats_of(&*journal, shard).await;
    assert_eq!((stats.depth, stats.bytes), (0, 0));
}

on_every_journal!([
    entries_are_forgotten_up_to_and_including_the_acknowledged_one,
    acknowledging_again_or_less_changes_nothing,
    acknowledging_one_shard_leaves_the_others,
    what_was_acknowledged_stays_so_after_reopening,
    what_is_appended_is_drained_once,
]);
