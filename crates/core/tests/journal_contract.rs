//! What every journal promises, run for every implementation. A new one joins
//! by a name in [`Implementation`] and a line in the lists at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

#[macro_use]
#[path = "contract/suite.rs"]
mod suite;

/// Each test on every journal.
macro_rules! on_every_journal {
    ($tests:tt) => {
        contract!(
            [
                file: Implementation::File(JournalSync::Fsync),
                file_without_sync: Implementation::File(JournalSync::Os),
                #[ignore = "needs servers"]
                redis_stream: Implementation::RedisStream(1),
                #[ignore = "needs servers"]
                redis_stream_of_several_shards: Implementation::RedisStream(SEVERAL),
            ],
            $tests
        );
    };
}

#[path = "contract/journal_model.rs"]
mod journal_model;

#[path = "contract/journal_with_cache.rs"]
mod journal_with_cache;

#[path = "contract/redis_process.rs"]
mod redis_process;

#[path = "contract/appends_by_shard.rs"]
mod appends_by_shard;

#[path = "contract/conditional_appends.rs"]
mod conditional_appends;

#[path = "contract/dead_letters.rs"]
mod dead_letters;

#[path = "contract/held_back.rs"]
mod held_back;

#[path = "contract/letter_pages.rs"]
mod letter_pages;

#[path = "contract/packed_entries.rs"]
mod packed_entries;

#[path = "contract/strange_entries.rs"]
mod strange_entries;

#[path = "contract/acknowledgements.rs"]
mod acknowledgements;

#[path = "contract/journal_versions.rs"]
mod journal_versions;

#[path = "contract/stats.rs"]
mod stats;

#[path = "contract/bodies.rs"]
mod bodies;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cache_core::journal::Journal;
use cache_core::journal::file::FileJournal;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::shard::{Shard, ShardStats};
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;
use tempfile::TempDir;
use testkit::records::valid_names;

use journal_with_cache::*;
use suite::{
    SEVERAL, connect_to_redis, for_random, key, new_identity_with, redis_stream_journal, version,
};
pub(crate) use suite::{append, put, remove};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Implementation {
    File(JournalSync),
    /// With so many shards.
    RedisStream(u16),
}

/// Where a test's journal is. It is there after the journal was dropped.
#[derive(Debug)]
pub(crate) enum Place {
    Folder(TempDir, JournalSync),
    RedisStream { identity: String },
}

/// So small that every test of a file journal has several.
const SEGMENT_BYTES: u64 = 300;
const LONG: Duration = Duration::from_secs(3_600);

impl Implementation {
    pub(crate) fn new_place(self) -> Place {
        match self {
            Implementation::File(sync) => Place::Folder(TempDir::new().unwrap(), sync),
            Implementation::RedisStream(shards) => Place::RedisStream {
                identity: new_identity_with(shards),
            },
        }
    }

    /// How many inputs a property is tried on.
    fn cases(self) -> u32 {
        match self {
            Implementation::File(JournalSync::Os) => 200,
            Implementation::File(JournalSync::Fsync) => 20,
            Implementation::RedisStream(_) => 60,
        }
    }
}

impl Place {
    /// The journal that is here, its clock not seeded by this process.
    pub(crate) async fn open_unseeded(&self) -> Arc<dyn Journal> {
        match self {
            Place::Folder(folder, sync) => {
                Arc::new(FileJournal::open(folder.path(), *sync, SEGMENT_BYTES).unwrap())
            }
            Place::RedisStream { identity } => {
                Arc::new(redis_stream_journal(connect_to_redis(identity).await, LONG).await)
            }
        }
    }

    pub(crate) async fn open(&self) -> Arc<dyn Journal> {
        let journal = self.open_unseeded().await;
        journal.raise(&Version::ZERO).await.unwrap();
        journal
    }
}

/// All that waits in the shard, by pages of `max`.
pub(crate) async fn page_through(journal: &dyn Journal, shard: Shard, max: usize) -> Vec<Record> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let after = all.last().map_or(Version::ZERO, |record| record.version);
        let page = journal.read(shard, after, max).await.unwrap();
        assert!(page.len() <= max);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
        assert!(
            all.is_sorted_by(|one, next| one.version < next.version),
            "it goes in circles"
        );
    }
}

pub(crate) fn shards(journal: &dyn Journal) -> Vec<Shard> {
    (0..journal.shards()).map(Shard).collect()
}

pub(crate) fn by_shard(journal: &dyn Journal, records: &[Record]) -> BTreeMap<Shard, Vec<Record>> {
    let mut shards: BTreeMap<Shard, Vec<Record>> = BTreeMap::new();
    for record in records {
        shards
            .entry(journal.shard_of(&record.key))
            .or_default()
            .push(record.clone());
    }
    shards
}

