//! How safe a write is to be before it is answered.

use std::time::Duration;

use actix_web::HttpRequest;
use cache_core::engine::{Durability, Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Key, Write};
use cache_core::model::version::Version;

use crate::problem::Problem;
use crate::query::Query;

pub(crate) const TIMEOUT_S_MAX: u32 = 3600;
pub(crate) const TIMEOUT_S_DEFAULT: u32 = 30;

/// What a write may ask for, the default first.
pub(crate) const LEVELS: [&str; 2] = ["journaled", "persisted"];

/// What a write's query string asks for: `durability=persisted` waits until it
/// is committed in the database, for `timeout_s` seconds at most.
#[derive(Clone, Copy, Debug)]
pub struct RequestedDurability {
    persisted_within: Option<Duration>,
}

impl RequestedDurability {
    /// Reads the query string of a write.
    ///
    /// # Errors
    /// `422` for what is unknown or wrong in it.
    pub fn of(request: &HttpRequest) -> Result<RequestedDurability, Problem> {
        let text = request.query_string();
        if text.is_empty() {
            return Ok(RequestedDurability {
                persisted_within: None,
            });
        }
        let mut query = Query::parse(text)?;
        let level = query.choice("durability", LEVELS);
        let timeout_s = query.number("timeout_s", 0..=TIMEOUT_S_MAX, TIMEOUT_S_DEFAULT);
        query.finish()?;
        let wanted = level == Durability::Persisted.as_str();
        Ok(RequestedDurability {
            persisted_within: wanted.then(|| Duration::from_secs(timeout_s.into())),
        })
    }

    /// Waits for the database so long, or not at all.
    pub(crate) fn within(persisted_within: Option<Duration>) -> RequestedDurability {
        RequestedDurability { persisted_within }
    }

    /// How safe a write of write-behind is when it is answered.
    pub(crate) fn durability(self) -> Durability {
        match self.persisted_within {
            Some(_) => Durability::Persisted,
            None => Durability::Journaled,
        }
    }

    /// How long an answer waits for the database, if it does.
    pub(crate) fn persisted_within(self) -> Option<Duration> {
        self.persisted_within
    }

    /// Writes, and waits for what is wanted.
    ///
    /// # Errors
    /// As the engine's write; `504` when it is not persisted in time.
    pub async fn write(self, engine: &dyn Engine, write: Write) -> Result<Outcome, Problem> {
        let Some(within) = self.persisted_within else {
            return submit(engine, write).await;
        };
        let key: Key = write.key.clone();
        let outcome = submit(engine, write).await?;
        let Outcome::Written {
            version,
            durability: Durability::Journaled,
        } = outcome
        else {
            return Ok(outcome);
        };
        let persisted = engine.persisted(&key, version, within).await;
        persisted.map_err(|error| Problem::of_acknowledged(&error))?;
        Ok(Outcome::Written {
            version,
            durability: Durability::Persisted,
        })
    }
}

/// What a write without preconditions has come to.
///
/// # Errors
/// `404` for a delete that finds no user.
pub(crate) fn written(outcome: Result<Outcome, Error>) -> Result<(Version, Durability), Problem> {
    match outcome {
        Ok(Outcome::Written {
            version,
            durability,
        }) => Ok((version, durability)),
        // Only that of a delete.
        Ok(Outcome::ConditionFailed) => Err(Problem::no_such_user()),
        Err(error) => Err(Problem::of_write(&error)),
    }
}

async fn submit(engine: &dyn Engine, write: Write) -> Result<Outcome, Problem> {
    let outcome = engine.write(write).await;
    outcome.map_err(|error| Problem::of_write(&error))
}
