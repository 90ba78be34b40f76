//! Many writes of one caller.

use bytes::Bytes;
use futures_util::future::join_all;

use crate::engine::Outcome;
use crate::error::{Error, Result};
use crate::model::record::{Key, Write};

use super::WriteThrough;

impl WriteThrough {
    /// Writes all values: each is in the queue before the first answer is waited for.
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
        let mut outcomes = Vec::with_capacity(submitted.len());
        let mut locked = Vec::new();
        for (place, (write, answer)) in submitted.into_iter().enumerate() {
            let outcome = match answer {
                Ok(answer) => answer.await.unwrap_or(Err(Error::Panicked)),
                Err(refused) => Err(refused),
            };
            // Nothing took place.
            if matches!(outcome, Err(Error::Locked)) {
                locked.push((place, write));
            }
            outcomes.push(outcome);
        }
        let waiting = locked.into_iter().map(|(place, write)| async move {
            let outcome = self.waiting.submit(write).await;
            (place, outcome)
        });
        for (place, outcome) in join_all(waiting).await {
            if let Some(answer) = outcomes.get_mut(place) {
                *answer = outcome;
            }
        }
        outcomes
    }
}
