//! What a process knows of its binding.

use tokio::time::Instant;

use crate::binding::{Bound, ServedBy};
use crate::error::Error;
use crate::model::version::Version;

#[derive(Debug)]
pub(super) struct State {
    pub(super) mine: Bound,
    /// The newest version that the database has noted so far. An older state has an older version.
    pub(super) newest: Version,
    /// Whether the database has returned to an older state while this process runs.
    pub(super) is_older: bool,
    /// The stored binding that this process put or confirmed last; empty before the first.
    pub(super) held: String,
    /// The Redis that the database noted when this process was last bound.
    pub(super) noted: Option<ServedBy>,
    /// Since when this process waits for objections to its Redis.
    pub(super) contends_since: Option<Instant>,
    /// Why the Redis is another database's, and since when.
    pub(super) refused: Option<(Error, Instant)>,
}

impl State {
    /// The state before Redis is asked. `mine` is what the database reports.
    pub(super) fn of(mine: Bound) -> State {
        State {
            newest: mine.newest,
            is_older: false,
            mine,
            held: String::new(),
            noted: None,
            contends_since: None,
            refused: None,
        }
    }
}
