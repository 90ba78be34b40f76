//! How an operation on a database ends that did not succeed.

use diesel::result::Error as DieselError;

/// Why an operation failed, as far as it matters for doing it again.
#[derive(Debug)]
pub(super) enum TransactionError {
    /// The database would refuse it again. Nothing took place.
    Refused(String),
    /// The epoch that it was to take place in has ended, or what came after it may
    /// have been purged. Nothing took place.
    Fenced,
    /// Another transaction did not release its locks in time. Nothing took place.
    Locked,
    /// It stood in the way of another transaction. Nothing took place, and it may
    /// succeed when it is done again.
    Deadlocked,
    /// This version of it is above the ceiling. Nothing took place.
    Beyond(i64),
    /// Something else; doing it again does no harm.
    Broken(String),
    /// It may have been committed, and doing it again may end otherwise.
    Uncertain(String),
}

/// How an operation ended.
pub(super) type Tried<T> = std::result::Result<T, TransactionError>;

impl TransactionError {
    pub(super) fn broken(error: impl std::fmt::Display) -> TransactionError {
        TransactionError::Broken(error.to_string())
    }
}

/// What only reads, or repeats what it did, may be done again.
impl From<DieselError> for TransactionError {
    fn from(error: DieselError) -> TransactionError {
        TransactionError::broken(error)
    }
}

/// What may be in the way of a row that an operation reads to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// Others may read it with this lock, too; none can change it.
    Shared,
    /// No other transaction can read it with a lock.
    Exclusive,
}
