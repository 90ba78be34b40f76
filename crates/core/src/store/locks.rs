//! What other transactions have locked.

use std::collections::HashSet;

use crate::model::record::Key;

/// Which of some keys another transaction has locked, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Their rows are locked. Also a row that is inserted or deleted by a transaction
    /// that is not committed yet.
    pub locked: HashSet<Key>,
    /// They have no row, so no lock on them can be seen: another transaction may have
    /// locked the gap that the row would be inserted into.
    pub absent: HashSet<Key>,
}
