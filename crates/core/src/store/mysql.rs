//! MySQL and MariaDB.

mod refusal;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer};
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
use crate::membership::Membership;
use crate::record::{Key, Record};
use crate::settings::Secret;
use crate::store::{Origin, Store, row};
use crate::version::Version;

super::queries::queries!(AsyncMysqlConnection);
super::transaction::transactions!(AsyncMysqlConnection);
super::members::members!(AsyncMysqlConnection);

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/mysql");
/// How long one replica waits for another that is running the migrations.
const MIGRATION_LOCK_TIMEOUT_S: u32 = 60;

/// Bad data must be an error rather than be cut to fit; without gap locks,
/// batches that touch neighbouring names do not wait for each other; and a
/// statement whose client has given up must end well before the mark of doubt
/// on its names does. A process that stops in the middle of a transaction must not
/// hold its locks for ever; MySQL can only be told to end a connection that says
/// nothing. (MariaDB reads what is in the first kind of comment, MySQL in the second.)
const SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
    SESSION sql_notes = 0, SESSION lock_wait_timeout = 10, SESSION innodb_lock_wait_timeout = 10 \
    /*M!100300 , SESSION idle_transaction_timeout = 15 */ /*!80000 , SESSION wait_timeout = 60 */; \
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

const BEGIN: &str = "START TRANSACTION";
const SHARED: &str = <diesel::mysql::Mysql as super::upsert::Dialect>::SHARED;
const EXCLUSIVE: &str = " FOR UPDATE";
/// All who come after one who waits for an exclusive lock wait with it, so it does
/// not wait for long.
const BEFORE_EXCLUSIVE: &str = "SET SESSION innodb_lock_wait_timeout = 1";
const AFTER_EXCLUSIVE: &str = "SET SESSION innodb_lock_wait_timeout = 10";

/// How often an operation is done again at most that stood in the way of another
/// transaction, and how long it waits before that, at most each time.
const DEADLOCKS_MAX: u32 = 8;
const DEADLOCK_PAUSE_MAX: Duration = Duration::from_millis(10);

type Operation<'c, T> = Pin<Box<dyn Future<Output = Tried<T>> + Send + 'c>>;

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
        // Only a connection on which everything succeeded goes back to the pool,
        // so there is nothing to verify.
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

    /// Runs `operation` in a task of its own, so that a caller that goes away
    /// costs no connection, for at most the timeout.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl for<'c> Fn(&'c mut AsyncMysqlConnection) -> Operation<'c, T>
        + Send
        + Sync
        + 'static,
    ) -> Result<T> {
        let (pool, timeout) = (self.pool.clone(), self.timeout);
        let task = self.runtime.spawn(async move {
            tokio::time::timeout(timeout, attempts(&pool, &operation))
                .await
                .unwrap_or_else(|_| Err(unavailable(format!("no answer in {timeout:?}"))))
        });
        task.await.unwrap_or(Err(Error::Panicked))
    }
}

/// A connection that goes back to its pool only when it is given back. One that
/// is dropped in the middle of a query is out of step with its server, and the
/// next user of it would be given this one's answer; so it is closed.
struct Lent(Option<Object<AsyncMysqlConnection>>);

