//! The dead letters of a watched journal: the calls are passed on and not noted, since the drainer and
//! operators make them, and no request waits for one.

use async_trait::async_trait;

use crate::error::Result;
use crate::journal::dead_letters::DeadLetters;
use crate::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery, LetterScan, ScanPosition};
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::version::Version;

use super::WatchedJournal;

#[async_trait]
impl DeadLetters for WatchedJournal {
    async fn set_aside_within(&self, shard: Shard, letter: &DeadLetter, max: u64) -> Result<bool> {
        self.journal.set_aside_within(shard, letter, max).await
    }

    async fn held_back(
        &self,
        shard: Shard,
        after: Option<&Key>,
        max: usize,
    ) -> Result<HeldBackPage> {
        self.journal.held_back(shard, after, max).await
    }

    async fn promote(&self, letter: &DeadLetter, max: u64) -> Result<bool> {
        self.journal.promote(letter, max).await
    }

    async fn set_aside_undecodable(&self, shard: Shard) -> Result<u64> {
        self.journal.set_aside_undecodable(shard).await
    }

    async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
        self.journal.dead_letter_page(query).await
    }

    async fn scan_letters(
        &self,
        query: &LetterQuery,
        from: Option<&ScanPosition>,
    ) -> Result<LetterScan> {
        self.journal.scan_letters(query, from).await
    }

    async fn still_there(&self, letters: &[DeadLetter]) -> Result<Vec<bool>> {
        self.journal.still_there(letters).await
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        self.journal.dead_letter(key).await
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        self.journal.forget_dead_letter(key, version).await
    }
}
