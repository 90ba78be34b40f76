//! What an operator does with dead letters.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::engine::write_behind::WriteBehind;
use crate::engine::write_behind::replayer::{Replayed, ReplayedPage};
use crate::error::{Error, Part, Result};
use crate::model::dead_letter::{DeadLetter, LetterQuery, ScanPosition};
use crate::model::record::Key;
use crate::store::Origin;
use crate::timing;

impl WriteBehind {
    /// Dead letters in the order of their keys, at most `max`.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        self.journal.dead_letters(max).await
    }

    /// The dead letters that a query asks for.
    ///
    /// # Errors
    /// When the journal is unavailable.
    pub async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
        self.journal.dead_letter_page(query).await
    }

    /// Tries once more to bring some of the dead letters that a query asks for into the database, from a
    /// position on. Returns also where to go on; `None` at the end.
    ///
    /// # Errors
    /// When the letters cannot be read.
    pub async fn replay_dead_letters(
        &self,
        query: &LetterQuery,
        from: Option<&ScanPosition>,
    ) -> Result<(ReplayedPage, Option<ScanPosition>)> {
        let mut scan = self.journal.scan_letters(query, from).await?;
        let mut names = HashSet::new();
        scan.letters
            .retain(|letter| names.insert(letter.record.key.clone()));
        let replayed = self.replayer.replay(scan.letters, Origin::Replayed).await;
        self.drainer.has_room();
        Ok((replayed, scan.next))
    }

    /// Tries once more to bring the dead letter of `key` into the database. Returns whether there was one,
    /// which has ended then: the database has its write, or something newer.
    ///
    /// # Errors
    /// [`Error::Refused`] when the database refuses it still. The letter stays.
    pub async fn replay_dead_letter(&self, key: &Key) -> Result<bool> {
        let Some(letter) = self.journal.dead_letter(key).await? else {
            return Ok(false);
        };
        let replayed = self.replayer.replay(vec![letter], Origin::Replayed).await;
        self.drainer.has_room();
        let failed = replayed.failed.map_or(Ok(false), Err);
        match replayed.outcomes.into_iter().next() {
            // It ended meanwhile.
            None => failed,
            Some((_, Replayed::Written | Replayed::Superseded)) => Ok(true),
            Some((_, Replayed::Refused(reason))) => Err(Error::refused(Part::Database, &reason)),
            Some((letter, Replayed::Undecodable)) => {
                Err(Error::refused(Part::Journal, &letter.reason))
            }
            Some((_, Replayed::Locked)) => Err(Error::Locked),
            Some((_, Replayed::Failed)) => failed.and(Err(Error::Panicked)),
        }
    }

    /// Gives up the dead letter of `key`: readers are given what the database
    /// has. Returns whether there was one.
    ///
    /// # Errors
    /// When a part is unavailable; repeating it is safe.
    pub async fn delete_dead_letter(&self, key: &Key) -> Result<bool> {
        let Some(letter) = self.journal.dead_letter(key).await? else {
            return Ok(false);
        };
        let version = letter.record.version;
        self.cache.discard(key, version).await?;
        let deleted = self.journal.forget_dead_letter(key, version).await?;
        self.drainer.has_room();
        Ok(deleted)
    }

    /// Waits until no refused write waits for room among the dead letters, also none that was refused
    /// meanwhile. Returns whether none does; `false` at the deadline.
    pub(super) async fn holds_nothing_back(&self, deadline: Instant) -> Result<bool> {
        loop {
            let stats = self.journal.stats().await?;
            if stats.iter().all(|shard| shard.held_back == 0) {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep_until(
                (Instant::now() + timing::FLUSH_HELD_BACK_INTERVAL).min(deadline),
            )
            .await;
        }
    }
}
