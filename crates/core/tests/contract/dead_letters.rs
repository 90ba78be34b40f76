//! What every journal promises of its dead letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cache_core::journal::Journal;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::record::{Key, Record};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::records::{valid_name, valid_names};

use crate::suite::{SEVERAL, for_random, key, version};
use crate::{Implementation, Place, acknowledge, append, names_in_one_shard, put, shards};

pub(crate) fn letter(name: &str, number: u64) -> DeadLetter {
    DeadLetter {
        record: Record {
            key: key(name),
            version: version(number),
            body: Some(Bytes::from(format!("body {number}"))),
        },
        reason: format!("reason {number}").into(),
        set_aside_at: version(number + 1_000_000),
        held_back: false,
    }
}

pub(crate) async fn set_aside(journal: &dyn Journal, letter: &DeadLetter) {
    let shard = journal.shard_of(&letter.record.key);
    journal.set_aside(shard, letter).await.unwrap();
}

pub(crate) async fn all(journal: &dyn Journal) -> Vec<DeadLetter> {
    journal.dead_letters(usize::MAX).await.unwrap()
}

pub(crate) async fn find(journal: &dyn Journal, name: &str) -> Option<DeadLetter> {
    journal.dead_letter(&key(name)).await.unwrap()
}

pub(crate) async fn forget(journal: &dyn Journal, name: &str, number: u64) -> bool {
    let key = key(name);
    let forgotten = journal.forget_dead_letter(&key, version(number));
    forgotten.await.unwrap()
}

/// The database has these.
pub(crate) async fn flushed(journal: &dyn Journal, rows: &[(&str, u64)]) {
    for (name, number) in rows {
        let row = [(key(name), version(*number))];
        let shard = journal.shard_of(&row[0].0);
        let acknowledged = journal.acknowledge(shard, Version::ZERO, &row);
        acknowledged.await.unwrap();
    }
}

async fn count(journal: &dyn Journal) -> Vec<(Shard, u64)> {
    let stats = journal.stats().await.unwrap();
    let with_some = stats.iter().filter(|stats| stats.dead > 0);
    with_some.map(|stats| (stats.shard, stats.dead)).collect()
}

pub(crate) async fn reopen(journal: Arc<dyn Journal>, place: &Place) -> Arc<dyn Journal> {
    drop(journal);
    place.open().await
}

async fn one_is_kept_over_reopening_until_it_is_forgotten(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    let kept = [letter("a", 5), letter("b", 6), letter("c", 7)];
    for letter in &kept {
        set_aside(&*journal, letter).await;
    }
    for _ in 0..3 {
        assert_eq!(all(&*journal).await, kept);
        assert_eq!(find(&*journal, "b").await.as_ref(), Some(&kept[1]));
        journal = reopen(journal, &place).await;
    }
    assert!(forget(&*journal, "a", 5).await);
    flushed(&*journal, &[("b", 9)]).await;
    for _ in 0..2 {
        assert_eq!(all(&*journal).await, kept[2..]);
        assert_eq!(find(&*journal, "a").await, None);
        assert_eq!(find(&*journal, "b").await, None);
        journal = reopen(journal, &place).await;
    }
}

async fn only_the_newest_of_a_key_is_kept(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    for (number, newest) in [(5, 5), (4, 5), (9, 9), (8, 9), (5, 9), (10, 10)] {
        set_aside(&*journal, &letter("a", number)).await;
        assert_eq!(all(&*journal).await, [letter("a", newest)]);
        assert_eq!(find(&*journal, "a").await, Some(letter("a", newest)));
        journal = reopen(journal, &place).await;
        assert_eq!(all(&*journal).await, [letter("a", newest)]);
    }
}

/// As a drain does that was cut off before it acknowledged.
async fn one_that_is_set_aside_again_is_one(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    for _ in 0..3 {
        set_aside(&*journal, &letter("a", 5)).await;
        assert_eq!(all(&*journal).await, [letter("a", 5)]);
        journal = reopen(journal, &place).await;
    }
    assert!(forget(&*journal, "a", 5).await);
    assert_eq!(all(&*journal).await, []);
}