pub(crate) async fn stats_of(journal: &dyn Journal, shard: Shard) -> ShardStats {
    let stats = journal.stats().await.unwrap();
    let numbers: Vec<Shard> = stats.iter().map(|stats| stats.shard).collect();
    assert_eq!(numbers, shards(journal));
    stats[usize::from(shard.0)]
}

/// Acknowledges as the drainer does.
pub(crate) async fn acknowledge(journal: &dyn Journal, shard: Shard, records: &[Record]) {
    let through = records.last().unwrap().version;
    let newest: HashMap<Key, Version> = records
        .iter()
        .map(|record| (record.key.clone(), record.version))
        .collect();
    let flushed: Vec<(Key, Version)> = newest.into_iter().collect();
    journal.acknowledge(shard, through, &flushed).await.unwrap();
}

/// `count` names whose records are in the same shard.
pub(crate) fn names_in_one_shard(journal: &dyn Journal, count: usize) -> (Shard, Vec<String>) {
    let shard = journal.shard_of(&key("user 0"));
    let names = (0..).map(|number| format!("user {number}"));
    let of_shard = names.filter(|name| journal.shard_of(&key(name)) == shard);
    (shard, of_shard.take(count).collect())
}

async fn it_says_what_an_answer_survives(implementation: Implementation) {
    let place = implementation.new_place();
    let health = place.open().await.health().await;
    assert!(health.up, "{health:?}");
    assert_eq!(health.problem, None);
    assert!(health.durability.unwrap().contains("survives"));
}

async fn an_empty_journal_has_nothing(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    assert!(journal.shards() >= 1);
    for shard in shards(&*journal) {
        assert_eq!(journal.read(shard, Version::ZERO, 10).await.unwrap(), []);
        let stats = stats_of(&*journal, shard).await;
        assert_eq!((stats.depth, stats.bytes, stats.oldest), (0, 0, None));
        assert_eq!(stats.oldest_age_us, 0);
    }
}

async fn nothing_to_do_is_done(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    assert!(journal.append(&[]).await.is_empty());
    let shard = journal.shard_of(&key("a"));
    append(&*journal, &[put("a", "x")]).await;
    assert_eq!(journal.read(shard, Version::ZERO, 0).await.unwrap(), []);
    journal
        .acknowledge(shard, Version::ZERO, &[])
        .await
        .unwrap();
    assert_eq!(stats_of(&*journal, shard).await.depth, 1);
}

async fn entries_are_read_oldest_first_after_a_version(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 4);
    let mut appended = Vec::new();
    for _ in 0..5 {
        let writes: Vec<Write> = names.iter().map(|name| put(name, "0123456789")).collect();
        appended.extend(append(&*journal, &writes).await);
    }
    // In any order, since readers remember where they were.
    let places: Vec<usize> = (0..=appended.len()).collect();
    for start in places.iter().rev().chain(&places).copied() {
        for max in [1, 3, 4, 5, 19, 20, 21] {
            let after = match start {
                0 => Version::ZERO,
                _ => appended[start - 1].version,
            };
            let end = appended.len().min(start + max);
            let page = journal.read(shard, after, max).await.unwrap();
            assert_eq!(page, appended[start..end], "{max} after {start}");
        }
    }
    let beyond = appended.last().unwrap().version;
    let before = version(appended[3].version.get() - 1);
    assert_eq!(journal.read(shard, Version::MAX, 9).await.unwrap(), []);
    assert_eq!(
        journal
            .read(shard, version(beyond.get() + 1), 9)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        journal.read(shard, before, 1).await.unwrap(),
        appended[3..4]
    );
}

async fn paging_gives_everything_once(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let mut appended = Vec::new();
    for batch in 1..15 {
        let writes: Vec<Write> = (0..batch)
            .map(|number| put(&format!("user {number}"), "x"))
            .collect();
        appended.extend(append(&*journal, &writes).await);
    }
    let appended = by_shard(&*journal, &appended);
    for max in [1, 2, 3, 7, 100, 1_000] {
        for (shard, records) in &appended {
            assert_eq!(page_through(&*journal, *shard, max).await, *records);
        }
    }
}

async fn reading_removes_nothing(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let appended = append(&*journal, &[put("a", "x"), put("a", "y")]).await;
    let shard = journal.shard_of(&key("a"));
    for _ in 0..3 {
        assert_eq!(
            journal.read(shard, Version::ZERO, 9).await.unwrap(),
            appended
        );
    }
    assert_eq!(stats_of(&*journal, shard).await.depth, 2);
}

