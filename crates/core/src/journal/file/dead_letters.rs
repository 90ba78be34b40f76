//! The calls on the dead letters of the file journal, each of which may block on the disk.

use async_trait::async_trait;

use crate::error::Result;
use crate::journal::dead_letters::DeadLetters;
use crate::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery};
use crate::model::record::Key;
use crate::model::shard::Shard;
use crate::model::version::Version;

use super::{FileJournal, lock};

#[async_trait]
impl DeadLetters for FileJournal {
    async fn set_aside_within(&self, _: Shard, letter: &DeadLetter, max: u64) -> Result<bool> {
        let letter = letter.clone();
        self.with_dead(move |dead| dead.keep_within(&letter, max))
            .await
    }

    async fn held_back(&self, _: Shard, after: Option<&Key>, max: usize) -> Result<HeldBackPage> {
        let (dead, after) = (self.dead.clone(), after.cloned());
        Self::blocking(move || Ok(lock(&dead).page_held_back(after.as_ref(), max))).await
    }

    async fn promote(&self, letter: &DeadLetter, max: u64) -> Result<bool> {
        let letter = letter.clone();
        self.with_dead(move |dead| dead.promote(&letter, max)).await
    }

    /// A frame that does not verify is damage, and refused when the journal is
    /// opened; one that does was written here, and can be understood.
    async fn set_aside_undecodable(&self, _: Shard) -> Result<u64> {
        Ok(0)
    }

    async fn dead_letter_page(&self, query: &LetterQuery) -> Result<Vec<DeadLetter>> {
        let (dead, query) = (self.dead.clone(), query.clone());
        Self::blocking(move || Ok(lock(&dead).page(&query))).await
    }

    async fn still_there(&self, letters: &[DeadLetter]) -> Result<Vec<bool>> {
        let dead = self.dead.clone();
        let asked: Vec<(Key, Version)> = letters
            .iter()
            .map(|letter| (letter.record.key.clone(), letter.record.version))
            .collect();
        Self::blocking(move || {
            let dead = lock(&dead);
            let is_there = |(key, version): &(Key, Version)| {
                let held = dead.find(key);
                held.is_some_and(|held| held.record.version == *version)
            };
            Ok(asked.iter().map(is_there).collect())
        })
        .await
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        let (dead, key) = (self.dead.clone(), key.clone());
        Self::blocking(move || Ok(lock(&dead).find(&key).cloned())).await
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        let key = key.clone();
        self.with_dead(move |dead| dead.forget(&key, |held| held == version))
            .await
    }
}
