//! Creating the tables, or adopting those that are there.

use std::path::Path;

use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};

use super::sql::{begin_ceiling, identify};
use super::tables::SqliteTables;
use super::{Connection, in_file, name_of, session};
use crate::error::{Error, Result};
use crate::model::dataset::Dataset;
use crate::store::schema::prepare;
use crate::store::{Adoption, headroom};

/// While the tables are looked at, nothing of the file may change that stays.
const BEFORE_SESSION: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL;";

/// A connection that is ready for use.
pub(super) async fn connect(name: &str) -> Result<Connection> {
    let path = Path::new(name);
    let mut connection = Connection::establish(name)
        .await
        .map_err(|error| in_file(path, error))?;
    session::begin(&mut connection, path).await?;
    Ok(connection)
}

/// What was done to the tables, and which data they hold.
pub(super) struct Migrated {
    pub(super) done: Vec<String>,
    pub(super) dataset: Dataset,
}

/// Creates the tables where they are missing, or adopts the one that is there. The
/// caller holds the lock.
pub(super) async fn migrate(path: &Path, adoption: Adoption) -> Result<Migrated> {
    let mut connection = Connection::establish(name_of(path)?)
        .await
        .map_err(|error| in_file(path, error))?;
    connection
        .batch_execute(BEFORE_SESSION)
        .await
        .map_err(|error| in_file(path, error))?;
    let mut tables = SqliteTables::new(connection);
    let done = prepare(&mut tables, adoption)
        .await
        .map_err(|error| match error {
            Error::Unavailable { reason, .. } => in_file(path, reason),
            other => other,
        })?;
    if adoption.is_dry_run() {
        return Ok(Migrated {
            done,
            dataset: Dataset::default(),
        });
    }
    let connection = tables.connection()?;
    let ceiling = begin_ceiling(connection).await;
    headroom::check(ceiling.map_err(|error| in_file(path, error))?)?;
    let (identity, shards) = identify(connection)
        .await
        .map_err(|error| in_file(path, error))?;
    Ok(Migrated {
        done,
        dataset: Dataset::new(identity, shards)?,
    })
}
