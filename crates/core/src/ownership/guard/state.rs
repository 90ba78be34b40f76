//! What a process knows of its binding.

use tokio::time::Instant;

use crate::binding::{Bound, ServedBy};
use crate::error::Error;
use crate::model::version::Version;

#[derive(Debug)]
pub(super) struct State {
    pub(super) mine: Bound,
    /// The newest version that the database had noted. An older state of it has an older one.
    pub(super) newest: Version,
    /// Whether the database has returned to an older state under this process.
    pub(super) is_older: bool,
    /// The binding as this process knows it to be stored; empty before the first time.
    pub(super) held: String,
    /// The Redis that the database noted when this process was last bound.
    pub(super) noted: Option<ServedBy>,
    /// Since when this process waits for objections to its Redis.
    pub(super) contends_since: Option<Instant>,
    /// Why the Redis is another database's, and since when.
    pub(super) refused: Option<(Error, Instant)>,
}

impl State {
    /// The state before Redis was asked, by what the database has noted.
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
