//! What a journal keeps of the writes that the database refuses.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery, LetterScan, ScanPosition};
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::version::Version;

/// The dead letters of a journal. Each is in the shard of its key, at most one a key.
#[async_trait]
pub trait DeadLetters: Debug + Send + Sync + 'static {
    /// Keeps a write that the database refuses as a dead letter, durably,
    /// unless there is a newer one of its key. Its entry remains until
    /// [`crate::journal::Journal::acknowledge`].
    async fn set_aside(&self, shard: Shard, letter: &DeadLetter) -> Result<()> {
        self.set_aside_within(shard, letter, u64::MAX)
            .await
            .map(drop)
    }

    /// The same, with at most `max` dead letters in the shard: beyond, the write is held back.
    /// One whose key has a dead letter takes that one's place. Returns whether it is held back.
    async fn set_aside_within(&self, shard: Shard, letter: &DeadLetter, max: u64) -> Result<bool>;

    /// What is held back in a shard, in the order of the keys, after the key `after`: a page of `max`.
    async fn held_back(
        &self,
        shard: Shard,
        after: Option<&Key>,
        max: usize,
    ) -> Result<HeldBackPage>;

    /// Makes a dead letter of the write that is held back, if it has the version of `letter` and its shard
    /// has fewer than `max` dead letters. Its reason becomes that of `letter`. Returns whether it is a
    /// dead letter now.
    async fn promote(&self, letter: &DeadLetter, max: u64) -> Result<bool>;

    /// Makes dead letters of those entries of a shard that cannot be understood.
    /// Returns how many there were.
    async fn set_aside_undecodable(&self, shard: Shard) -> Result<u64>;

    /// Dead letters in the order of their keys, at most `max`, and what is held back among them.
    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        self.dead_letter_page(&LetterQuery::first(max)).await
    }

    /// The same of those that a query asks for. Needs memory for these only.
    async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>>;

    /// Dead letters that a query asks for, in no particular order, from a position on: about as many as it
    /// asks for, and some if there are any. A scan to the end costs one pass over all letters. It has each
    /// letter that is there all the while, perhaps more than once.
    ///
    /// # Errors
    /// [`crate::error::Error::Unseeded`] where the position is of an earlier run of the journal's server:
    /// begin again.
    async fn scan_letters(
        &self,
        query: &LetterQuery,
        from: Option<&ScanPosition>,
    ) -> Result<LetterScan> {
        let mut query = query.clone();
        if let Some(ScanPosition::After(key)) = from {
            query.after = Some(key.clone());
        }
        let letters = self.dead_letter_page(&query).await?;
        let last = letters.last().filter(|_| letters.len() == query.max);
        let next = last.map(|letter| ScanPosition::After(letter.record.key.clone()));
        Ok(LetterScan { letters, next })
    }

    /// Of each letter: whether it is there still, at its version.
    async fn still_there(&self, letters: &[DeadLetter]) -> Result<Vec<bool>> {
        let mut there = Vec::with_capacity(letters.len());
        for letter in letters {
            let now = self.dead_letter(&letter.record.key).await?;
            there.push(now.is_some_and(|now| now.record.version == letter.record.version));
        }
        Ok(there)
    }

    /// The dead letter of `key`, also if it is held back.
    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>>;

    /// Removes the dead letter of `key`, if it has this version. Returns whether
    /// it had.
    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool>;
}
