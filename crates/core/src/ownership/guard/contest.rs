//! Deciding whether an empty Redis at the noted address serves the database.
//!
//! The empty Redis may be the noted one, restarted without its data, or that of another host under
//! the same name. Only processes that serve the database know. So a process that starts notes the
//! empty Redis in the database as a *contender*, and waits. A process that reaches the noted Redis
//! removes the contender.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Shared, State, lock};
use crate::binding::{Bound, Found, Kinship, Place, ServedBy, Verdict};
use crate::error::Result;
use crate::timing;

impl State {
    /// How the Redis that was found compares with the noted Redis.
    pub(super) fn kinship(&self, mine: &Bound, found: &Found) -> Kinship {
        let noted = uncontended(mine);
        // This process is bound to the noted Redis, whatever its address is.
        match noted.is_some() && noted == self.noted {
            true => Kinship::Same,
            false => mine.kinship(found),
        }
    }
}

/// What the database notes, without a contender.
fn uncontended(mine: &Bound) -> Option<ServedBy> {
    mine.noted().map(|noted| ServedBy {
        contender: None,
        ..noted
    })
}

impl Shared {
    /// Notes the Redis that was found as a contender, and looks for objections. Returns what is in
    /// the way of binding.
    pub(super) async fn contest(&self, mine: &Bound, found: &Found) -> Result<Option<Verdict>> {
        let noted = match mine.noted() {
            // A SQLite file is locked by this process, so no other one can object.
            Some(noted) if !matches!(mine.place, Place::Sqlite { .. }) => noted,
            _ => return Ok(None),
        };
        let contends = noted.contender.as_ref();
        let contends = contends.is_some_and(|contender| contender.is_same_run(&found.cache));
        let since = lock(&self.state).contends_since;
        match since {
            Some(since) if contends && since.elapsed() >= timing::REGISTRATION_LIFETIME => Ok(None),
            Some(_) if contends => Ok(Some(Verdict::Contends)),
            Some(_) => {
                lock(&self.state).contends_since = None;
                Ok(Some(Verdict::Elsewhere(noted.cache.to_string())))
            }
            None => {
                let contended = ServedBy {
                    contender: Some(found.cache.clone()),
                    ..noted
                };
                let contended = contended.encode();
                if contends
                    || self
                        .database
                        .note_cache(&mine.served_by, &contended)
                        .await?
                {
                    lock(&self.state).contends_since = Some(Instant::now());
                }
                Ok(Some(Verdict::Contends))
            }
        }
    }

    /// Removes a contender, if this process reaches the noted Redis.
    pub(super) async fn object(&self, mine: &Bound) {
        if mine.noted().is_none_or(|noted| noted.contender.is_none()) {
            return;
        }
        // IMPORTANT: the contender may be this process's own Redis, restarted since the last look.
        if self
            .renewing
            .unless_done(|| None, self.renew())
            .await
            .is_err()
        {
            return;
        }
        let noted = uncontended(mine);
        {
            let state = lock(&self.state);
            // A Redis with the token is the noted one, whatever address is noted.
            if state.noted != noted && state.held != mine.binding() {
                return;
            }
        }
        let noted = noted.map(|noted| noted.encode()).unwrap_or_default();
        match self.database.note_cache(&mine.served_by, &noted).await {
            Ok(true) => {
                tracing::warn!(
                    "refused a process that was to serve this database by another Redis"
                );
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "cannot object to another Redis"),
        }
    }

    /// Takes over another process's note of the same Redis, which has a later run or another
    /// address. If this fails, it is retried after the next answer of the database.
    pub(super) async fn keep_noted(&self, mine: &Bound) {
        let is_to_be_noted = {
            let state = lock(&self.state);
            !state.held.is_empty() && state.noted != uncontended(mine)
        };
        if !is_to_be_noted || self.has_left.load(Ordering::Acquire) {
            return;
        }
        let settle = async {
            let settled = tokio::time::timeout(timing::REDIS_NOTE_TIMEOUT, self.settle()).await;
            tracing::debug!(
                ?settled,
                "the database noted its Redis otherwise than this process"
            );
            Ok(())
        };
        let _ = self.renewing.unless_done(|| None, settle).await;
    }

    /// Notes in the database that the Redis that was found serves it. Returns the note, or `None`
    /// if another process has changed the note meanwhile.
    pub(super) async fn note(&self, mine: &Bound, found: &Found) -> Result<Option<ServedBy>> {
        let now = match uncontended(mine) {
            Some(noted) if noted.cache.is_same_run(&found.cache) && noted.place == mine.place => {
                return Ok(Some(noted));
            }
            _ => ServedBy {
                cache: found.cache.clone(),
                place: mine.place.clone(),
                contender: None,
            },
        };
        let is_noted = self
            .database
            .note_cache(&mine.served_by, &now.encode())
            .await?;
        Ok(is_noted.then_some(now))
    }
}
