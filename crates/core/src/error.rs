//! What can go wrong below the routes. Errors are cheap to clone, since one
//! failed batch answers many writers.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

/// The part that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The cache.
    Cache,
    /// The journal.
    Journal,
    /// The database.
    Database,
}

impl Part {
    /// The word for it in logs, metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Cache => "cache",
            Part::Journal => "journal",
            Part::Database => "database",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why an operation failed. The texts are for logs and may name servers; what
/// a client is told is decided in the HTTP parts.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The part cannot be reached, or did not answer in time. The operation
    /// may or may not have taken place; repeating it is safe.
    #[error("{}", unavailable_in_words(*.part, .reason, *.lasting))]
    Unavailable {
        /// Which part.
        part: Part,
        /// What its driver said; a whole sentence if it is lasting.
        reason: Arc<str>,
        /// Whether an operator has to act, as for a certificate that is not trusted. A
        /// service that starts fails at once then; one that runs treats it as any other
        /// outage.
        lasting: bool,
    },
    /// The part failed before it took anything: nothing of the operation took
    /// place, and it may succeed when it is repeated.
    #[error("the {part} is unavailable, and nothing was written: {reason}")]
    NotWritten {
        /// Which part.
        part: Part,
        /// What it said.
        reason: Arc<str>,
    },
    /// The part's version clock does not know the newest version in the
    /// database yet. The engine raises it and repeats the operation.
    #[error("the {0}'s version clock is not seeded")]
    Unseeded(Part),
    /// The epoch of the cache that the write belongs to has ended, or the write is so
    /// old that a newer one may have been purged. Nothing took place.
    #[error("the epoch of the cache has ended, or the write was under way for too long")]
    Fenced,
    /// Another transaction has locked rows of the database that the operation needs,
    /// and did not release them in time. Nothing of the operation took place.
    #[error("another transaction has locked a row of the database")]
    Locked,
    /// The part holds something that cannot be understood.
    #[error("the {part} holds something unreadable: {reason}")]
    Corrupt {
        /// Which part.
        part: Part,
        /// What and where.
        reason: Arc<str>,
    },
    /// Another program has written a row that breaks a rule of the records, so it cannot
    /// be the answer.
    #[error("a row of the database breaks a rule: {field} {rule}")]
    BrokenRow {
        /// Which field.
        field: &'static str,
        /// The rule, in words that complete the field.
        rule: &'static str,
    },
    /// The part takes the connection but not this record, and will not take it
    /// when it is repeated either. Nothing of the operation took place.
    #[error("the {part} refuses a record: {reason}")]
    Refused {
        /// Which part.
        part: Part,
        /// Why; may quote a part of the record.
        reason: Arc<str>,
    },
    /// The journal holds as much as it may; nothing was written.
    #[error("the journal is full: {what}")]
    Full {
        /// Which limit was met.
        what: &'static str,
        /// When there will be room, by the rate at which the journal drains.
        retry_after: Duration,
    },
    /// Writes are refused for as long as something about a server is wrong; nothing
    /// was written. See [`crate::outage::admission`].
    #[error("writes are refused: {0}")]
    NotAdmitted(Arc<str>),
    /// The write is in the journal, and did not reach the database in the time
    /// that its caller allowed.
    #[error("the write is in the journal but not yet in the database")]
    NotPersisted,
    /// The write was acknowledged by the journal, and the database refuses it:
    /// it is among the dead letters.
    #[error("the database refuses the record; it is among the dead letters")]
    DeadLetter,
    /// The part refuses what a setting says; waiting does not mend that.
    #[error("{key}: {reason}")]
    BadSetting {
        /// The setting.
        key: &'static str,
        /// What is wrong, without repeating its value.
        reason: Arc<str>,
    },
    /// Whether a write's condition holds could not be told; nothing was written.
    #[error("the write's condition could not be judged")]
    Undecided,
    /// As many writes are waiting as the queue's bound allows.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The service is stopping and takes no more writes.
    #[error("the service is stopping")]
    Stopping,
    /// A defect in this program: an operation panicked.
    #[error("an operation panicked")]
    Panicked,
}

