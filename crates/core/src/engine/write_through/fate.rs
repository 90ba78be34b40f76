//! What became of a write in one attempt.

use crate::engine::{Durability, Outcome};
use crate::error::{Error, Result};
use crate::model::version::Version;

/// What became of a write.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// This is its answer.
    Decided(Result<Outcome>),
    /// It certainly did not take place, and may be retried.
    Open,
    /// The same; but another transaction has locked its row.
    Locked,
}

impl Fate {
    /// The kind of error that the database has answered.
    pub(super) fn problem(&self) -> Option<&'static str> {
        match self {
            Fate::Decided(answer) => answer.as_ref().err().map(Error::kind),
            Fate::Open => Some("not written"),
            Fate::Locked => Some(Error::Locked.kind()),
        }
    }
}

/// The answer to a write that the database has committed.
pub(super) fn persisted(version: Version) -> Outcome {
    Outcome::Written {
        version,
        durability: Durability::Persisted,
    }
}
