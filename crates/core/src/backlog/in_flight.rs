//! Writes that were admitted and that the journal's figures do not count yet. Without them, all that
//! are under way at the same time would be admitted on the same last free place.

use std::sync::atomic::{AtomicU64, Ordering};

/// Writes and their bytes.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    entries: AtomicU64,
    bytes: AtomicU64,
    /// Bytes of those that have ended since the journal was last asked, and of those that had
    /// ended before but not been part of its last answer.
    ended: AtomicU64,
    asked: AtomicU64,
}

impl InFlight {
    pub(super) fn begin(&self, bytes: u64) {
        self.entries.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// After the journal counts the write, if it was written.
    pub(super) fn end(&self, bytes: u64) {
        // IMPORTANT: in this order, so that the bytes are counted all the while.
        self.ended.fetch_add(bytes, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.entries.fetch_sub(1, Ordering::AcqRel);
    }

    /// After one that was not admitted.
    pub(super) fn refuse(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.entries.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Bytes of writes that have ended and may be missing in the journal's last answer.
    pub(super) fn unheard_bytes(&self) -> u64 {
        // IMPORTANT: in this order. What is moved from one to the other in between counts twice.
        let ended = self.ended.load(Ordering::Acquire);
        ended + self.asked.load(Ordering::Acquire)
    }

    /// Before the journal is asked.
    pub(super) fn ask(&self) {
        let ended = self.ended.load(Ordering::Acquire);
        self.asked.fetch_add(ended, Ordering::AcqRel);
        // Only one task asks.
        self.ended.fetch_sub(ended, Ordering::AcqRel);
    }

    /// After the journal has answered.
    pub(super) fn heard(&self) {
        self.asked.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_counts_until_the_journal_was_asked_after_it() {
        let in_flight = InFlight::default();
        in_flight.begin(10);
        in_flight.begin(1);
        in_flight.ask();
        in_flight.end(10);
        assert_eq!((in_flight.entries(), in_flight.bytes()), (1, 1));
        // This answer may not have it.
        in_flight.heard();
        assert_eq!(in_flight.unheard_bytes(), 10);
        in_flight.ask();
        assert_eq!(in_flight.unheard_bytes(), 10);
        // The answer did not come.
        in_flight.ask();
        assert_eq!(in_flight.unheard_bytes(), 10);
        in_flight.heard();
        assert_eq!(in_flight.unheard_bytes(), 0);
        in_flight.refuse(1);
        assert_eq!((in_flight.entries(), in_flight.bytes()), (0, 0));
        assert_eq!(in_flight.unheard_bytes(), 0);
    }
}