fn unavailable_in_words(part: Part, reason: &str, lasting: bool) -> String {
    match lasting {
        true => reason.to_owned(),
        false => format!("the {part} is unavailable: {reason}"),
    }
}

/// What `call` returns.
///
/// # Errors
/// Its own; [`Error::Panicked`] if it panics.
pub(crate) async fn caught<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let call = AssertUnwindSafe(call).catch_unwind();
    call.await.unwrap_or(Err(Error::Panicked))
}

impl Error {
    /// Whether a backend did not do this kind of call.
    pub(crate) fn is_of_a_part(&self) -> bool {
        matches!(
            self,
            Error::Unavailable { .. }
                | Error::NotWritten { .. }
                | Error::NotAdmitted(_)
                | Error::Full { .. }
        )
    }

    /// Whether this says nothing of a backend: another transaction may be the cause.
    pub(crate) fn is_neutral(&self) -> bool {
        matches!(self, Error::Locked | Error::Panicked | Error::Stopping)
    }

    /// [`Error::Unavailable`] with what the driver said.
    pub fn unavailable(part: Part, reason: impl fmt::Display) -> Error {
        Error::Unavailable {
            part,
            reason: reason.to_string().into(),
            lasting: false,
        }
    }

    /// [`Error::Unavailable`] that is lasting, with a sentence that names the server.
    pub fn distrusted(part: Part, sentence: impl fmt::Display) -> Error {
        Error::Unavailable {
            part,
            reason: sentence.to_string().into(),
            lasting: true,
        }
    }

    /// [`Error::NotWritten`] with what the part said.
    pub fn not_written(part: Part, reason: impl fmt::Display) -> Error {
        Error::NotWritten {
            part,
            reason: reason.to_string().into(),
        }
    }

    /// The same failure for the calls of `part`, where it is that another part is unavailable.
    pub(crate) fn of_part(self, part: Part) -> Error {
        match self {
            Error::Unavailable {
                reason, lasting, ..
            } => Error::Unavailable {
                part,
                reason,
                lasting,
            },
            error => error,
        }
    }

    /// [`Error::Corrupt`] with what was found where.
    pub fn corrupt(part: Part, reason: impl fmt::Display) -> Error {
        Error::Corrupt {
            part,
            reason: reason.to_string().into(),
        }
    }

    /// [`Error::Refused`] with what the part said.
    pub fn refused(part: Part, reason: impl fmt::Display) -> Error {
        Error::Refused {
            part,
            reason: reason.to_string().into(),
        }
    }

    /// A word for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Unavailable { .. } => "unavailable",
            Error::NotWritten { .. } => "not written",
            Error::Unseeded(_) => "unseeded",
            Error::Fenced => "fenced",
            Error::Locked => "locked",
            Error::Corrupt { .. } => "corrupt",
            Error::BrokenRow { .. } => "broken row",
            Error::Refused { .. } => "refused",
            Error::Full { .. } => "full",
            Error::NotAdmitted(_) => "not admitted",
            Error::NotPersisted => "not persisted",
            Error::DeadLetter => "dead letter",
            Error::BadSetting { .. } => "bad setting",
            Error::Undecided => "undecided",
            Error::Overloaded => "overloaded",
            Error::Stopping => "stopping",
            Error::Panicked => "panicked",
        }
    }

    /// The part that failed, where one did.
    pub fn part(&self) -> Option<Part> {
        match self {
            Error::Unavailable { part, .. }
            | Error::NotWritten { part, .. }
            | Error::Corrupt { part, .. }
            | Error::Refused { part, .. }
            | Error::Unseeded(part) => Some(*part),
            Error::BrokenRow { .. } => Some(Part::Database),
            Error::Full { .. } => Some(Part::Journal),
            Error::Locked => Some(Part::Database),
            Error::Fenced
            | Error::NotAdmitted(_)
            | Error::NotPersisted
            | Error::DeadLetter
            | Error::BadSetting { .. }
            | Error::Undecided
            | Error::Overloaded
            | Error::Stopping
            | Error::Panicked => None,
        }
    }
}

/// A result below the routes.
pub type Result<T> = std::result::Result<T, Error>;
