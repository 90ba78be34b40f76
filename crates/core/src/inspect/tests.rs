//! What follows from findings.

use std::time::Duration;

use bytes::Bytes;

use super::report::Report;
use super::{CacheSaid, Findings, Said, Unread};
use crate::cache::Cached;
use crate::journal::Waiting;
use crate::model::dead_letter::DeadLetter;
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::store::inspect::{Stored, StoredValue};

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

fn body(age: u8) -> Option<Bytes> {
    Some(Bytes::from(format!("{{\"age\":{age}}}")))
}

fn entry(number: u64, body: Option<Bytes>) -> Record {
    Record {
        key: Key::from("Ann"),
        version: version(number),
        body,
    }
}

fn row(number: u64, body: Option<Bytes>) -> Said<Option<Stored>> {
    Ok(Some(Stored {
        version: version(number),
        value: StoredValue::Body(body),
    }))
}

fn cached(number: u64, body: Option<Bytes>, is_clean: bool) -> CacheSaid {
    CacheSaid::Shared(Ok(Cached::Held {
        version: version(number),
        body,
        is_clean,
        expires_in: is_clean.then_some(Duration::from_secs(9)),
    }))
}

fn unread(is_in_use: bool) -> Unread {
    Unread {
        reason: "told to be".to_owned(),
        is_in_use,
    }
}

/// Findings in which every part answers and has nothing.
fn nothing() -> Findings {
    Findings {
        name: "Ann".to_owned(),
        may_bypass: false,
        is_bypassed: false,
        purged_through: Version::ZERO,
        cache_at: "redis://h".to_owned(),
        cache: CacheSaid::Shared(Ok(Cached::Nothing)),
        journal_at: "redis://h".to_owned(),
        journal: Some(Ok(Waiting::default())),
        database_at: "mysql://h/users".to_owned(),
        row: Ok(None),
    }
}

fn waiting(entries: Vec<Record>) -> Option<Said<Waiting>> {
    Some(Ok(Waiting {
        entries,
        ..Waiting::default()
    }))
}

/// A write that the database has refused.
fn refused(held_back: bool) -> Option<Said<Waiting>> {
    Some(Ok(Waiting {
        dead_letter: Some(DeadLetter {
            record: entry(9, body(31)),
            reason: "too long".into(),
            set_aside_at: version(9),
            held_back,
        }),
        ..Waiting::default()
    }))
}

/// The last line, and what JSON says of the parts' agreement and of completeness.
fn last(findings: &Findings) -> (String, bool, bool) {
    let report = Report::of(findings, version(10_000_000));
    let text = report.text();
    let last = text.lines().last().unwrap().to_owned();
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    (
        last,
        json["agree"].as_bool().unwrap(),
        findings.is_complete(),
    )
}

#[track_caller]
fn expect(findings: &Findings, words: &[&str], agree: bool) {
    let (last, agrees, is_complete) = last(findings);
    for words in words {
        assert!(last.contains(words), "{words}: {last}");
    }
    assert_eq!(agrees, agree, "{last}");
    assert!(is_complete, "{last}");
}

#[test]
fn parts_that_agree_say_so() {
    expect(&nothing(), &["404", "no part has anything"], true);
    let mut all = nothing();
    all.row = row(7, body(30));
    expect(
        &all,
        &["version 7, from the database", "only the database"],
        true,
    );
    all.cache = cached(7, body(30), true);
    expect(
        &all,
        &[
            "\"age\":30",
            "version 7, from the cache",
            "agree on version 7",
        ],
        true,
    );
    all.row = row(7, None);
    all.cache = cached(7, None, true);
    expect(&all, &["404", "agree on version 7"], true);
}

#[test]
fn a_newer_write_in_the_journal_goes_to_the_database() {
    let mut findings = nothing();
    findings.row = row(5, body(30));
    findings.cache = cached(9, body(31), false);
    findings.journal = waiting(vec![entry(8, None), entry(9, body(31))]);
    let words = [
        "version 9, from the cache",
        "newer write (version 9)",
        "has version 5",
        "drained",
    ];
    expect(&findings, &words, false);
    findings.row = Err(unread(false));
    let (last, agree, is_complete) = last(&findings);
    assert!(
        last.contains("(version 9), which the database gets when it is available"),
        "{last}"
    );
    assert!(!agree && !is_complete);
    findings.row = row(9, body(31));
    expect(&findings, &["about to be acknowledged"], false);
}

#[test]
fn a_dead_letter_is_newer_than_the_database() {
    let mut findings = nothing();
    findings.row = row(5, body(30));
    findings.cache = cached(9, body(31), false);
    findings.journal = refused(false);
    expect(
        &findings,
        &["from the cache", "refused version 9", "replay or delete"],
        false,
    );
    let text = Report::of(&findings, version(9)).text();
    assert!(
        text.contains("\ndead      version 9") && text.contains("too long"),
        "{text}"
    );
}

