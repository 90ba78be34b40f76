//! What every journal promises of the versions that it issues.

use cache_core::error::{Error, Part};
use cache_core::model::record::Write;
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;

use crate::suite::{SEVERAL, ahead_of_the_clock, append, appended, key, put, version};
use crate::{Implementation, acknowledge, by_shard, shards, stats_of};

async fn nothing_is_appended_before_the_clock_is_raised(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open_unseeded().await;
    let refused = appended(journal.append(&[put("a", "x"), put("b", "x")]).await);
    assert!(
        matches!(refused, Err(Error::Unseeded(Part::Journal))),
        "{refused:?}"
    );
    for shard in shards(&*journal) {
        match journal.read(shard, Version::ZERO, 10).await {
            // It is not told from one that was lost.
            Err(Error::Unseeded(Part::Journal)) => {}
            read => assert_eq!(read.unwrap(), []),
        }
    }
    journal.raise(&Version::ZERO).await.unwrap();
    append(&*journal, &[put("a", "x")]).await;
    assert_eq!(
        stats_of(&*journal, journal.shard_of(&key("a"))).await.depth,
        1
    );
}

async fn versions_grow_along_the_journal(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let mut appended = Vec::new();
    for batch in 0..20 {
        let writes: Vec<Write> = (0..batch)
            .map(|name| put(&format!("{}", name % 5), "x"))
            .collect();
        appended.extend(append(&*journal, &writes).await);
    }
    for (shard, records) in by_shard(&*journal, &appended) {
        assert!(
            records.is_sorted_by(|one, next| one.version < next.version),
            "{shard:?}"
        );
        assert_eq!(
            journal.read(shard, Version::ZERO, 1_000).await.unwrap(),
            records
        );
    }
}

async fn versions_are_newer_than_every_floor(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let names: Vec<String> = (0..30).map(|number| format!("user {number}")).collect();
    let writes: Vec<Write> = names.iter().map(|name| put(name, "x")).collect();
    let before = append(&*journal, &writes).await;
    let floor = ahead_of_the_clock();
    journal.raise(&floor).await.unwrap();
    let after = append(&*journal, &writes).await;
    assert!(after.iter().all(|record| record.version > floor));
    // A floor that lies below is no reason to go back.
    journal.raise(&version(5)).await.unwrap();
    let last = append(&*journal, &writes).await;
    for ((before, after), last) in before.iter().zip(&after).zip(&last) {
        assert!(before.version < after.version && after.version < last.version);
    }
}

async fn versions_go_on_after_reopening(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    // So that the wall clock alone would not do.
    let floor = ahead_of_the_clock();
    journal.raise(&floor).await.unwrap();
    let shard = journal.shard_of(&key("a"));
    let mut newest = floor;
    for acknowledged in [0, 1, 2, 2, 0] {
        let appended = append(&*journal, &[put("a", "x"), put("a", "y")]).await;
        assert!(newest < appended[0].version && appended[0].version < appended[1].version);
        newest = appended[1].version;
        if acknowledged > 0 {
            acknowledge(&*journal, shard, &appended[..acknowledged]).await;
        }
        drop(journal);
        journal = place.open().await;
        // What is appended now does not count as acknowledged either.
        let waiting = journal.read(shard, Version::ZERO, 99).await.unwrap();
        assert_eq!(stats_of(&*journal, shard).await.depth, waiting.len() as u64);
        assert_eq!(
            waiting.last().map(|record| record.version) == Some(newest),
            acknowledged < 2
        );
    }
}

on_every_journal!([
    nothing_is_appended_before_the_clock_is_raised,
    versions_grow_along_the_journal,
    versions_are_newer_than_every_floor,
    versions_go_on_after_reopening,
]);
