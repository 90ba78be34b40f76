//! What every journal says of what waits in it.

use std::time::Instant;

use cache_core::model::record::Write;
use cache_core::model::shard::ShardStats;
use cache_core::settings::JournalSync;

use crate::suite::{SEVERAL, append, eventually, put};
use crate::{Implementation, acknowledge, names_in_one_shard, stats_of};

async fn stats_say_how_much_waits(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 3);
    let before = Instant::now();
    let mut appended = Vec::new();
    for body in ["x", "y"] {
        let writes: Vec<Write> = names.iter().map(|name| put(name, body)).collect();
        appended.extend(append(&*journal, &writes).await);
    }
    let stats = stats_of(&*journal, shard).await;
    assert_eq!(stats.depth, 6);
    assert_eq!(stats.oldest, Some(appended[0].version));
    assert_eq!(stats.newest, Some(appended[5].version));
    assert!(stats.bytes > 0);
    eventually("the oldest entry ages", async || {
        stats_of(&*journal, shard).await.oldest_age_us > 2_000
    })
    .await;
    let age_us = stats_of(&*journal, shard).await.oldest_age_us;
    assert!(age_us <= before.elapsed().as_micros() as u64, "{age_us}");

    // What 100 KB of bodies take is seen.
    let large = append(&*journal, &[put(&names[0], &"z".repeat(100_000))]).await;
    let stats = stats_of(&*journal, shard).await;
    assert!(stats.bytes >= 100_000, "{} bytes", stats.bytes);

    acknowledge(&*journal, shard, &appended).await;
    let stats = stats_of(&*journal, shard).await;
    assert_eq!((stats.depth, stats.oldest), (1, Some(large[0].version)));
    acknowledge(&*journal, shard, &large).await;
    let stats = stats_of(&*journal, shard).await;
    assert_eq!((stats.depth, stats.bytes, stats.oldest), (0, 0, None));
    assert_eq!(
        (stats.oldest_age_us, stats.newest),
        (0, Some(large[0].version))
    );
}

async fn stats_are_the_same_after_reopening(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 7);
    let writes: Vec<Write> = names.iter().map(|name| put(name, "0123456789")).collect();
    let mut appended = append(&*journal, &writes).await;
    appended.extend(append(&*journal, &writes).await);
    acknowledge(&*journal, shard, &appended[..9]).await;
    let before = stats_of(&*journal, shard).await;
    drop(journal);
    let journal = place.open().await;
    let after = stats_of(&*journal, shard).await;
    assert_eq!(
        after,
        ShardStats {
            oldest_age_us: after.oldest_age_us,
            drained: after.drained,
            ..before
        }
    );
    assert_eq!((after.depth, after.oldest), (5, Some(appended[9].version)));
}

async fn stats_agree_with_themselves_while_work_goes_on(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 2);
    let worker = {
        let journal = journal.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                let appended = append(&*journal, &[put(&names[0], "x"), put(&names[1], "y")]).await;
                acknowledge(&*journal, shard, &appended[..1]).await;
                acknowledge(&*journal, shard, &appended).await;
            }
        })
    };
    while !worker.is_finished() {
        let stats = stats_of(&*journal, shard).await;
        let empty = stats.depth == 0;
        assert_eq!(
            (stats.oldest.is_none(), stats.bytes == 0),
            (empty, empty),
            "{stats:?}"
        );
    }
    worker.await.unwrap();
}

on_every_journal!([
    stats_say_how_much_waits,
    stats_are_the_same_after_reopening,
    stats_agree_with_themselves_while_work_goes_on,
]);
