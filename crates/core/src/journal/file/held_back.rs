//! How much is held back.

use crate::journal::file::ENTRY_MEMORY_BYTES;
use crate::model::dead_letter::DeadLetter;

/// What a letter takes in memory besides its texts.
const LETTER_MEMORY_BYTES: u64 = 200;

/// How many letters are held back, and about how many bytes they take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeldBack {
    pub(super) letters: u64,
    pub(super) bytes: u64,
}

impl HeldBack {
    pub(super) fn add(&mut self, letter: &DeadLetter) {
        if letter.held_back {
            self.letters += 1;
            self.bytes += size_bytes(letter);
        }
    }

    pub(super) fn subtract(&mut self, letter: &DeadLetter) {
        if letter.held_back {
            self.letters -= 1;
            self.bytes -= size_bytes(letter);
        }
    }
}

/// About what a letter takes in memory: its write is in the cache, too.
fn size_bytes(letter: &DeadLetter) -> u64 {
    let body = letter.record.body.as_ref().map_or(0, |body| body.len());
    let write = letter.record.key.as_str().len() + body;
    (2 * write + letter.reason.len()) as u64 + ENTRY_MEMORY_BYTES + LETTER_MEMORY_BYTES
}
