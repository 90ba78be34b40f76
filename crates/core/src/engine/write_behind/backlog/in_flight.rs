//! Admitted writes that the journal's figures do not count yet. Without this count, all writes that
//! arrive together would be admitted to the same last free place.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number of writes and their bytes.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    entries: AtomicU64,
    bytes: AtomicU64,
    /// Bytes of writes that have ended since the journal's figures were last read, and of writes that
    /// had ended before but may be missing in those figures.
    ended: AtomicU64,
    asked: AtomicU64,
}

impl InFlight {
    pub(super) fn begin(&self, bytes: u64) {
        self.entries.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Removes a write that has ended: if it was written, the journal counts it now.
    pub(super) fn end(&self, bytes: u64) {
        // IMPORTANT: in this order, so that the bytes are counted at every moment.
        self.ended.fetch_add(bytes, Ordering::AcqRel);
        self.leave(bytes);
    }

    /// Removes a write that was not admitted.
    pub(super) fn refuse(&self, bytes: u64) {
        self.leave(bytes);
    }

    fn leave(&self, bytes: u64) {
        let in_all = self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        let entries = self.entries.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(
            entries > 0 && in_all >= bytes,
            "a write that leaves has been counted"
        );
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Acquire)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Bytes of writes that have ended and may be missing in the journal's last figures.
    pub(super) fn unheard_bytes(&self) -> u64 {
        // IMPORTANT: in this order. Bytes that move from one to the other in between count twice.
        let ended = self.ended.load(Ordering::Acquire);
        ended + self.asked.load(Ordering::Acquire)
    }

    /// To be called before the journal's figures are read.
    pub(super) fn ask(&self) {
        let ended = self.ended.load(Ordering::Acquire);
        self.asked.fetch_add(ended, Ordering::AcqRel);
        // Only one task reads the figures.
        self.ended.fetch_sub(ended, Ordering::AcqRel);
    }

    /// To be called after the journal's figures were read.
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
        // These figures may not have it.
        in_flight.heard();
        assert_eq!(in_flight.unheard_bytes(), 10);
        in_flight.ask();
        assert_eq!(in_flight.unheard_bytes(), 10);
        // The figures were not read.
        in_flight.ask();
        assert_eq!(in_flight.unheard_bytes(), 10);
        in_flight.heard();
        assert_eq!(in_flight.unheard_bytes(), 0);
        in_flight.refuse(1);
        assert_eq!((in_flight.entries(), in_flight.bytes()), (0, 0));
        assert_eq!(in_flight.unheard_bytes(), 0);
    }
}
