//! What every journal promises of refused writes that are held back for want of room among the dead
//! letters.

use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;
use testkit::servers::redis_url;

use crate::dead_letters::{all, find, flushed, forget, letter, reopen};
use crate::redis_process::{Process, command, name_of};
use crate::suite::{SEVERAL, key, new_identity, put, version};
use crate::{Implementation, append, names_in_one_shard, stats_of};

const MAX: u64 = 2;

async fn set_aside(journal: &dyn Journal, letter: &DeadLetter) -> bool {
    let shard = journal.shard_of(&letter.record.key);
    let held_back = journal.set_aside_within(shard, letter, MAX);
    held_back.await.unwrap()
}

async fn promote(journal: &dyn Journal, name: &str, number: u64) -> bool {
    let letter = letter(name, number);
    journal.promote(&letter, MAX).await.unwrap()
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
    let page = journal.held_back(shard, None, 100).await.unwrap();
    assert_eq!(page.next, None);
    page.letters
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
        assert_eq!(after.unwrap().letters, expected[3..]);
        let one = journal.held_back(shard, None, 1).await.unwrap();
        assert_eq!(one.letters, expected[2..3]);
        assert_eq!(one.next, Some(key(&names[2])));
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

async fn its_bytes_are_counted(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let (shard, names) = full(&*journal, 4).await;
    let bytes = async |journal: &dyn Journal| stats_of(journal, shard).await.held_back_bytes;
    let of_four = bytes(&*journal).await;
    assert!((4 * 200..4 * 2_000).contains(&of_four), "{of_four}");
    let mut long = letter(&names[2], 10);
    long.record.body = Some(vec![b'x'; 10_000].into());
    assert!(set_aside(&*journal, &long).await);
    let with_long = bytes(&*journal).await;
    assert!((of_four + 9_000..of_four + 25_000).contains(&with_long));
    for _ in 0..2 {
        assert_eq!(bytes(&*journal).await, with_long);
        journal = reopen(journal, &place).await;
    }
    // One is forgotten, one is drained, one becomes a dead letter.
    assert!(forget(&*journal, &names[2], 10).await);
    let of_three = bytes(&*journal).await;
    assert!(of_three < of_four);
    flushed(&*journal, &[(&names[3], 4), (&names[0], 1)]).await;
    let of_two = bytes(&*journal).await;
    assert!(of_two < of_three);
    assert!(promote(&*journal, &names[4], 5).await);
    let of_one = bytes(&*journal).await;
    assert!((1..of_two).contains(&of_one));
    assert!(forget(&*journal, &names[5], 6).await);
    assert_eq!(bytes(&*journal).await, 0);
    assert_eq!(counts(&*journal, shard).await, (2, 0));
}

async fn the_newest_reason_is_kept(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let (shard, names) = full(&*journal, 1).await;
    let newer = |reason: &str| DeadLetter {
        reason: reason.into(),
        set_aside_at: version(9_000_000),
        ..letter(&names[2], 3)
    };
    assert!(!journal.promote(&newer("no room"), MAX).await.unwrap());
    let waits = page(&*journal, shard).await;
    assert_eq!(&*waits[0].reason, "no room");
    assert!(forget(&*journal, &names[0], 1).await);
    assert!(journal.promote(&newer("a dead letter"), MAX).await.unwrap());
    for _ in 0..2 {
        let found = find(&*journal, &names[2]).await.unwrap();
        assert_eq!((&*found.reason, found.held_back), ("a dead letter", false));
        journal = reopen(journal, &place).await;
    }
    assert_eq!(stats_of(&*journal, shard).await.held_back_bytes, 0);
}

async fn what_is_still_there_is_known(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (_, names) = full(&*journal, 2).await;
    assert!(forget(&*journal, &names[1], 2).await);
    assert!(forget(&*journal, &names[3], 4).await);
    let asked = [
        letter(&names[0], 1),
        letter(&names[1], 2),
        letter(&names[2], 2),
        letter(&names[2], 3),
        letter(&names[3], 4),
    ];
    let there = journal.still_there(&asked).await.unwrap();
    assert_eq!(there, [true, false, false, true, false]);
}

/// As an older version leaves it, which does not know that a letter is held back, and as another program does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_cannot_be_understood_holds_no_other_up() {
    const PAGE: usize = 3;
    let (url, identity) = (redis_url(), new_identity());
    let process = Process::start(&url, &identity).await;
    let journal = &*process.journal;
    journal.raise(&Version::ZERO).await.unwrap();
    let (shard, names) = full(journal, 10).await;
    let name = |name: &str| name_of(&identity, shard, name);
    let (dead, held) = (name("dead"), name("held-back"));
    for place in [2, 3, 4] {
        let damage = ["HSET", &dead, &names[place], "x"];
        let _: u64 = command(&url, &damage).await;
    }
    let stale = ["HDEL", &dead, &names[6], &names[11]];
    assert_eq!(command::<u64, _>(&url, &stale).await, 2);
    for number in 0..4 {
        let foreign: [&[u8]; 4] = [b"ZADD", held.as_bytes(), b"0", &[0xff, number]];
        let _: u64 = command(&url, &foreign).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let page = journal.held_back(shard, after.as_ref(), PAGE).await;
        let page = page.unwrap();
        seen.extend(page.letters);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let seen: Vec<&str> = seen.iter().map(|it| it.record.key.as_str()).collect();
    let expected = [5, 7, 8, 9, 10].map(|place: usize| names[place].as_str());
    assert_eq!(seen, expected);
    // What ended in the older version is noticed.
    assert_eq!(stats_of(journal, shard).await.held_back, 12);
    for name in [&names[6], &names[11]] {
        let score: Option<f64> = command(&url, &["ZSCORE", &held, name]).await;
        assert_eq!(score, None);
    }
}

contract!(
    [
        file: Implementation::File(JournalSync::Fsync),
        #[ignore = "needs servers"]
        redis_stream: Implementation::RedisStream(1),
        #[ignore = "needs servers"]
        redis_stream_of_several_shards: Implementation::RedisStream(SEVERAL),
    ],
    [
        what_is_beyond_the_limit_is_held_back,
        setting_aside_again_changes_nothing,
        a_newer_write_takes_the_place_of_its_name,
        one_is_promoted_when_there_is_room,
        it_ends_as_a_dead_letter_does,
        it_holds_no_entry_up,
        its_bytes_are_counted,
        the_newest_reason_is_kept,
        what_is_still_there_is_known,
    ]
);
