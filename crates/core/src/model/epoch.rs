//! Periods in which the cache is used, or bypassed.

use std::fmt;

/// A period in which the cache is used, or in which it is bypassed. The two alternate, and
/// what is cached in one epoch is never read in another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of this number, from 0.
    pub fn new(number: u64) -> Epoch {
        Epoch(number)
    }

    /// Its number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The one after it.
    pub(crate) fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
