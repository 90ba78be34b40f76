//! What an operator does with dead letters.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::write_behind::WriteBehind;
use crate::engine::write_behind::replayer::ReplayedPage;
use crate::error::{Error, Part, Result};
use crate::model::dead_letter::{DeadLetter, LetterQuery, ScanPosition};
use crate::model::record::Key;
use crate::store::Origin;

/// How often a flush looks whether something is held back still.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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

    /// Tries once more to bring the dead letter of `key` into the database.
    /// Returns whether there was one.
    ///
    /// # Errors
    /// [`Error::Refused`] when the database refuses it still.
    pub async fn replay_dead_letter(&self, key: &Key) -> Result<bool> {
        let Some(letter) = self.journal.dead_letter(key).await? else {
            return Ok(false);
        };
        if letter.is_undecodable() {
            return Err(Error::refused(Part::Journal, &letter.reason));
        }
        let version = letter.record.version;
        // IMPORTANT: at its own version, so that it replaces nothing newer.
        self.store.apply(&[letter.record], Origin::Replayed).await?;
        self.replayer.end(key, version).await?;
        self.drainer.has_room();
        Ok(true)
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
            tokio::time::sleep_until((Instant::now() + LOOK_AGAIN).min(deadline)).await;
        }
    }
}
