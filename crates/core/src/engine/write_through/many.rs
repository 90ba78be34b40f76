//! Many writes in one call.

use bytes::Bytes;
use futures_util::future::join_all;

use crate::engine::{Durability, Outcome};
use crate::error::{Error, Result};
use crate::model::decision::Decision;
use crate::model::record::{Key, Write};

use super::WriteThrough;

impl WriteThrough {
    /// Writes all values. All of them are in the queue before this waits for the first answer.
    pub(super) async fn write_many(&self, values: Vec<(Key, Bytes)>) -> Vec<Result<Outcome>> {
        if let Err(refused) = self.store.admits_writes() {
            return vec![Err(refused); values.len()];
        }
        let submit = |(key, body): (Key, Bytes)| {
            let write = Write::put(key, body);
            match self.locked.contains(&write.key) {
                true => (write, Err(Error::Locked)),
                false => (write.clone(), self.batches.queue(write)),
            }
        };
        let submitted: Vec<_> = values.into_iter().map(submit).collect();
        let mut decisions: Vec<Result<Decision>> = Vec::with_capacity(submitted.len());
        let mut locked = Vec::new();
        for (place, (write, answer)) in submitted.into_iter().enumerate() {
            let decision = match answer {
                Ok(answer) => answer.await.unwrap_or(Err(Error::Panicked)),
                Err(refused) => Err(refused),
            };
            // A locked write has changed nothing, so it can be submitted again.
            if matches!(decision, Err(Error::Locked)) {
                locked.push((place, write));
            }
            decisions.push(decision);
        }
        let waiting = locked.into_iter().map(|(place, write)| async move {
            let decision = self.waiting.submit(write).await;
            (place, decision)
        });
        for (place, decision) in join_all(waiting).await {
            if let Some(answer) = decisions.get_mut(place) {
                *answer = decision;
            }
        }
        let outcome = |decision| Outcome::of(decision, Durability::Persisted);
        let decisions = decisions.into_iter();
        decisions
            .map(|decision| decision.and_then(outcome))
            .collect()
    }
}
