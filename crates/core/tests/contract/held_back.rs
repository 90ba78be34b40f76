//! What every journal promises of refused writes that are held back for want of room among the dead
//! letters.

use cache_core::dead_letter::DeadLetter;
use cache_core::journal::Journal;
use cache_core::settings::JournalSync;
use cache_core::shard::Shard;
use cache_core::version::Version;

use crate::dead_letters::{all, find, flushed, forget, letter, reopen};
use crate::suite::{SEVERAL, key, put, version};
use crate::{Implementation, append, names_in_one_shard, stats_of};

const MAX: u64 = 2;

async fn set_aside(journal: &dyn Journal, letter: &DeadLetter) -> bool {
    let shard = journal.shard_of(&letter.record.key);
    let held_back = journal.set_aside_within(shard, letter, MAX);
    held_back.await.unwrap()
}

async fn promote(journal: &dyn Journal, name: &str, number: u64) -> bool {
    let name = key(name);
    let promoted = journal.promote(&name, version(number), MAX);
    promoted.await.unwrap()
}

/// Dead letters, and what is held back.
async fn counts(journal: &dyn Journal, shard: Shard) -> (u64, u64) {
    let stats = stats_of(journal, shard).await;
    (stats.dead, stats.held_back)
}

fn held_back(letter: DeadLetter) -> DeadLetter {
    DeadLetter {
        held_back: true,
        ..letter
    }
}

async fn page(journal: &dyn Journal, shard: Shard) -> Vec<DeadLetter> {
    journal.held_back(shard, None, 100).await.unwrap()
}

/// Two dead letters and so many that are held back, of names in one shard, at the versions 1, 2, 3, ...
async fn full(journal: &dyn Journal, more: usize) -> (Shard, Vec<String>) {
    let (shard, mut names) = names_in_one_shard(journal, MAX as usize + more);
    names.sort_unstable();
    // The shard is known once it has an entry.
    append(journal, &[put(&names[0], "x")]).await;
    for (place, name) in names.iter().enumerate() {
        let letter = letter(name, place as u64 + 1);
        assert_eq!(set_aside(journal, &letter).await, place as u64 >= MAX);
    }
    (shard, names)
}

async fn what_is_beyond_the_limit_is_held_back(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let (shard, names) = full(&*journal, 2).await;
    let expected = [
        letter(&names[0], 1),
        letter(&names[1], 2),
        held_back(letter(&names[2], 3)),
        held_back(letter(&names[3], 4)),
    ];
    for _ in 0..2 {
        assert_eq!(counts(&*journal, shard).await, (2, 2));
        assert_eq!(all(&*journal).await, expected);
        assert_eq!(page(&*journal, shard).await, expected[2..]);
        let after = journal.held_back(shard, Some(&key(&names[2])), 9).await;
        assert_eq!(after.unwrap(), expected[3..]);
        let one = journal.held_back(shard, None, 1).await.unwrap();
        assert_eq!(one, expected[2..3]);
        assert_eq!(
            find(&*journal, &names[2]).await.as_ref(),
            Some(&expected[2])
        );
        assert_eq!(
            find(&*journal, &names[0]).await.as_ref(),
            Some(&expected[0])
        );
        journal = reopen(journal, &place).await;
    }
}

/// As a drain does that was cut off before it acknowledged.
async fn setting_aside_again_changes_nothing(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = full(&*journal, 1).await;
    let before = all(&*journal).await;
    for (place, name) in names.iter().enumerate() {
        let again = letter(name, place as u64 + 1);
        assert_eq!(set_aside(&*journal, &again).await, place == 2, "{name}");
    }
    assert_eq!(all(&*journal).await, before);
    assert_eq!(counts(&*journal, shard).await, (2, 1));
}

async fn a_newer_write_takes_the_place_of_its_name(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = full(&*journal, 1).await;
    assert!(!set_aside(&*journal, &letter(&names[0], 10)).await);
    assert!(set_aside(&*journal, &letter(&names[2], 11)).await);
    assert!(
        set_aside(&*journal, &letter(&names[2], 9)).await,
        "an older one"
    );
    assert_eq!(counts(&*journal, shard).await, (2, 1));
    assert_eq!(
        find(&*journal, &names[0]).await,
        Some(letter(&names[0], 10))
    );
    let newest = held_back(letter(&names[2], 11));
    assert_eq!(find(&*journal, &names[2]).await, Some(newest));
}

async fn one_is_promoted_when_there_is_room(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let (shard, names) = full(&*journal, 2).await;
    assert!(!promote(&*journal, &names[2], 3).await, "there is no room");
    assert!(forget(&*journal, &names[0], 1).await);
    assert!(!promote(&*journal, &names[2], 2).await, "another version");
    assert!(!promote(&*journal, &names[1], 2).await, "a dead letter");
    assert!(!promote(&*journal, &names[0], 1).await, "there is none");
    assert!(promote(&*journal, &names[2], 3).await);
    assert!(!promote(&*journal, &names[2], 3).await, "once");
    assert!(!promote(&*journal, &names[3], 4).await, "there is no room");
    let expected = [
        letter(&names[1], 2),
        letter(&names[2], 3),
        held_back(letter(&names[3], 4)),
    ];
    for _ in 0..2 {
        assert_eq!(counts(&*journal, shard).await, (2, 1));
        assert_eq!(all(&*journal).await, expected);
        journal = reopen(journal, &place).await;
    }
}

async fn it_ends_as_a_dead_letter_does(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let (shard, names) = full(&*journal, 3).await;
    assert!(forget(&*journal, &names[2], 3).await);
    assert_eq!(counts(&*journal, shard).await, (2, 2));
    flushed(&*journal, &[(&names[3], 4), (&names[0], 1)]).await;
    for _ in 0..2 {
        assert_eq!(counts(&*journal, shard).await, (1, 1));
        let last = held_back(letter(&names[4], 5));
        assert_eq!(page(&*journal, shard).await, [last]);
        journal = reopen(journal, &place).await;
    }
    // Its name is as new.
    let again = letter(&names[2], 8);
    assert!(!set_aside(&*journal, &again).await);
    assert_eq!(find(&*journal, &names[2]).await, Some(again));
}

/// Entries are acknowledged while a refused one of before is held back.
async fn it_holds_no_entry_up(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = full(&*journal, 1).await;
    let entries = append(&*journal, &[put(&names[2], "y"), put(&names[1], "z")]).await;
    let newest = entries[1].version;
    let row = [(key(&names[1]), newest)];
    journal.acknowledge(shard, newest, &row).await.unwrap();
    assert_eq!(journal.read(shard, Version::ZERO, 9).await.unwrap(), []);
    let stats = stats_of(&*journal, shard).await;
    assert_eq!((stats.depth, stats.dead, stats.held_back), (0, 1, 1));
    assert_eq!((stats.oldest, stats.oldest_age_us), (None, 0));
}

contract!(
    [
        file: Implementation::File(JournalSync::Fsync),
        redis_stream: Implementation::RedisStream(1),
        redis_stream_of_several_shards: Implementation::RedisStream(SEVERAL),
    ],
    [
        what_is_beyond_the_limit_is_held_back,
        setting_aside_again_changes_nothing,
        a_newer_write_takes_the_place_of_its_name,
        one_is_promoted_when_there_is_room,
        it_ends_as_a_dead_letter_does,
        it_holds_no_entry_up,
    ]
);
