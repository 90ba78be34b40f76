//! What the routes know of an engine, whichever pattern it follows.

pub mod admitted;
mod apply;
mod circuit_breaker;
mod lock_search;
pub mod purge;
pub mod read_through;
pub mod seeder;
pub mod write_behind;
pub mod write_through;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Part, Result};
use crate::model::decision::Decision;
use crate::model::record::{Key, Record, Write};
use crate::model::source::Source;
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::store::{Page, Store};
use crate::telemetry;

/// How safe an answered write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The journal has it.
    Journaled,
    /// The database has committed it.
    Persisted,
}

impl Durability {
    /// The word for it in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Durability::Journaled => "journaled",
            Durability::Persisted => "persisted",
        }
    }
}

/// The answer to a write: a [`Decision`], and how safe the write is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took place.
    Written {
        /// Its place in the order of writes.
        version: Version,
        /// How safe it is.
        durability: Durability,
    },
    /// Its condition does not hold, and nothing changed.
    ConditionFailed,
}

impl Outcome {
    /// The answer to a write that is as safe as `durability` once it is written.
    ///
    /// # Errors
    /// [`Error::Undecided`] for one that was to be tried again, and was not.
    pub(crate) fn of(decision: Decision, durability: Durability) -> Result<Outcome> {
        match decision {
            Decision::Written(version) => Ok(Outcome::Written {
                version,
                durability,
            }),
            Decision::ConditionFailed => Ok(Outcome::ConditionFailed),
            Decision::Retry => Err(Error::Undecided),
        }
    }
}

/// The answer to a read.
#[derive(Clone, Debug)]
pub struct Read {
    /// The current record; a tombstone or [`Version::ZERO`] if there is none.
    pub record: Record,
    /// Where it comes from.
    pub source: Source,
}

/// The parts that an engine runs on and their states.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// The cache.
    pub cache: PartHealth,
    /// The journal, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub journal: Option<PartHealth>,
    /// The database.
    pub database: PartHealth,
    /// How the cache is done without.
    #[serde(skip)]
    pub bypass: Bypass,
    /// Whether nothing can be answered while the database is unavailable.
    #[serde(skip)]
    pub needs_database: bool,
}

/// Whether an engine does without its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// It cannot.
    Never,
    /// It does when it has to.
    Possible,
    /// It does now, since it or another process has to.
    Now,
}

impl Health {
    /// Whether all the parts are up that cannot be done without.
    pub fn up(&self) -> bool {
        self.missing().is_empty()
    }

    /// The parts that cannot be done without and are not up.
    pub fn missing(&self) -> Vec<Part> {
        let cache = self.cache.up || self.bypass != Bypass::Never;
        let journal = self.journal.as_ref().is_none_or(|journal| journal.up);
        let database = self.database.up || !self.needs_database;
        let parts = [
            (Part::Cache, cache),
            (Part::Journal, journal),
            (Part::Database, database),
        ];
        let missing = parts.into_iter().filter(|(_, is_there)| !is_there);
        missing.map(|(part, _)| part).collect()
    }
}

/// Brings the figures of the store's connections up to date in the metrics.
pub(crate) fn observe_connections(store: &dyn Store) {
    let connections = store.connections();
    telemetry::database_connections(
        connections.idle,
        connections.used,
        connections.max,
        connections.waiting,
    );
}

/// A cache pattern over a cache, a database and perhaps a journal.
#[async_trait]
pub trait Engine: Debug + Send + Sync + 'static {
    /// The current record of a key.
    async fn read(&self, key: &Key) -> Result<Read>;

    /// The same, but bypasses a clean cached value, since another program may have changed the
    /// row. The cache is filled again.
    async fn reload(&self, key: &Key) -> Result<Read>;

    /// As [`Engine::read`] of each key, in the same order.
    async fn read_many(&self, keys: &[Key]) -> Vec<Result<Read>>;

    /// As [`Engine::reload`] of each key, in the same order.
    async fn reload_many(&self, keys: &[Key]) -> Vec<Result<Read>>;

    /// Forgets the clean value that is cached of a key; one that is dirty or in doubt stays.
    async fn forget(&self, key: &Key) -> Result<()>;

    /// Forgets all clean values that are cached.
    async fn forget_all(&self) -> Result<()>;

    /// Writes, and returns when the write is as safe as the pattern promises.
    async fn write(&self, write: Write) -> Result<Outcome>;

    /// Writes values, each of a key, without conditions; one answer for each, in the same order.
    /// All are under way at the same time.
    async fn put_many(&self, values: Vec<(Key, Bytes)>) -> Vec<Result<Outcome>>;

    /// Whether writes without conditions of one key take place in the order in which one caller
    /// has submitted them, while they are under way at the same time.
    fn keeps_order(&self) -> bool;

    /// Waits until the write of `key` that was answered with `version` is
    /// committed in the database.
    ///
    /// # Errors
    /// [`crate::error::Error::NotPersisted`] after `timeout`;
    /// [`crate::error::Error::DeadLetter`] when the database refuses it.
    async fn persisted(&self, key: &Key, version: Version, timeout: Duration) -> Result<()>;

    /// As [`Engine::persisted`] of each write, which are waited for together.
    async fn persisted_many(
        &self,
        written: &[(Key, Version)],
        timeout: Duration,
    ) -> Vec<Result<()>>;

    /// A page of live records as the database has them, in the order of keys.
    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page>;

    /// How many acknowledged writes the database does not have yet; `None` where that is not known.
    async fn waiting(&self) -> Option<u64> {
        Some(0)
    }

    /// The state of every part.
    async fn health(&self) -> Health;

    /// Brings the figures that are read off the parts up to date in the metrics.
    async fn observe(&self);

    /// Takes no more writes, finishes what was submitted, and drains what there
    /// is to drain for at most `deadline`.
    async fn stop(&self, deadline: Duration);
}