impl Lent {
    fn give_back(&mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

/// Runs `operation`, once more if it failed on a connection that had been used
/// before: the server may have closed what lay in the pool, as it does when it
/// restarts.
async fn attempts<T>(
    pool: &Pool<AsyncMysqlConnection>,
    operation: &impl for<'c> Fn(&'c mut AsyncMysqlConnection) -> Operation<'c, T>,
) -> Result<T> {
    let mut may_repeat = true;
    let mut deadlocks = 0;
    loop {
        let connection = pool.get().await.map_err(unavailable)?;
        let reused = Object::metrics(&connection).recycle_count > 0;
        let mut lent = Lent(Some(connection));
        let Some(connection) = lent.0.as_mut() else {
            return Err(Error::Panicked);
        };
        match operation(connection).await {
            Ok(answer) => {
                lent.give_back();
                return Ok(answer);
            }
            // The connection answered, so it is in step.
            //
            // IMPORTANT: both mean that nothing took place, which is so only of
            // this attempt.
            Err(Failed::Refused(reason)) if may_repeat => {
                lent.give_back();
                return Err(Error::refused(Part::Database, reason));
            }
            Err(Failed::Fenced) if may_repeat => {
                lent.give_back();
                return Err(Error::Fenced);
            }
            Err(Failed::Refused(_) | Failed::Fenced) => {
                lent.give_back();
                return Err(unavailable("the connection ended in the attempt before"));
            }
            Err(Failed::Deadlocked(_)) if deadlocks < DEADLOCKS_MAX => {
                lent.give_back();
                deadlocks += 1;
                tokio::time::sleep(DEADLOCK_PAUSE_MAX.mul_f64(fastrand::f64())).await;
            }
            Err(Failed::Broken(_)) if reused && may_repeat => {
                may_repeat = false;
                // None of the others is better.
                pool.retain(|_, _| false);
            }
            Err(
                Failed::Deadlocked(reason) | Failed::Broken(reason) | Failed::Uncertain(reason),
            ) => return Err(unavailable(reason)),
        }
    }
}

/// Why a statement failed.
async fn diagnosed<T>(
    connection: &mut AsyncMysqlConnection,
    done: diesel::QueryResult<T>,
) -> Tried<T> {
    match done {
        Ok(answer) => Ok(answer),
        Err(error) => Err(refusal::diagnose(connection, &error)
            .await
            .unwrap_or(Failed::Broken(error.to_string()))),
    }
}

/// Holds the rows of `keys`, in their order, until the end of the transaction: a
/// row that is not there yet cannot be held, so it is made, older than every
/// write.
async fn hold(connection: &mut AsyncMysqlConnection, keys: &[Key]) -> Tried<()> {
    for keys in keys.chunks(ROWS_MAX) {
        let rows = keys.iter().map(|key| {
            (
                users::name.eq(key.as_str()),
                users::version.eq(0),
                users::deleted_at.eq(diesel::dsl::sql("TIMESTAMP'1970-01-01 00:00:01'")),
            )
        });
        let held = diesel::insert_into(users::table)
            .values(rows.collect::<Vec<_>>())
            .on_conflict(diesel::dsl::DuplicatedKeys)
            .do_update()
            .set(users::version.eq(users::version))
            .execute(connection)
            .await;
        diagnosed(connection, held).await?;
    }
    Ok(())
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

fn bad_url(reason: &str) -> Error {
    Error::BadSetting {
        key: "DATABASE_URL",
        reason: reason.into(),
    }
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
        split_database(url.expose()).ok_or_else(|| bad_url("names no database"))?;
    let mut connection = match establish(url.expose()).await {
        Ok(connection) => connection,
        Err(error) if error.to_string().contains("Unknown database") => {
            let mut server = establish(&server_url).await.map_err(unavailable)?;
            let create =
                format!("CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4");
            server.batch_execute(&create).await.map_err(unavailable)?;
            establish(url.expose()).await.map_err(unavailable)?
        }
        Err(diesel::ConnectionError::InvalidConnectionUrl(_)) => {
            return Err(bad_url("is not one that the driver takes"));
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
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records
            .iter()
            .map(Row::from_record)
            .collect::<Result<Vec<Row>>>()?;
        let (fence, order) = (origin.fence(), Order::of(origin));
        let rows: Arc<[Row]> = rows.into();
        self.run(move |connection| {
            let rows = rows.clone();
            Box::pin(async move { apply(connection, &rows, fence, order).await })
        })
        .await
    }

    async fn transact(&self, proposals: &[Proposal], fence: Option<Epoch>) -> Result<Vec<Verdict>> {
        let proposals: Arc<[Proposal]> = proposals.into();
        self.run(move |connection| {
            let proposals = proposals.clone();
            Box::pin(async move { transact(connection, &proposals, fence).await })
        })
        .await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        let key = key.clone();
        let selected = self
            .run(move |connection| {
                let key = key.clone();
                Box::pin(async move { Ok(load(connection, key.as_str()).await?) })
            })
            .await?;
        selected.map(row::to_record).transpose()
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Vec<Record>> {
        let keys: Arc<[Key]> = keys.into();
        let selected = self
            .run(move |connection| {
                let keys = keys.clone();
                Box::pin(async move { Ok(load_many(connection, &keys).await?) })
            })
            .await?;
        Ok(row::readable(selected))
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Vec<Record>> {
        let after = after.cloned().unwrap_or_else(|| Key::from(""));
        let selected = self
            .run(move |connection| {
                let after = after.clone();
                Box::pin(async move { Ok(page(connection, after.as_str(), limit.into()).await?) })
            })
            .await?;
        Ok(row::readable(selected))
    }

    async fn newest_version(&self) -> Result<Version> {
        let newest = self
            .run(|connection| Box::pin(async move { Ok(newest_version(connection).await?) }))
            .await?;
        row::to_version(newest.unwrap_or_default())
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn health(&self) -> PartHealth {
        let durability = self
            .run(|connection| Box::pin(async move { Ok(flush_settings(connection).await?) }))
            .await;
        PartHealth {
            kind: "mysql",
            at: self.url.to_string(),
            up: durability.is_ok(),
            problem: durability.is_err().then_some("it does not answer"),
            durability: durability.ok().map(durability_in_words),
        }
    }
}

#[async_trait]
impl Membership for MysqlStore {
    async fn hear(&self, statement: &Statement) -> Result<View> {
        let statement = Arc::new(statement.clone());
        self.run(move |connection| {
            let statement = statement.clone();
            Box::pin(async move { hear(connection, &statement).await })
        })
        .await
    }

    async fn rely(&self, holder: &str, all_have_heard: bool) -> Result<View> {
        let holder: Arc<str> = holder.into();
        self.run(move |connection| {
            let holder = holder.clone();
            Box::pin(async move { rely(connection, &holder, all_have_heard).await })
        })
        .await
    }

    async fn leave(&self, process: &str) -> Result<()> {
        let process: Arc<str> = process.into();
        self.run(move |connection| {
            let process = process.clone();
            Box::pin(async move { leave(connection, &process).await })
        })
        .await
    }
}

/// What the server is told to do at a commit.
#[derive(Debug, QueryableByName)]
struct FlushSettings {
    #[diesel(sql_type = BigInt)]
    flush_log: i64,
    #[diesel(sql_type = BigInt)]
    sync_binlog: i64,
}

async fn flush_settings(connection: &mut AsyncMysqlConnection) -> QueryResult<FlushSettings> {
    let query = "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED) AS flush_log, \
                 CAST(@@sync_binlog AS SIGNED) AS sync_binlog";
    diesel::sql_query(query).get_result(connection).await
}

fn durability_in_words(settings: FlushSettings) -> String {
    let FlushSettings {
        flush_log,
        sync_binlog,
    } = settings;
    let survives = match flush_log {
        1 => "survives a power loss",
        2 => "survives a crash of the server; a power loss takes up to about the last second",
        _ => "a crash of the server takes up to about the last second",
    };
    format!("{survives}: innodb_flush_log_at_trx_commit={flush_log}, sync_binlog={sync_binlog}")
}
