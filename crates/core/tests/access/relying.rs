//! A process relies on the cache for good: none bypasses it.

use cache_core::bypass::Access;
use tokio::time::Instant;

use crate::fakes::{Passage, Travel, unavailable};
use crate::processes::{LEASE, eventually, three, throughout};

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_relied_on_is_not_bypassed() {
    let (database, all) = three().await;
    database.rely("journal");
    eventually(|| {
        all.iter()
            .all(|process| process.access.may_bypass().is_err())
    })
    .await;
    let [a, b, c] = &all;
    let began = Instant::now();
    let error = a.is_cut_off().await.unwrap_err();
    assert_eq!(error.to_string(), unavailable().to_string());
    assert_eq!(began.elapsed(), std::time::Duration::ZERO, "at once");
    // There is nothing better to do than to ask it again.
    throughout(40 * LEASE, || {
        a.trusts_in(0) && b.trusts_in(0) && c.trusts_in(0) && !database.view().bypassed
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_relied_on_is_trusted_without_the_database() {
    let (database, all) = three().await;
    database.rely("journal");
    eventually(|| {
        all.iter()
            .all(|process| process.access.may_bypass().is_err())
    })
    .await;
    for process in &all {
        process.line.fares(|| Travel {
            passage: Passage::Lost,
            ..Travel::AT_ONCE
        });
    }
    throughout(10 * LEASE, || {
        all.iter().all(|process| process.trusts_in(0))
    })
    .await;
}

/// An operator releases the last process that relied on the cache.
#[tokio::test(start_paused = true)]
async fn a_released_cache_can_be_bypassed() {
    let (database, [a, b, c]) = three().await;
    database.rely("journal");
    eventually(|| a.access.may_bypass().is_err()).await;
    a.is_cut_off().await.unwrap_err();
    database.forget("journal");
    eventually(|| a.access.may_bypass().is_ok()).await;
    a.is_cut_off().await.unwrap();
    eventually(|| a.bypasses() == Some(1)).await;
    assert!(!b.trusts() && !c.trusts());
    assert!(a.access.may_bypass().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_never_bypassed_is_always_used() {
    let access = Access::always();
    let permit = access.permit().unwrap();
    assert_eq!(permit.fence, None);
    assert!(access.may_bypass().is_err());
    let error = access.cut_off(permit, &unavailable()).await.unwrap_err();
    assert_eq!(error.to_string(), unavailable().to_string());
    access.writable(None).await.unwrap();
    access.leave().await;
    assert!(access.holds(permit));
}
