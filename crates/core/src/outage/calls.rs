//! The kinds of calls that a part answers.

/// A kind of call. A part may answer one kind and fail the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// They change nothing.
    Reads,
    /// They change something.
    Writes,
}

impl Calls {
    /// Both.
    pub(super) const ALL: [Calls; 2] = [Calls::Reads, Calls::Writes];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Calls::Reads => "reads",
            Calls::Writes => "writes",
        }
    }
}

/// One value for each kind.
#[derive(Debug, Default)]
pub(super) struct Each<T> {
    pub(super) reads: T,
    pub(super) writes: T,
}

impl<T> Each<T> {
    pub(super) fn of(&self, calls: Calls) -> &T {
        match calls {
            Calls::Reads => &self.reads,
            Calls::Writes => &self.writes,
        }
    }
}
