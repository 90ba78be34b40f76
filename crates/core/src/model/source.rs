//! Where the answer to a read came from.

/// Where a read was answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The cache.
    Hit,
    /// The database, and the cache may hold the record now.
    Miss {
        /// Whether it does.
        stored: bool,
    },
    /// The database, once for several who asked at the same time.
    Collapsed,
    /// The database, since the reader asked for that although the cache may hold the record.
    Requested {
        /// Whether the cache holds it now.
        stored: bool,
    },
    /// The database, since a write of the key was in flight.
    InDoubt,
    /// The database, since the cache is unavailable.
    Bypass,
}