async fn the_same_or_a_newer_version_in_the_database_ends_one(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    for name in ["a", "b", "c"] {
        set_aside(&*journal, &letter(name, u64::from(name.as_bytes()[0]))).await;
    }
    // 'a' is 97, and so on. Versions grow in digits too.
    flushed(&*journal, &[("a", 96), ("b", 9), ("c", 98)]).await;
    assert_eq!(all(&*journal).await.len(), 3, "older ones end nothing");
    flushed(&*journal, &[("a", 97), ("b", 1_000)]).await;
    assert_eq!(all(&*journal).await, [letter("c", 99)]);
    assert_eq!(find(&*journal, "a").await, None);
}

async fn what_the_database_has_of_other_keys_ends_none(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 3);
    set_aside(&*journal, &letter(&names[1], 5)).await;
    let rows = [&names[0], &names[2]].map(|name| (key(name), Version::MAX));
    let acknowledged = journal.acknowledge(shard, Version::ZERO, &rows);
    acknowledged.await.unwrap();
    assert_eq!(all(&*journal).await, [letter(&names[1], 5)]);
    // Of several in one call, just the one.
    set_aside(&*journal, &letter(&names[0], 6)).await;
    let rows = [&names[1], &names[2]].map(|name| (key(name), version(5)));
    let acknowledged = journal.acknowledge(shard, Version::ZERO, &rows);
    acknowledged.await.unwrap();
    assert_eq!(all(&*journal).await, [letter(&names[0], 6)]);
}

async fn its_entry_remains_until_it_is_acknowledged(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 2);
    let appended = append(&*journal, &[put(&names[0], "x"), put(&names[1], "y")]).await;
    let refused = DeadLetter {
        record: appended[0].clone(),
        ..letter(&names[0], 1)
    };
    set_aside(&*journal, &refused).await;
    assert_eq!(
        journal.read(shard, Version::ZERO, 9).await.unwrap(),
        appended
    );
    // The drainer acknowledges all of it, and what was flushed of it.
    let rows = [(key(&names[1]), appended[1].version)];
    let acknowledged = journal.acknowledge(shard, appended[1].version, &rows);
    acknowledged.await.unwrap();
    assert_eq!(journal.read(shard, Version::ZERO, 9).await.unwrap(), []);
    assert_eq!(all(&*journal).await, std::slice::from_ref(&refused));
    // A later write of the name gets into the database.
    let later = append(&*journal, &[put(&names[0], "z")]).await;
    assert_eq!(all(&*journal).await, [refused], "not before it is there");
    acknowledge(&*journal, shard, &later).await;
    assert_eq!(all(&*journal).await, []);
}

async fn they_are_listed_in_the_order_of_their_keys(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    let mut names: Vec<String> = (0..40).map(|number| format!("user {number}")).collect();
    names.extend(["", "Z", "é", "\u{ffff}", "😀"].map(str::to_owned));
    for (place, name) in names.iter().enumerate() {
        set_aside(&*journal, &letter(name, 1_000 - place as u64)).await;
    }
    names.sort_unstable();
    for max in [0, 1, 2, 39, 44, 45, 46, usize::MAX] {
        let listed = journal.dead_letters(max).await.unwrap();
        let listed: Vec<&str> = listed
            .iter()
            .map(|letter| letter.record.key.as_str())
            .collect();
        assert_eq!(listed, names[..max.min(names.len())], "{max}");
    }
}

async fn one_is_forgotten_at_exactly_its_version(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    set_aside(&*journal, &letter("a", 50)).await;
    set_aside(&*journal, &letter("b", 60)).await;
    for number in [0, 5, 49, 51, 60, 500, Version::MAX.get()] {
        assert!(!forget(&*journal, "a", number).await, "{number}");
    }
    assert!(!forget(&*journal, "c", 50).await);
    assert_eq!(all(&*journal).await, [letter("a", 50), letter("b", 60)]);
    assert!(forget(&*journal, "a", 50).await);
    assert!(!forget(&*journal, "a", 50).await, "only once");
    assert_eq!(all(&*journal).await, [letter("b", 60)]);
    // A key whose letter is gone may have an older one again.
    set_aside(&*journal, &letter("a", 49)).await;
    assert_eq!(find(&*journal, "a").await, Some(letter("a", 49)));
}

