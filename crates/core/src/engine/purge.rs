//! Removing the tombstones of users that were deleted long ago.
//!
//! Why no write that still comes late brings a user back: `docs/design/tombstones.md`.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::engine::seeder::Seeder;
use crate::error::{Error, Part, Result, caught};
use crate::journal::Journal;
use crate::model::dead_letter::LetterQuery;
use crate::model::version::Version;
use crate::outage::back_off::{Recoveries, Recovery, jittered};
use crate::store::{Purge, Purged, Store};
use crate::telemetry;
use crate::telemetry::repeated;
use crate::timing;

/// Rows that one step looks at: all writes wait for it.
const ROWS_MAX: usize = 1_000;
/// Looks for tombstones to remove in one retention, within bounds.
const LOOKS: u32 = 10;
/// How many dead letters are looked at together.
const DEAD_LETTERS_AT_ONCE: usize = 1_000;

/// Removes tombstones that are older than `retention`.
#[derive(Debug)]
pub struct Purger {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Raises the clocks that issue versions.
    pub seeder: Seeder,
    /// What has writes that the database may not have.
    pub journal: Option<Arc<dyn Journal>>,
    /// How long a tombstone stays.
    pub retention: Duration,
    /// A holder that has such writes where this process knows nothing of them: see
    /// [`Purge::unless_relied_on_by`].
    pub unless_relied_on_by: Option<&'static str>,
}

/// The task that purges, which ends with this. The database does a step that is cut off as a whole, or
/// not at all.
pub type Purging = AbortOnDropHandle<()>;

impl Purger {
    /// Removes old tombstones regularly, until the returned value is dropped.
    pub fn start(self) -> Purging {
        // There from the start, so that a rate can be taken.
        telemetry::purged(0);
        Purging::new(tokio::spawn(self.run()))
    }

    /// The recoveries of all parts that a purge needs.
    fn recoveries(&self) -> Recoveries {
        let recovery = Recovery::default();
        self.store.on_recovery(&recovery);
        if let Some(journal) = &self.journal {
            journal.on_recovery(&recovery);
        }
        recovery.watch()
    }

    async fn run(self) {
        let look_pause =
            (self.retention / LOOKS).clamp(timing::PURGE_INTERVAL_MIN, timing::PURGE_INTERVAL_MAX);
        let mut pause = look_pause;
        let mut recoveries = self.recoveries();
        loop {
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = recoveries.next(), if pause > look_pause => {
                    // The parts are left to the writes that have waited.
                    pause = look_pause;
                    continue;
                }
            }
            recoveries.forget();
            match caught(self.all()).await {
                Ok(()) => pause = look_pause,
                Err(error) => {
                    telemetry::failed("purge", &error);
                    repeated::failed("cannot remove old tombstones; retrying", &error, 1);
                    pause = (pause * 2).min(timing::PURGE_BACKOFF_MAX).max(look_pause);
                }
            }
        }
    }

    /// All that is old enough now, step by step.
    async fn all(&self) -> Result<()> {
        let mut floor = self.store.purged_through().await?;
        let through = self.through(Version::now()).await?;
        loop {
            match self.once(floor, through).await? {
                Purged::Through {
                    floor: next,
                    removed,
                    is_all,
                } => {
                    if removed > 0 {
                        tracing::debug!(tombstones = removed, "old tombstones are removed");
                    }
                    if is_all {
                        return Ok(());
                    }
                    floor = next;
                }
                Purged::HeldUp { removed, .. } => {
                    tracing::debug!(
                        tombstones = removed,
                        "another transaction has locked an old tombstone; the rest is left for the next look"
                    );
                    return Ok(());
                }
                Purged::Elsewhere => return Ok(()),
            }
            tokio::time::sleep(timing::PURGE_STEP_INTERVAL).await;
        }
    }

    /// One step: looks at the oldest rows above `floor`, and removes the tombstones among
    /// them, at most up to `through`.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn once(&self, floor: Version, through: Version) -> Result<Purged> {
        if through <= floor {
            return Ok(Purged::Through {
                floor,
                removed: 0,
                is_all: true,
            });
        }
        let purge = Purge {
            floor,
            through,
            rows_max: ROWS_MAX,
            unless_relied_on_by: self.unless_relied_on_by,
        };
        let purged = self.store.purge(purge).await?;
        if let Purged::Through { removed, .. } | Purged::HeldUp { removed, .. } = purged {
            telemetry::purged(removed);
        }
        Ok(purged)
    }

    /// Up to which version tombstones may be removed at `now`. What is issued or waits
    /// from here on is newer.
    ///
    /// # Errors
    /// When a part is unavailable.
    pub async fn through(&self, now: Version) -> Result<Version> {
        let newest = self.store.newest_version().await?;
        let retention_us = u64::try_from(self.retention.as_micros()).unwrap_or(u64::MAX);
        let old = Version::new(now.get().saturating_sub(retention_us)).unwrap_or_default();
        let mut through = newest.min(old);
        if through == Version::ZERO {
            return Ok(through);
        }
        // IMPORTANT: in this order. A clock that went back would go on to issue versions
        // that are as old; and what no longer waits when it is asked is among the dead
        // letters before.
        self.seeder.raise_clocks().await?;
        let Some(journal) = &self.journal else {
            return Ok(through);
        };
        for shard in journal.stats().await? {
            if journal.holds_cache() && shard.newest.is_none() {
                // Its server has just restarted, so an empty journal proves nothing.
                return Err(Error::Unseeded(Part::Journal));
            }
            if let Some(oldest) = shard.oldest_held {
                through = through.min(oldest.just_before());
            }
        }
        let all = LetterQuery::first(DEAD_LETTERS_AT_ONCE);
        let mut from = None;
        loop {
            let scan = journal.scan_letters(&all, from.as_ref()).await?;
            let letters = scan.letters.iter();
            for letter in letters.filter(|letter| !letter.is_undecodable()) {
                through = through.min(letter.record.version.just_before());
            }
            if scan.next.is_none() {
                return Ok(through);
            }
            from = scan.next;
        }
    }
}
