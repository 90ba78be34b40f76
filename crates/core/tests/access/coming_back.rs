//! One process is cut off: all bypass the cache, and use it again when that one
//! can.

use std::sync::Arc;
use std::time::Duration;

use cache_core::bypass::Mode;
use cache_core::error::{Error, Part};
use cache_core::model::epoch::Epoch;
use tokio::time::Instant;

use crate::fakes::{Database, FakeCache, Line, Passage, Travel, unavailable};
use crate::processes::{BEAT, CLOSING, LEASE, Process, assert_safe, eventually, three, throughout};

/// How long the cache is left the first time and the next, soon after a start.
const LEFT_FOR: Duration = Duration::from_secs(1);
const LEFT_AGAIN_FOR: Duration = Duration::from_secs(2);
/// After it was used for so long, it is left for less.
const STEADY: Duration = Duration::from_secs(30);
const LEFT_AT_LEAST: Duration = Duration::from_millis(500);
const LEFT_AT_MOST: Duration = Duration::from_secs(30);
/// How long a write waits.
const WAIT_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn bypass_begins_when_no_process_trusts_the_cache() {
    let (database, [a, b, c]) = three().await;
    let began = Instant::now();
    a.is_cut_off().await.unwrap();
    assert_eq!(a.bypasses(), Some(1));
    assert!(!b.trusts() && !c.trusts());
    assert!(
        began.elapsed() <= BEAT + 2 * CLOSING,
        "{:?}",
        began.elapsed()
    );
    eventually(|| b.bypasses() == Some(1) && c.bypasses() == Some(1)).await;
    assert_eq!(
        (database.view().epoch, database.view().bypassed),
        (Epoch::new(1), true)
    );
}

#[tokio::test(start_paused = true)]
async fn all_trust_again_in_another_epoch_once_the_cache_answers() {
    let (_, [a, b, c]) = three().await;
    a.is_cut_off().await.unwrap();
    let all = [a.clone(), b, c];
    throughout(LEFT_AGAIN_FOR, || {
        assert_safe(&all);
        all.iter().all(|process| !process.trusts_in(2))
    })
    .await;
    assert_eq!(all[1].cache.epoch(), Some(Epoch::new(0)));
    a.cache.answers(true);
    eventually(|| {
        assert_safe(&all);
        all.iter().all(|process| process.trusts_in(2))
    })
    .await;
    for process in &all {
        assert_eq!(process.cache.epoch(), Some(Epoch::new(2)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_of_those_that_are_cut_off_ends_it() {
    let (_, [a, b, c]) = three().await;
    let (one, other) = tokio::join!(a.is_cut_off(), b.is_cut_off());
    one.and(other).unwrap();
    a.cache.answers(true);
    throughout(2 * LEFT_AT_MOST, || !c.trusts() && !a.trusts()).await;
    b.cache.answers(true);
    eventually(|| a.trusts_in(2) && b.trusts_in(2) && c.trusts_in(2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_fails_again_and_again_is_left_for_longer() {
    let database = Arc::new(Database::default());
    let a = Process::join(&database, "a").await;
    let mut expected = LEFT_FOR;
    for _ in 0..7 {
        a.is_cut_off().await.unwrap();
        a.cache.answers(true);
        let left_for = eventually(|| a.trusts()).await;
        let late = left_for.saturating_sub(expected);
        assert!(left_for >= expected && late <= 2 * BEAT, "{left_for:?}");
        expected = (2 * expected).min(LEFT_AT_MOST);
    }
    tokio::time::sleep(STEADY).await;
    a.is_cut_off().await.unwrap();
    a.cache.answers(true);
    let left_for = eventually(|| a.trusts()).await;
    assert!(
        left_for >= LEFT_AT_LEAST && left_for <= LEFT_AT_LEAST + 2 * BEAT,
        "{left_for:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_never_had_the_cache_bypasses_it() {
    let database = Arc::new(Database::default());
    let b = Process::join(&database, "b").await;
    let (line, cache) = (Line::new(database.clone()), FakeCache::new());
    cache.answers(false);
    let a = Process::join_by(line, cache, "a", LEASE).await.unwrap();
    assert!(!a.trusts());
    eventually(|| a.bypasses() == Some(1) && b.bypasses() == Some(1)).await;
    a.cache.answers(true);
    eventually(|| a.trusts_in(2) && b.trusts_in(2)).await;
}

#[tokio::test(start_paused = true)]
async fn joining_needs_the_database() {
    let line = Line::new(Arc::default());
    line.fares(|| Travel {
        passage: Passage::Lost,
        ..Travel::AT_ONCE
    });
    let joined = Process::join_by(line, FakeCache::new(), "a", LEASE).await;
    assert_eq!(joined.unwrap_err().part(), Some(Part::Database));
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_past_epoch_cuts_no_process_off() {
    let (database, [a, b, _]) = three().await;
    let (old, old_of_b) = (a.permit(), b.permit());
    b.is_cut_off().await.unwrap();
    b.cache.answers(true);
    eventually(|| a.trusts_in(2) && b.trusts_in(2)).await;
    assert!(!a.access.holds(old));
    let began = Instant::now();
    a.access.cut_off(old, &unavailable()).await.unwrap();
    b.access.cut_off(old_of_b, &unavailable()).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    throughout(LEASE, || a.trusts_in(2) && b.trusts_in(2)).await;
    assert_eq!(database.view().epoch, Epoch::new(2));
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_an_epoch_other_than_the_one_that_ended() {
    let (_, [a, b, c]) = three().await;
    b.is_cut_off().await.unwrap();
    eventually(|| a.bypasses() == Some(1) && c.bypasses() == Some(1)).await;
    // It may write in this one.
    let began = Instant::now();
    a.access.writable(None).await.unwrap();
    a.access.writable(Some(Epoch::new(0))).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    // This one does not end soon enough.
    let fenced = a.access.writable(Some(Epoch::new(1))).await;
    assert!(matches!(fenced, Err(Error::Fenced)), "{fenced:?}");
    assert_eq!(began.elapsed(), WAIT_TIMEOUT);
    b.cache.answers(true);
    a.access.writable(Some(Epoch::new(1))).await.unwrap();
    assert!(a.trusts_in(2));
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_others_in_vain_says_what_failed() {
    let (database, [a, b, _]) = three().await;
    // It renews its lease, but gets no answer for long.
    b.line.fares(|| Travel {
        back: 2 * WAIT_TIMEOUT,
        ..Travel::AT_ONCE
    });
    let long = Process::join_by(
        Line::new(database),
        FakeCache::new(),
        "long",
        2 * WAIT_TIMEOUT,
    );
    let long = long.await.unwrap();
    long.line.freeze(true);
    let began = Instant::now();
    let error = a.is_cut_off().await.unwrap_err();
    assert_eq!(error.to_string(), unavailable().to_string());
    assert_eq!(began.elapsed(), WAIT_TIMEOUT);
    assert!(matches!(a.access.mode(), Mode::Neither(_)));
    assert!(a.access.may_bypass().is_ok(), "the database has all");
    let writable = a.access.writable(None).await;
    assert_eq!(writable.unwrap_err().part(), Some(Part::Cache));
    eventually(|| a.bypasses() == Some(1)).await;
    assert!(!long.trusts() && !b.trusts());
}