async fn stats_count_them(implementation: Implementation) {
    let place = implementation.new_place();
    let mut journal = place.open().await;
    assert_eq!(count(&*journal).await, []);
    let mut expected: BTreeMap<Shard, u64> = BTreeMap::new();
    for number in 1..30 {
        let letter = letter(&format!("user {}", number % 20), number);
        set_aside(&*journal, &letter).await;
        if number < 20 {
            let shard = journal.shard_of(&letter.record.key);
            *expected.entry(shard).or_default() += 1;
        } else if number == 20 {
            *expected
                .entry(journal.shard_of(&key("user 0")))
                .or_default() += 1;
        }
    }
    for _ in 0..2 {
        let expected: Vec<_> = expected.clone().into_iter().collect();
        assert_eq!(count(&*journal).await, expected);
        // They are no entries.
        assert_eq!(journal.depth(), 0);
        for shard in shards(&*journal) {
            assert_eq!(crate::stats_of(&*journal, shard).await.depth, 0);
        }
        journal = reopen(journal, &place).await;
    }
    for number in 1..30 {
        forget(&*journal, &format!("user {}", number % 20), number).await;
    }
    assert_eq!(count(&*journal).await, []);
}

/// All of it but for NUL in the reason, which Redis's form has no place for.
fn comparable(mut letter: DeadLetter) -> DeadLetter {
    letter.reason = letter.reason.replace('\0', "").into();
    letter
}

async fn it_comes_back_whole(place: &Place, letters: Vec<DeadLetter>) {
    let mut letters: Vec<DeadLetter> = letters.into_iter().map(comparable).collect();
    letters.sort_by(|one, other| one.record.key.cmp(&other.record.key));
    for _ in 0..2 {
        let journal = place.open().await;
        let listed = all(&*journal).await.into_iter().map(comparable);
        assert_eq!(listed.collect::<Vec<_>>(), letters);
        for letter in &letters {
            let found = journal.dead_letter(&letter.record.key).await.unwrap();
            assert_eq!(found.map(comparable).as_ref(), Some(letter));
        }
    }
    let journal = place.open().await;
    // An acknowledgement finds each by its name too.
    for (number, letter) in letters.iter().enumerate() {
        let (key, version) = (letter.record.key.clone(), letter.record.version);
        if number % 2 == 0 {
            assert!(journal.forget_dead_letter(&key, version).await.unwrap());
        } else {
            let shard = journal.shard_of(&key);
            let rows = [(key, version)];
            let acknowledged = journal.acknowledge(shard, Version::ZERO, &rows);
            acknowledged.await.unwrap();
        }
    }
    assert_eq!(all(&*journal).await, []);
}

async fn difficult_letters_come_back_whole(implementation: Implementation) {
    let place = implementation.new_place();
    let mut names = valid_names();
    names.extend(
        [
            "a:b",
            "wc{x:0}.dead",
            "}{",
            ".clock",
            "{",
            "a\nb",
            "a\0b",
            "*",
        ]
        .map(str::to_owned),
    );
    names.sort();
    names.dedup();
    let bodies: [Option<&[u8]>; 5] = [
        None,
        Some(b"{\"a\":\"\0\"}"),
        Some(b"\0\0\0"),
        Some(b"\xff\xfe\r\n\0"),
        Some(b" "),
    ];
    let reasons = [
        "",
        "one\nline\r\nafter another",
        "with \0 in it\0",
        "Wert für »é« 😀: {:}",
        "0000000000000009",
    ];
    let letters: Vec<DeadLetter> = names
        .iter()
        .enumerate()
        .map(|(number, name)| DeadLetter {
            record: Record {
                key: key(name),
                version: version(Version::MAX.get() - number as u64),
                body: bodies[number % bodies.len()].map(Bytes::from_static),
            },
            reason: reasons[number / 5 % reasons.len()].into(),
            set_aside_at: version(number as u64),
            held_back: false,
        })
        .collect();
    let journal = place.open().await;
    for letter in &letters {
        set_aside(&*journal, letter).await;
    }
    drop(journal);
    it_comes_back_whole(&place, letters).await;
}

