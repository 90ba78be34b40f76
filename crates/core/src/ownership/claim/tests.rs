use async_trait::async_trait;

use super::*;
use crate::error::Part;

/// A claim that gives these answers in turn, and then the last one for ever.
#[derive(Debug)]
struct Answers(Vec<Option<Held>>);

#[async_trait]
impl Claim for Answers {
    async fn hold(&mut self) -> Result<Held> {
        let next = match self.0.len() {
            1 => self.0.first().copied(),
            _ => Some(self.0.remove(0)),
        };
        let unavailable = || Error::unavailable(Part::Database, "no answer");
        next.flatten().ok_or_else(unavailable)
    }
}

async fn claimed(mut claim: Answers, usage: Usage) -> Result<Claimed> {
    if claim.0.first() == Some(&Some(Held::Yes)) {
        // The claim is held once in `take`, and once more in `keep`.
        claim.0.insert(0, Some(Held::Yes));
    }
    let by = Instant::now() + timing::CLAIM_START_TIMEOUT;
    Taken::take(Box::new(claim), usage, by)
        .await?
        .keep(by)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_a_process_that_is_stopping() {
    let ends = Answers(vec![Some(Held::No), Some(Held::No), Some(Held::Yes)]);
    let held = claimed(ends, Usage::Alone).await.unwrap();
    assert!(held.admission.check().is_ok());
    let stays = Answers(vec![Some(Held::No)]);
    let refused = claimed(stays, Usage::Alone).await;
    assert!(matches!(refused, Err(Error::BadSetting { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_of_the_database_keeps_the_claim() {
    let answers = Answers(vec![Some(Held::Yes), None, None, Some(Held::Yes)]);
    let held = claimed(answers, Usage::Alone).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(timing::CLAIM_INTERVAL).await;
        assert!(held.admission.check().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_not_alone_stops_serving() {
    for found in [None, Some(Held::No)] {
        let lapsed = Some(Held::Lapsed);
        let answers = Answers(vec![Some(Held::Yes), found, lapsed, Some(Held::Yes)]);
        let held = claimed(answers, Usage::Alone).await.unwrap();
        tokio::time::sleep(timing::CLAIM_INTERVAL * 10).await;
        let refused = held.admission.check();
        assert!(matches!(refused, Err(Error::NotAdmitted(_))), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_one_that_must_be_alone_needs_its_claim_to_start() {
    let unavailable = || Answers(vec![None]);
    assert!(claimed(unavailable(), Usage::Alone).await.is_err());
    assert!(claimed(unavailable(), Usage::Together).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_another_session_holds_is_waited_for() {
    let (yes, no) = (Some(Held::Yes), Some(Held::No));
    let answers = Answers(vec![yes, no, no, None, no, yes]);
    let held = claimed(answers, Usage::Alone).await.unwrap();
    tokio::time::sleep(timing::CLAIM_INTERVAL * 7 / 2).await;
    assert!(held.admission.check().is_err());
    tokio::time::sleep(timing::CLAIM_INTERVAL * 3).await;
    assert!(held.admission.check().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_never_held_is_refused_for_good() {
    let answers = Answers(vec![None, Some(Held::No), Some(Held::Yes)]);
    let held = claimed(answers, Usage::Together).await.unwrap();
    tokio::time::sleep(timing::CLAIM_INTERVAL * 5).await;
    assert!(held.admission.check().is_err());
}
