//! MySQL and MariaDB.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use diesel::sql_types::Integer;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::{AsyncMigrationHarness, AsyncMysqlConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::runtime::Handle;
use url::Url;

use crate::error::{Error, Part, Result};
use crate::health::PartHealth;
use crate::record::{Key, Record};
use crate::settings::Secret;
use crate::store::{Store, row};
use crate::version::Version;

super::queries::queries!(AsyncMysqlConnection);

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/mysql");
/// How long one replica waits for another that is running the migrations.
const MIGRATION_LOCK_TIMEOUT_S: u32 = 60;

/// Bad data must be an error rather than be cut to fit; and without gap locks,
/// batches that touch neighbouring names do not wait for each other.
const SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
    SESSION lock_wait_timeout = 30; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

type Connection = Object<AsyncMysqlConnection>;
type Operation<T> = Pin<Box<dyn Future<Output = (Connection, QueryResult<T>)> + Send>>;

/// A MySQL or MariaDB database.
pub struct MysqlStore {
    pool: Pool<AsyncMysqlConnection>,
    runtime: Handle,
    timeout: Duration,
    identity: String,
    url: Secret,
}

impl std::fmt::Debug for MysqlStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MysqlStore({})", self.url)
    }
}

impl MysqlStore {
    /// Connects, creates the database if there is none, and brings its tables
    /// up to date. Any number of processes may do so at once.
    ///
    /// Runs on the multi-thread runtime only, as the migrations block in place.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not let this user do that.
    pub async fn open(url: Secret, pool_max: usize, timeout: Duration) -> Result<MysqlStore> {
        let identity = migrate(&url).await?;
        let mut config = ManagerConfig::<AsyncMysqlConnection>::default();
        config.custom_setup = Box::new(|url| {
            let url = url.to_owned();
            Box::pin(async move { establish(&url).await })
        });
        // A connection that failed is taken out of the pool, and none is ever
        // cancelled in the middle of a query, so there is nothing to verify.
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(url.expose(), config);
        let pool = Pool::builder(manager)
            .max_size(pool_max)
            .build()
            .map_err(unavailable)?;
        Ok(MysqlStore {
            pool,
            runtime: Handle::current(),
            timeout,
            identity,
            url,
        })
    }

    /// Runs `operation` in a task of its own: a query that is dropped midway
    /// leaves its connection out of step with the server, and the next user of
    /// that connection would be given this one's answer.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(Connection) -> Operation<T> + Send + 'static,
    ) -> Result<T> {
        let pool = self.pool.clone();
        let task = self.runtime.spawn(async move {
            let connection = pool.get().await.map_err(unavailable)?;
            let (connection, outcome) = operation(connection).await;
            outcome.map_err(|error| {
                drop(Object::take(connection));
                unavailable(error)
            })
        });
        match tokio::time::timeout(self.timeout, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Error::Panicked),
            Err(_) => Err(Error::unavailable(
                Part::Database,
                format!("no answer in {:?}", self.timeout),
            )),
        }
    }
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

async fn establish(url: &str) -> diesel::ConnectionResult<AsyncMysqlConnection> {
    let mut connection = AsyncMysqlConnection::establish(url).await?;
    connection
        .batch_execute(SESSION)
        .await
        .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Splits `mysql://…/DATABASE` into the URL without the database and its name.
fn split_database(url: &str) -> Option<(String, String)> {
    let mut url = Url::parse(url).ok()?;
    let database = url.path().trim_start_matches('/').to_owned();
    url.set_path("");
    Some((url.into(), database))
}

/// Creates the database and its tables where they are missing; returns its identity.
async fn migrate(url: &Secret) -> Result<String> {
    let (server_url, database) =
        split_database(url.expose()).ok_or_else(|| unavailable("the URL names no database"))?;
    let mut connection = match establish(url.expose()).await {
        Ok(connection) => connection,
        Err(error) if error.to_string().contains("Unknown database") => {
            let mut server = establish(&server_url).await.map_err(unavailable)?;
            let create =
                format!("CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4");
            server.batch_execute(&create).await.map_err(unavailable)?;
            establish(url.expose()).await.map_err(unavailable)?
        }
        Err(error) => return Err(unavailable(error)),
    };
    // The lock belongs to this connection and goes with it, whatever happens.
    // Its name has at most 64 characters, a database's as well.
    let lock = format!("migrate {:08x}", crc32fast::hash(database.as_bytes()));
    let locked: Option<i32> = diesel::select(get_lock(&lock, MIGRATION_LOCK_TIMEOUT_S as i32))
        .first(&mut connection)
        .await
        .map_err(unavailable)?;
    if locked != Some(1) {
        return Err(unavailable("another process holds the migration lock"));
    }
    let mut harness = AsyncMigrationHarness::new(connection);
    let applied = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(unavailable)?
        .len();
    if applied > 0 {
        tracing::info!(applied, "the database's tables are up to date");
    }
    identify(&mut harness.into_inner())
        .await
        .map_err(unavailable)
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// 1 when the lock was taken, 0 after the timeout.
    fn get_lock(name: diesel::sql_types::Text, timeout_s: Integer) -> Nullable<Integer>;
}

#[async_trait]
impl Store for MysqlStore {
    async fn apply(&self, records: &[Record]) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records
            .iter()
            .map(Row::from_record)
            .collect::<Result<Vec<Row>>>()?;
        self.run(move |mut connection| {
            Box::pin(async move {
                let outcome = apply(&mut connection, &rows).await;
                (connection, outcome)
            })
        })
        .await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        let key = key.clone();
        let selected = self
            .run(move |mut connection| {
                Box::pin(async move {
                    let outcome = load(&mut connection, key.as_str()).await;
                    (connection, outcome)
                })
            })
            .await?;
        selected.map(row::to_record).transpose()
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Vec<Record>> {
        let after = after.map_or(String::new(), |after| after.as_str().to_owned());
        let selected = self
            .run(move |mut connection| {
                Box::pin(async move {
                    let outcome = page(&mut connection, &after, limit.into()).await;
                    (connection, outcome)
                })
            })
            .await?;
        selected.into_iter().map(row::to_record).collect()
    }

    async fn newest_version(&self) -> Result<Version> {
        let newest = self
            .run(|mut connection| {
                Box::pin(async move {
                    let outcome = newest_version(&mut connection).await;
                    (connection, outcome)
                })
            })
            .await?;
        newest_of(newest)
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn health(&self) -> PartHealth {
        let up = self.newest_version().await.is_ok();
        PartHealth {
            kind: "mysql",
            at: self.url.to_string(),
            up,
            problem: (!up).then_some("it does not answer"),
            durability: Some(
                "as the server's innodb_flush_log_at_trx_commit and sync_binlog say".to_owned(),
            ),
        }
    }
}

fn newest_of(number: Option<i64>) -> Result<Version> {
    let number = number.unwrap_or_default();
    Version::from_i64(number)
        .ok_or_else(|| Error::corrupt(Part::Database, "a row of users has a version out of range"))
}
