//! The database's note of the Redis that serves it. A second Redis would miss the writes that go by
//! way of the first.

use serde::{Deserialize, Serialize};

use crate::binding::Place;

/// The run of a server that reports none.
const UNKNOWN_RUN: &str = "0";

/// What identifies a Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheSite {
    /// The run of the server, from one start to the next.
    pub run: String,
    /// The number of the database within the server.
    pub database: i64,
    /// Host and port by which a process reaches the server. Another process may use another
    /// address.
    pub address: String,
}

impl CacheSite {
    /// Whether both are the same Redis, and no restart is in between.
    pub fn is_same_run(&self, other: &CacheSite) -> bool {
        self.run == other.run && self.database == other.database && self.run != UNKNOWN_RUN
    }

    fn has_same_address(&self, other: &CacheSite) -> bool {
        self.address == other.address && self.database == other.database
    }
}

impl std::fmt::Display for CacheSite {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.address, self.database)
    }
}

/// The database's note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedBy {
    /// The Redis.
    pub cache: CacheSite,
    /// The place of the database when this was noted. The note of a copy has the place of the
    /// original, and so does not count.
    pub place: Place,
    /// Another Redis, which a process that starts will use unless a process that serves the
    /// database objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contender: Option<CacheSite>,
}

/// How a Redis compares with the noted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// No Redis is noted.
    Unnoted,
    /// The Redis is the noted one.
    Same,
    /// The Redis has the noted address: it is the noted one, restarted since, or another one.
    Restarted,
    /// The Redis is another one.
    Other,
}

impl ServedBy {
    /// Reads the note. `None` for an empty text.
    pub fn parse(text: &str) -> Option<ServedBy> {
        serde_json::from_str(text).ok()
    }

    /// The text that the database keeps.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How `cache` compares with the noted Redis.
    pub fn kinship(noted: Option<&ServedBy>, cache: &CacheSite) -> Kinship {
        match noted {
            None => Kinship::Unnoted,
            Some(noted) if noted.cache.is_same_run(cache) => Kinship::Same,
            Some(noted) if noted.cache.has_same_address(cache) => Kinship::Restarted,
            Some(_) => Kinship::Other,
        }
    }
}
