//! What every journal promises of dead letters that are read page by page.

use std::collections::BTreeSet;

use cache_core::journal::Journal;
use cache_core::model::dead_letter::{DeadLetter, LetterQuery};
use cache_core::settings::JournalSync;

use crate::Implementation;
use crate::dead_letters::{forget, letter, set_aside};
use crate::suite::{SEVERAL, key};

const LETTERS: u64 = 250;

/// In their order.
fn name(number: u64) -> String {
    format!("user {number:04}")
}

async fn fill(journal: &dyn Journal) {
    for number in 0..LETTERS {
        // Versions in another order than names.
        let version = 1 + (number * 7) % LETTERS;
        set_aside(journal, &letter(&name(number), version)).await;
    }
}

async fn page(journal: &dyn Journal, query: &LetterQuery) -> Vec<String> {
    let letters = journal.dead_letter_page(query).await.unwrap();
    names(&letters)
}

fn names(letters: &[DeadLetter]) -> Vec<String> {
    let names = letters.iter().map(|letter| letter.record.key.as_str());
    names.map(str::to_owned).collect()
}

fn after(name: &str, max: usize) -> LetterQuery {
    LetterQuery {
        after: Some(key(name)),
        ..LetterQuery::first(max)
    }
}

async fn pages_follow_each_other(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    fill(&*journal).await;
    for max in [1, 49, 50, 249, 250, 251] {
        let mut listed = Vec::new();
        let mut next = LetterQuery::first(max);
        loop {
            let page = page(&*journal, &next).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= max);
            next = after(last, max);
            listed.extend(page);
        }
        let expected: Vec<String> = (0..LETTERS).map(name).collect();
        assert_eq!(listed, expected, "{max}");
    }
    assert_eq!(page(&*journal, &LetterQuery::first(0)).await, [""; 0]);
    assert_eq!(page(&*journal, &after("user 0003 ", 1)).await, [name(4)]);
}

/// Letters that come and go between two pages make no other one appear twice, or never.
async fn pages_do_not_shift(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    fill(&*journal).await;
    let first = page(&*journal, &LetterQuery::first(100)).await;
    assert_eq!(first.last(), Some(&name(99)));
    for number in [0, 50, 99, 101] {
        let version = 1 + (number * 7) % LETTERS;
        assert!(forget(&*journal, &name(number), version).await);
    }
    set_aside(&*journal, &letter("user 0000a", 1_000)).await;
    set_aside(&*journal, &letter("user 0100a", 1_001)).await;
    let second = page(&*journal, &after(&name(99), 3)).await;
    assert_eq!(second, [&name(100), "user 0100a", &name(102)]);
    // From a letter that is there, which is not listed twice.
    let third = page(&*journal, &after("user 0100a", 1)).await;
    assert_eq!(third, [name(102)]);
}

async fn a_query_bounds_names_and_reasons(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    fill(&*journal).await;
    let of_names = LetterQuery {
        name_prefix: "user 01".to_owned(),
        ..LetterQuery::first(1_000)
    };
    let hundred: Vec<String> = (100..200).map(name).collect();
    assert_eq!(page(&*journal, &of_names).await, hundred);
    // "reason <version>"
    let of_reason = LetterQuery {
        reason: "on 25".to_owned(),
        ..LetterQuery::first(1_000)
    };
    let mut expected: Vec<String> = (0..LETTERS)
        .filter(|number| [25, 250].contains(&(1 + (number * 7) % LETTERS)))
        .map(name)
        .collect();
    expected.sort_unstable();
    assert_eq!(page(&*journal, &of_reason).await, expected);
    let of_both = LetterQuery {
        after: Some(key(&name(150))),
        max: 2,
        ..of_names
    };
    assert_eq!(page(&*journal, &of_both).await, [name(151), name(152)]);
}

/// Beside letters that end meanwhile.
async fn a_scan_has_every_letter_that_stays(implementation: Implementation) {
    let place = implementation.new_place();
    let journal = place.open().await;
    fill(&*journal).await;
    for max in [1, 60, 1_000] {
        let query = LetterQuery {
            reason: "reason".to_owned(),
            ..LetterQuery::first(max)
        };
        let (mut seen, mut from) = (BTreeSet::new(), None);
        loop {
            let scan = journal.scan_letters(&query, from.as_ref()).await.unwrap();
            seen.extend(names(&scan.letters));
            assert!(!scan.letters.is_empty() || scan.next.is_none());
            let Some(next) = scan.next else { break };
            from = Some(next);
            let _ = forget(&*journal, &name(3), 22).await;
        }
        seen.insert(name(3));
        assert_eq!(seen, (0..LETTERS).map(name).collect(), "{max}");
    }
    let nothing = LetterQuery {
        reason: "none".to_owned(),
        ..LetterQuery::first(9)
    };
    let scan = journal.scan_letters(&nothing, None).await.unwrap();
    assert_eq!((scan.letters.len(), scan.next), (0, None));
}

contract!(
    [
        file: Implementation::File(JournalSync::Os),
        #[ignore = "needs servers"]
        redis_stream: Implementation::RedisStream(1),
        #[ignore = "needs servers"]
        redis_stream_of_several_shards: Implementation::RedisStream(SEVERAL),
    ],
    [
        pages_follow_each_other,
        pages_do_not_shift,
        a_query_bounds_names_and_reasons,
        a_scan_has_every_letter_that_stays,
    ]
);