async fn the_entries_of_a_key_are_in_its_shard_in_order(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let names = valid_names();
    let mut appended = Vec::new();
    for body in ["first", "second", "third"] {
        let writes: Vec<Write> = names.iter().map(|name| put(name, body)).collect();
        appended.extend(append(&*journal, &writes).await);
    }
    let mut read = 0;
    for shard in shards(&*journal) {
        let mut newest: HashMap<Key, Version> = HashMap::new();
        for record in journal.read(shard, Version::ZERO, 10_000).await.unwrap() {
            assert_eq!(journal.shard_of(&record.key), shard);
            let before = newest.insert(record.key, record.version);
            assert!(before < Some(record.version));
            read += 1;
        }
    }
    assert_eq!(read, appended.len());
    let reopened = {
        drop(journal);
        place.open().await
    };
    for (shard, records) in by_shard(&*reopened, &appended) {
        assert_eq!(
            reopened.read(shard, Version::ZERO, 10_000).await.unwrap(),
            records
        );
    }
}

async fn appended_entries_survive_reopening(implementation: Implementation) {
    let place = implementation.new_place();
    let mut appended = Vec::new();
    for round in 0..4 {
        let journal = place.open().await;
        for batch in 0..3 {
            let writes: Vec<Write> = (0..4)
                .map(|name| put(&format!("user {name}"), &format!("{round} {batch}")))
                .collect();
            appended.extend(append(&*journal, &writes).await);
        }
        for (shard, records) in by_shard(&*journal, &appended) {
            assert!(records.is_sorted_by(|one, next| one.version < next.version));
            assert_eq!(
                page_through(&*journal, shard, 5).await,
                records,
                "round {round}"
            );
        }
    }
}

/// And what is appended afterwards goes on behind it.
async fn a_dropped_append_is_whole_or_did_not_take_place(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 3);
    let batch = |body: &str| -> Vec<Write> { names.iter().map(|name| put(name, body)).collect() };
    let mut kept: Vec<Record> = Vec::new();
    for round in 0..60 {
        let dropped = batch(&format!("dropped in round {round}"));
        let until_dropped = Duration::from_micros(fastrand::u64(..400));
        let _ = tokio::time::timeout(until_dropped, journal.append(&dropped)).await;
        kept.extend(append(&*journal, &batch(&format!("round {round}"))).await);
    }
    let waiting = journal.read(shard, Version::ZERO, 1_000).await.unwrap();
    assert!(waiting.is_sorted_by(|one, next| one.version < next.version));
    let (whole, dropped): (Vec<Record>, Vec<Record>) = waiting
        .into_iter()
        .partition(|record| kept.contains(record));
    assert_eq!(whole, kept);
    for batch in dropped.chunks(names.len()) {
        let of_batch: Vec<&str> = batch.iter().map(|record| record.key.as_str()).collect();
        assert_eq!(of_batch, names);
        assert!(batch.iter().all(|record| record.body == batch[0].body));
    }
    let stats = stats_of(&*journal, shard).await;
    assert_eq!(stats.depth, (whole.len() + dropped.len()) as u64);
}

async fn any_order_of_operations_leaves_what_is_not_acknowledged(implementation: Implementation) {
    for_random(
        implementation.cases(),
        journal_model::steps(),
        async |steps| {
            journal_model::run(implementation, steps).await;
        },
    )
    .await;
}

on_every_journal!([
    it_says_what_an_answer_survives,
    an_empty_journal_has_nothing,
    nothing_to_do_is_done,
    entries_are_read_oldest_first_after_a_version,
    paging_gives_everything_once,
    reading_removes_nothing,
    the_entries_of_a_key_are_in_its_shard_in_order,
    appended_entries_survive_reopening,
    a_dropped_append_is_whole_or_did_not_take_place,
    any_order_of_operations_leaves_what_is_not_acknowledged,
]);

// Journals that say holds_cache().
contract!(
    [
        #[ignore = "needs servers"]
        redis_stream_with_cache: WithCache::Redis(1),
        #[ignore = "needs servers"]
        redis_stream_of_several_shards_with_cache: WithCache::Redis(SEVERAL),
    ],
    [
        it_says_that_it_holds_the_cache,
        an_appended_value_is_in_the_cache,
        an_append_voids_the_tickets_of_readers,
        an_append_ends_an_older_doubt,
        a_condition_is_judged_by_what_the_cache_holds,
        a_lost_clock_goes_on_above_all_that_was_ever_appended,
        a_condition_is_unknown_where_the_cache_cannot_tell,
        writes_of_one_batch_are_judged_one_upon_the_other,
        any_conditions_are_judged_one_upon_the_other,
        a_failed_condition_holds_up_no_other_write,
        acknowledging_marks_what_was_flushed_clean,
        acknowledging_leaves_what_was_written_again_dirty,
        acknowledging_in_doubt_leaves_the_doubt,
        cache_and_journal_share_one_clock,
        two_processes_share_one_sequence,
    ]
);
