//! Many writes of one caller, and waiting until they are in the database.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::engine::{Durability, Outcome};
use crate::error::{Error, Part, Result};
use crate::model::record::{Key, Write};
use crate::model::shard::Shard;
use crate::model::version::Version;
use crate::store::versions_of;

use super::WriteBehind;

impl WriteBehind {
    /// Appends all values: each is in the queue before the first answer is waited for.
    pub(super) async fn append_many(&self, values: Vec<(Key, Bytes)>) -> Vec<Result<Outcome>> {
        let submit = |(key, body)| {
            let write = Write::put(key, body);
            let reserved = self.backlog.admit(&write)?;
            Ok(self.appender.submit(write, reserved))
        };
        let submitted: Vec<Result<_>> = values.into_iter().map(submit).collect();
        let mut outcomes = Vec::with_capacity(submitted.len());
        // One after another: a batch answers all its writes at once.
        for appended in submitted {
            let decided = match appended {
                Ok(appended) => appended.await,
                Err(refused) => Err(refused),
            };
            outcomes.push(decided.and_then(|decided| Outcome::of(decided, Durability::Journaled)));
        }
        outcomes
    }

    /// Waits until all of `written` are in the database; what became of each.
    pub(super) async fn all_persisted(
        &self,
        written: &[(Key, Version)],
        timeout: Duration,
    ) -> Vec<Result<()>> {
        let asked = async {
            let keys: Vec<Key> = written.iter().map(|(key, _)| key.clone()).collect();
            let deadline = Instant::now() + timeout;
            let mut marks: HashMap<Shard, Version> = HashMap::new();
            for (key, version) in written {
                let mark = marks.entry(self.journal.shard_of(key)).or_default();
                *mark = (*mark).max(*version);
            }
            let drained = self.drain_waiter.wait(marks, &keys, deadline).await?;
            if !drained && keys.len() == 1 {
                return Ok((drained, HashMap::new()));
            }
            // IMPORTANT: that nothing waits any more is not enough: the journal may
            // have lost the entry, or the database may have refused it.
            Ok((drained, versions_of(&*self.store, &keys).await?))
        };
        let (drained, stored) = match asked.await {
            Ok(asked) => asked,
            Err(error) => return vec![Err(error); written.len()],
        };
        let mut outcomes = Vec::with_capacity(written.len());
        for (key, version) in written {
            outcomes.push(match stored.get(key) {
                Some(stored) if stored >= version => Ok(()),
                _ if !drained => Err(Error::NotPersisted),
                _ => self.not_stored(key, *version).await,
            });
        }
        outcomes
    }

    /// Why a write that does not wait in the journal is not in the database.
    async fn not_stored(&self, key: &Key, version: Version) -> Result<()> {
        match self.journal.dead_letter(key).await? {
            Some(letter) if letter.record.version >= version && letter.held_back => {
                Err(Error::NotPersisted)
            }
            Some(letter) if letter.record.version >= version => Err(Error::DeadLetter),
            _ => Err(Error::unavailable(
                Part::Journal,
                "it came back without the write",
            )),
        }
    }
}
