//! No process waits for one that has stopped.

use cache_core::bypass::Mode;
use cache_core::error::Error;
use tokio::time::Instant;

use crate::fakes::{Passage, Travel};
use crate::processes::{BEAT, CLOSING, LEASE, eventually, three, throughout};

#[tokio::test(start_paused = true)]
async fn one_that_leaves_trusts_nothing_and_is_not_waited_for() {
    let (database, [a, b, c]) = three().await;
    let permit = b.permit();
    b.access.leave().await;
    assert!(!b.access.holds(permit));
    assert!(matches!(b.access.mode(), Mode::Neither(Error::Stopping)));
    assert_eq!(database.view().members.len(), 2);
    let began = Instant::now();
    a.is_cut_off().await.unwrap();
    assert!(
        began.elapsed() <= BEAT + 2 * CLOSING,
        "{:?}",
        began.elapsed()
    );
    throughout(2 * LEASE, || !b.trusts() && b.bypasses().is_none()).await;
    assert_eq!(database.view().members.len(), 2, "it says nothing more");
    // It may be told twice.
    b.access.leave().await;
    drop(c);
}

#[tokio::test(start_paused = true)]
async fn the_last_that_is_cut_off_and_leaves_ends_it() {
    let (_, [a, b, c]) = three().await;
    a.is_cut_off().await.unwrap();
    eventually(|| b.bypasses() == Some(1) && c.bypasses() == Some(1)).await;
    a.access.leave().await;
    let waited = eventually(|| b.trusts_in(2) && c.trusts_in(2)).await;
    assert!(waited <= 2 * BEAT, "{waited:?}");
}

/// The message that it leaves is lost: its lease is waited for once.
#[tokio::test(start_paused = true)]
async fn one_that_leaves_unheard_trusts_nothing_all_the_same() {
    let (_, [a, b, c]) = three().await;
    b.line.fares(|| Travel {
        passage: Passage::Lost,
        ..Travel::AT_ONCE
    });
    b.access.leave().await;
    assert!(!b.trusts());
    let began = Instant::now();
    a.is_cut_off().await.unwrap();
    assert!(began.elapsed() <= LEASE.mul_f64(1.1) + 2 * BEAT);
    eventually(|| a.bypasses() == Some(1) && c.bypasses() == Some(1)).await;
}
