//! Bringing the tables up to date, one process at a time.

use diesel::sql_types::Integer;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl};
use tokio::time::Instant;

use super::connector::{Connector, NotConnected};
use super::sql::{begin_ceiling, identify};
use super::tables::MysqlTables;
use super::unavailable;
use crate::error::{Part, Result};
use crate::model::dataset::Dataset;
use crate::process::startup;
use crate::store::headroom;
use crate::store::schema::{Adoption, prepare};
use crate::timing;

/// What was done to the tables, and which data they hold.
pub(super) struct Migrated {
    pub(super) done: Vec<String>,
    pub(super) dataset: Dataset,
}

/// A connection to the database, which is created where it is missing.
pub(super) async fn connect(connector: &Connector) -> Result<AsyncMysqlConnection> {
    match connector.connect().await {
        Ok(connection) => Ok(connection),
        Err(NotConnected::NoSuchDatabase) => {
            connector.create_database().await?;
            Ok(connector.connect().await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Creates the tables where they are missing, or adopts the one that is there. Waits until
/// `deadline` for another process that does so; how long it takes itself is not limited.
///
/// # Errors
/// As [`prepare`].
pub(super) async fn migrate(
    mut connection: AsyncMysqlConnection,
    connector: &Connector,
    deadline: Instant,
    adoption: Adoption,
) -> Result<Migrated> {
    lock(&mut connection, connector.database(), deadline).await?;
    let mut tables = MysqlTables::new(connection, connector.clone());
    let done = prepare(&mut tables, adoption).await?;
    if adoption.is_dry_run() {
        return Ok(Migrated {
            done,
            dataset: Dataset::default(),
        });
    }
    let connection = tables.connection()?;
    headroom::check(begin_ceiling(connection).await.map_err(unavailable)?)?;
    let (identity, shards) = identify(connection).await.map_err(unavailable)?;
    Ok(Migrated {
        done,
        dataset: Dataset::new(identity, shards)?,
    })
}

/// Takes the lock, which belongs to the connection and goes with it, whatever happens.
async fn lock(
    connection: &mut AsyncMysqlConnection,
    database: &str,
    deadline: Instant,
) -> Result<()> {
    // Its name has at most 64 characters, a database's as well.
    let lock = format!("migrate {:08x}", crc32fast::hash(database.as_bytes()));
    let left = deadline.saturating_duration_since(Instant::now());
    let lock = get_lock(
        &lock,
        timing::MIGRATION_LOCK_TIMEOUT.min(left).as_secs() as i32,
    );
    let lock = diesel::select(lock).first(connection);
    let lock = async { lock.await.map_err(unavailable) };
    // The server ends this by itself, unless it has fallen silent.
    let locked: Option<i32> = startup::until(deadline, Part::Database, lock).await?;
    match locked {
        Some(1) => Ok(()),
        _ => Err(unavailable("another process holds the migration lock")),
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// 1 when the lock was taken, 0 after the timeout.
    fn get_lock(name: diesel::sql_types::Text, timeout_s: Integer) -> Nullable<Integer>;
}
