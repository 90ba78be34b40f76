//! Attempting refused writes again that are held back for want of room among the dead letters.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::engine::write_behind::replayer::{Replayed, Replayer};
use crate::error::{Result, caught};
use crate::lease::Leases;
use crate::model::dead_letter::DeadLetter;
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::outage::back_off::{Recovery, jittered};
use crate::store::Origin;
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

/// Writes that are attempted together, just after they are read: an operator may delete them meanwhile.
const PAGE: usize = 32;
/// Most pages of a shard, one after the other, that get nowhere at each look.
const PAGES_MAX: usize = 8;

/// Attempts what is held back in the shards that this process drains.
#[derive(Clone, Debug)]
pub(super) struct HeldBack {
    pub(super) replayer: Replayer,
    pub(super) leases: Arc<dyn Leases>,
    /// Of each shard.
    pub(super) dead_letters_max: u64,
    /// There may be room among the dead letters.
    pub(super) room: Arc<Notify>,
    /// Ends a long pause.
    pub(super) recovery: Recovery,
}

impl HeldBack {
    /// Looks regularly, for ever.
    pub(super) async fn run(self) {
        let mut pause = timing::HELD_BACK_BACKOFF_MIN;
        let mut recoveries = self.recovery.watch();
        // By shard: the key with which the last look ended.
        let mut places: Vec<Option<Key>> = vec![None; self.replayer.journal.shards().into()];
        loop {
            let woken = tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => false,
                () = self.room.notified() => true,
                () = recoveries.next(), if pause > timing::HELD_BACK_BACKOFF_MIN => {
                    pause = timing::HELD_BACK_BACKOFF_MIN;
                    continue;
                }
            };
            recoveries.forget();
            let gets_on = match caught(self.look(&mut places)).await {
                Ok(gets_on) => gets_on,
                Err(error) => {
                    telemetry::failed("drain", &error);
                    repeated::failed("cannot retry held-back writes", &error, 1);
                    false
                }
            };
            pause = match gets_on || woken {
                true => timing::HELD_BACK_BACKOFF_MIN,
                false => (pause * 2).min(timing::HELD_BACK_BACKOFF_MAX),
            };
        }
    }

    /// Attempts some of each shard. Returns whether any of it no longer waits.
    ///
    /// # Errors
    /// The first one. It does not keep the other shards waiting.
    pub(super) async fn look(&self, places: &mut [Option<Key>]) -> Result<bool> {
        let mut all = Ok(false);
        for stats in self.replayer.journal.stats().await? {
            let Some(place) = places.get_mut(usize::from(stats.shard.0)) else {
                continue;
            };
            if stats.held_back == 0 {
                continue;
            }
            let shard = caught(self.look_at(stats.shard, place)).await;
            all = match (all, shard) {
                (Ok(before), Ok(gets_on)) => Ok(before | gets_on),
                (Err(first), _) | (Ok(_), Err(first)) => Err(first),
            };
        }
        all
    }

    /// Attempts pages of a shard from `place` on, to the end or to the last of [`PAGES_MAX`] that got nowhere.
    async fn look_at(&self, shard: Shard, place: &mut Option<Key>) -> Result<bool> {
        let mut gets_on = false;
        let mut left = PAGES_MAX;
        while left > 0 && self.leases.held().holds(shard) {
            match self.attempt(shard, place).await? {
                true => (gets_on, left) = (true, PAGES_MAX),
                false => left -= 1,
            }
            if place.is_none() {
                break;
            }
        }
        Ok(gets_on)
    }

    /// The next page of a shard, from its beginning after its end.
    async fn attempt(&self, shard: Shard, place: &mut Option<Key>) -> Result<bool> {
        let page = self.replayer.journal.held_back(shard, place.as_ref(), PAGE);
        let page = page.await?;
        *place = page.next;
        if page.letters.is_empty() {
            return Ok(false);
        }
        let replayed = self.replayer.replay(page.letters, Origin::Drained).await;
        let mut gets_on = false;
        let mut failed = replayed.failed;
        for (letter, outcome) in replayed.outcomes {
            gets_on |= match outcome {
                Replayed::Written | Replayed::Superseded => true,
                Replayed::Refused(reason) => {
                    let promoted = self.promote(DeadLetter { reason, ..letter }).await;
                    promoted.unwrap_or_else(|error| {
                        failed.get_or_insert(error);
                        false
                    })
                }
                Replayed::Locked | Replayed::Undecodable | Replayed::Failed => false,
            };
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(gets_on),
        }
    }

    async fn promote(&self, letter: DeadLetter) -> Result<bool> {
        let is_dead = self
            .replayer
            .journal
            .promote(&letter, self.dead_letters_max)
            .await?;
        if is_dead {
            telemetry::dead_letters(1);
        }
        Ok(is_dead)
    }
}
