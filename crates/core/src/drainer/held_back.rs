//! Attempting refused writes again that are held back for want of room among the dead letters.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::dead_letter::DeadLetter;
use crate::error::Result;
use crate::journal::Journal;
use crate::lease::Leases;
use crate::outage;
use crate::record::Key;
use crate::replayer::{Replayed, Replayer};
use crate::shard::Shard;
use crate::store::Origin;
use crate::telemetry;

/// The pause between two looks, which doubles while nothing gets on.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Most writes of a shard that are attempted at each look.
const ATTEMPTED_MAX: usize = 256;

/// Attempts what is held back in the shards that this process drains.
#[derive(Debug)]
pub(super) struct HeldBack {
    pub(super) replayer: Replayer,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) leases: Arc<dyn Leases>,
    /// Of each shard.
    pub(super) dead_letters_max: u64,
    /// There may be room among the dead letters.
    pub(super) room: Arc<Notify>,
}

impl HeldBack {
    /// Looks regularly, for ever.
    pub(super) async fn run(self) {
        let mut pause = PAUSE_MIN;
        // By shard: the key with which the last look ended.
        let mut places: Vec<Option<Key>> = vec![None; self.journal.shards().into()];
        loop {
            // Processes that were started together do not look together.
            let pause_now = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let woken = tokio::time::timeout(pause_now, self.room.notified()).await;
            let gets_on = match self.look(&mut places).await {
                Ok(gets_on) => gets_on,
                Err(error) => {
                    telemetry::failed("drain", &error);
                    outage::failed("cannot attempt what is held back; it waits", &error, 1);
                    false
                }
            };
            pause = match gets_on || woken.is_ok() {
                true => PAUSE_MIN,
                false => (pause * 2).min(PAUSE_MAX),
            };
        }
    }

    /// Attempts some of each shard. Returns whether any of it no longer waits.
    async fn look(&self, places: &mut [Option<Key>]) -> Result<bool> {
        let mut gets_on = false;
        for stats in self.journal.stats().await? {
            let Some(place) = places.get_mut(usize::from(stats.shard.0)) else {
                continue;
            };
            while stats.held_back > 0 && self.leases.held().holds(stats.shard) {
                let attempted = self.attempt(stats.shard, place).await?;
                gets_on |= attempted;
                // One page at a time where the database goes on to refuse.
                if !attempted || place.is_none() {
                    break;
                }
            }
        }
        Ok(gets_on)
    }

    /// The next page of a shard, from its beginning after its end.
    async fn attempt(&self, shard: Shard, place: &mut Option<Key>) -> Result<bool> {
        let page = self
            .journal
            .held_back(shard, place.as_ref(), ATTEMPTED_MAX)
            .await?;
        let is_full = page.len() == ATTEMPTED_MAX;
        let last = page.last().map(|letter| letter.record.key.clone());
        *place = last.filter(|_| is_full);
        if page.is_empty() {
            return Ok(false);
        }
        let replayed = self.replayer.replay(page, Origin::Drained).await;
        let mut gets_on = false;
        for (letter, outcome) in replayed.outcomes {
            gets_on |= match outcome {
                Replayed::Written | Replayed::Superseded => true,
                Replayed::Refused(_) => self.promote(&letter).await?,
                Replayed::Locked | Replayed::Undecodable | Replayed::Failed => false,
            };
        }
        match replayed.failed {
            Some(error) => Err(error),
            None => Ok(gets_on),
        }
    }

    async fn promote(&self, letter: &DeadLetter) -> Result<bool> {
        let (key, version) = (&letter.record.key, letter.record.version);
        let is_dead = self
            .journal
            .promote(key, version, self.dead_letters_max)
            .await?;
        if is_dead {
            telemetry::dead_letters(1);
        }
        Ok(is_dead)
    }
}