async fn any_letter_comes_back_whole(implementation: Implementation) {
    let cases = few(implementation);
    let body = prop::option::of(vec(any::<u8>(), 1..50));
    let inputs = vec((valid_name(), body, any::<String>()), 1..4);
    for_random(cases, inputs, async |inputs| {
        let place = implementation.new_place();
        let journal = place.open().await;
        let mut letters: BTreeMap<Key, DeadLetter> = BTreeMap::new();
        for (number, (name, body, reason)) in inputs.into_iter().enumerate() {
            let letter = DeadLetter {
                record: Record {
                    key: key(&name),
                    version: version(number as u64 + 1),
                    body: body.map(Bytes::from),
                },
                reason: reason.into(),
                set_aside_at: Version::now(),
                held_back: false,
            };
            set_aside(&*journal, &letter).await;
            letters.insert(letter.record.key.clone(), letter);
        }
        drop(journal);
        it_comes_back_whole(&place, letters.into_values().collect()).await;
    })
    .await;
}

#[derive(Clone, Debug)]
enum Step {
    SetAside(usize, u64),
    Flush(usize, u64),
    Forget(usize, u64),
    Reopen,
}

/// Whatever is done in whatever order, the journal has what a map would have.
async fn any_order_of_steps_leaves_the_newest_that_has_not_ended(implementation: Implementation) {
    const NAMES: [&str; 3] = ["a", "b", "user 0"];
    // No two names have a version in common, as in a journal.
    let at = || (0..NAMES.len(), 1..12u64).prop_map(|(name, step)| (name, step * 4 + name as u64));
    let step = prop_oneof![
        4 => at().prop_map(|(name, number)| Step::SetAside(name, number)),
        2 => at().prop_map(|(name, number)| Step::Flush(name, number)),
        2 => at().prop_map(|(name, number)| Step::Forget(name, number)),
        1 => Just(Step::Reopen),
    ];
    for_random(few(implementation), vec(step, 1..25), async |steps| {
        let place = implementation.new_place();
        let mut journal = place.open().await;
        let mut held: BTreeMap<&str, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::SetAside(name, number) => {
                    set_aside(&*journal, &letter(NAMES[name], number)).await;
                    let newest = held.entry(NAMES[name]).or_default();
                    *newest = number.max(*newest);
                }
                Step::Flush(name, number) => {
                    flushed(&*journal, &[(NAMES[name], number)]).await;
                    held.retain(|held, version| *held != NAMES[name] || *version > number);
                }
                Step::Forget(name, number) => {
                    let had = held.get(NAMES[name]) == Some(&number);
                    assert_eq!(forget(&*journal, NAMES[name], number).await, had);
                    held.retain(|held, version| *held != NAMES[name] || *version != number);
                }
                Step::Reopen => journal = reopen(journal, &place).await,
            }
            let expected = held.iter().map(|(name, number)| letter(name, *number));
            assert_eq!(all(&*journal).await, expected.collect::<Vec<_>>());
        }
    })
    .await;
}

fn few(implementation: Implementation) -> u32 {
    match implementation {
        Implementation::File(JournalSync::Os) => 60,
        Implementation::File(JournalSync::Fsync) => 10,
        Implementation::RedisStream(_) => 20,
    }
}

on_every_journal!([
    one_is_kept_over_reopening_until_it_is_forgotten,
    only_the_newest_of_a_key_is_kept,
    one_that_is_set_aside_again_is_one,
    the_same_or_a_newer_version_in_the_database_ends_one,
    what_the_database_has_of_other_keys_ends_none,
    its_entry_remains_until_it_is_acknowledged,
    they_are_listed_in_the_order_of_their_keys,
    one_is_forgotten_at_exactly_its_version,
    stats_count_them,
    difficult_letters_come_back_whole,
    any_letter_comes_back_whole,
    any_order_of_steps_leaves_the_newest_that_has_not_ended,
]);
