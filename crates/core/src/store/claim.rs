//! The right to use a database, alone or together with other processes.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Result;

/// How a process uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Its cache is in its memory.
    Alone,
    /// Its cache is one that others may use.
    Together,
}

/// What a look at a claim finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is held.
    Yes,
    /// It cannot be now: another session holds a lock that must be free for it.
    No,
    /// It was lost for a while, and a process that must not run beside this one has started.
    Lapsed,
}

/// The right to use a database, which ends with this value and with the process.
#[async_trait]
pub trait Claim: Debug + Send + 'static {
    /// Looks whether it is held, and takes it where it is not.
    ///
    /// # Errors
    /// When the database is unavailable; then it may be lost.
    async fn hold(&mut self) -> Result<Held>;

    /// From now on [`Claim::hold`] also notes for other processes that this one serves.
    fn serves(&mut self) {}

    /// The reason that clients get after it has lapsed: a sentence without a full stop.
    fn lapsed(&self, usage: Usage) -> &'static str {
        match usage {
            Usage::Alone => {
                "another process has used the database beside this one, whose cache is in its memory; this process must be restarted"
            }
            Usage::Together => {
                "a process whose cache is in its memory has used the database beside this one; this process must be restarted"
            }
        }
    }
}