#[test]
fn a_write_that_is_held_back_is_retried() {
    let mut findings = nothing();
    findings.row = row(5, body(30));
    findings.cache = cached(9, body(31), false);
    findings.journal = refused(true);
    let words = ["refused version 9", "held back until", "is retried"];
    expect(&findings, &words, false);
    let (said, ..) = last(&findings);
    assert!(!said.contains("replay"), "{said}");
    let text = Report::of(&findings, version(9)).text();
    assert!(text.contains("; held back "), "{text}");
}

#[test]
fn what_another_program_has_changed_is_told() {
    let mut findings = nothing();
    findings.cache = cached(7, body(30), true);
    findings.row = row(7, body(31));
    expect(&findings, &["\"age\":30", "at the same version (7)"], false);
    findings.row = row(8, body(31));
    expect(
        &findings,
        &[
            "from the cache",
            "newer version (8) than the cache (7)",
            "look again",
        ],
        false,
    );
    findings.row = Ok(None);
    expect(
        &findings,
        &["newer version (7) than the database (0)", "restored"],
        false,
    );
    findings.cache = cached(7, body(30), false);
    expect(&findings, &["only the cache has version 7"], false);
    findings.row = Ok(Some(Stored {
        version: version(7),
        value: StoredValue::Broken("age must not be NULL".to_owned()),
    }));
    expect(&findings, &["broken the row"], false);
    findings.cache = CacheSaid::Shared(Ok(Cached::Nothing));
    expect(&findings, &["an error", "age must not be NULL"], true);
}

#[test]
fn a_name_in_doubt_is_read_from_the_database() {
    let mut findings = nothing();
    findings.row = row(7, body(30));
    findings.cache = CacheSaid::Shared(Ok(Cached::InDoubt {
        since: version(9),
        before: None,
    }));
    let words = [
        "version 7, from the database",
        "a write at version 9 is under way",
    ];
    expect(&findings, &words, false);
    findings.cache = CacheSaid::Shared(Ok(Cached::InDoubt {
        since: version(9),
        before: Some((version(8), body(31))),
    }));
    expect(&findings, &["version 8, from the cache"], false);
}

#[test]
fn an_unavailable_part_is_shown_with_its_reason() {
    let mut findings = nothing();
    findings.row = row(7, body(30));
    findings.cache = CacheSaid::Shared(Err(unread(false)));
    findings.journal = Some(Err(unread(false)));
    let (said, agree, is_complete) = last(&findings);
    assert!(said.contains("an error (told to be)"), "{said}");
    assert!(said.contains("the journal is unavailable"), "{said}");
    assert!(!agree && !is_complete);
    let text = Report::of(&findings, version(9)).text();
    assert_eq!(
        text.matches("unavailable (told to be)").count(),
        2,
        "{text}"
    );
    findings.may_bypass = true;
    assert!(last(&findings).0.contains("from the database"));
}

#[test]
fn embedded_parts_are_read_when_no_service_has_them() {
    let mut findings = nothing();
    findings.cache_at = "memory:".to_owned();
    findings.cache = CacheSaid::InMemory;
    findings.row = row(7, body(30));
    findings.journal = waiting(vec![entry(9, None)]);
    expect(&findings, &["404", "newer write (version 9)"], false);
    findings.journal = waiting(Vec::new());
    expect(
        &findings,
        &["version 7, from the database", "nothing waits"],
        true,
    );
    findings.journal = Some(Err(unread(true)));
    findings.row = Err(unread(true));
    let (said, agree, is_complete) = last(&findings);
    assert!(said.contains("is not known"), "{said}");
    assert!(!agree && !is_complete);
}

#[test]
fn names_and_values_cannot_forge_a_line() {
    let mut findings = nothing();
    findings.name = "Ann\u{2028}\ncache".to_owned();
    findings.row = row(7, Some(Bytes::from_static(b"\"a\\nb\"")));
    let text = Report::of(&findings, version(9)).text();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(!text.contains('\u{2028}'));
}

/// What is stored of a record is not what is shown of it.
#[test]
fn every_body_is_shown_as_its_record() {
    let stored = || Some(Bytes::from_static(b"\x01stored"));
    let mut waits = refused(false);
    if let Some(Ok(Waiting {
        entries,
        dead_letter: Some(letter),
        ..
    })) = &mut waits
    {
        entries.push(entry(8, stored()));
        letter.record.body = stored();
    }
    let doubted = CacheSaid::Shared(Ok(Cached::InDoubt {
        since: version(9),
        before: Some((version(7), stored())),
    }));
    for cache in [cached(7, stored(), true), doubted] {
        let mut all = nothing();
        (all.cache, all.journal, all.row) = (cache, waits.clone(), row(7, stored()));
        all.show(|name, body| {
            let shown = format!("{{\"{name}\":{}}}", body.len());
            Some(shown.into_bytes())
        });
        let text = Report::of(&all, version(10)).text();
        // In cache, journal, dead letter and database, and in the last line.
        assert_eq!(text.matches("{\"Ann\":7}").count(), 5, "{text}");
        assert!(!text.contains("stored"), "{text}");
    }
}
