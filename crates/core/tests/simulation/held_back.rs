//! Dead letters and their room in a journal of several shards.

use cache_core::model::dead_letter::{DeadLetter, HeldBackPage};
use cache_core::model::record::Key;
use cache_core::model::shard::Shard;

use crate::world::State;

impl State {
    pub(crate) fn set_aside(&mut self, shard: Shard, letter: &DeadLetter, max: u64) -> bool {
        let State { log, server, .. } = self;
        log.set_aside(letter, max, |key| server.shard_of(key) == shard)
    }

    pub(crate) fn promote(&mut self, letter: &DeadLetter, max: u64) -> bool {
        let State { log, server, .. } = self;
        let shard = server.shard_of(&letter.record.key);
        log.promote(letter, max, |key| server.shard_of(key) == shard)
    }

    pub(crate) fn held_back(&self, shard: Shard, after: Option<&Key>, max: usize) -> HeldBackPage {
        let is_here = |key: &Key| self.server.shard_of(key) == shard;
        self.log.held_back(after, max, is_here)
    }
}
