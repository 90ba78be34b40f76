//! SQLite: the embedded database, for one process.

mod binding;
mod flushing;
mod session;
mod tables;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use diesel::SqliteConnection;
use diesel::result::DatabaseErrorKind::{
    CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
};
use diesel::result::Error::DatabaseError;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection as _, SimpleAsyncConnection};

use crate::binding::BindingStore;
use crate::error::{Error, Part, Result};
use crate::health::PartHealth;
use crate::membership::Membership;
use crate::record::{Key, Record};
use crate::store::durability::Durability;
use crate::store::schema::prepare;
use crate::store::{Adoption, Origin, Store, row};
use crate::version::Version;

use flushing::Flushing;
use tables::SqliteTables;

type Connection = SyncConnectionWrapper<SqliteConnection>;
type Operation<'c, T> = Pin<Box<dyn Future<Output = Tried<T>> + Send + 'c>>;

super::queries::queries!(Connection);
super::transaction::transactions!(Connection);
super::members::members!(Connection);
super::tombstones::tombstones!(Connection);

/// While the tables are looked at, nothing of the file may change that stays.
const BEFORE_SESSION: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL;";

/// A transaction that is going to write: nobody else does until its end.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// So nothing it reads is changed by others.
const SHARED: &str = "";
const EXCLUSIVE: &str = "";

/// Readers beside the one writer that SQLite admits.
const CONNECTIONS_MAX: usize = 4;

/// A SQLite file, locked for this process.
pub struct SqliteStore {
    pool: Pool<Connection>,
    identity: String,
    path: PathBuf,
    durability: Durability,
    _lock: Arc<File>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SqliteStore({})", self.path.display())
    }
}

impl SqliteStore {
    /// Opens the file, creating it and its folder where they are missing, and
    /// brings its tables up to date.
    ///
    /// Runs on the multi-thread runtime only, as the migrations block in place.
    ///
    /// # Errors
    /// When the file cannot be opened or another process has it.
    pub async fn open(path: &Path) -> Result<SqliteStore> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| in_file(folder, error))?;
        }
        let lock = lock(path)?;
        let name = name_of(path)?;
        let identity = migrate(path, Adoption::AT_START).await?.identity;
        // What cannot be had is told here; the pool only knows that there is no connection.
        connect(name).await?;
        let mut config = ManagerConfig::<Connection>::default();
        config.custom_setup = Box::new(|name| {
            let name = name.to_owned();
            let failed = |error: Error| diesel::ConnectionError::BadConnection(error.to_string());
            Box::pin(async move { connect(&name).await.map_err(failed) })
        });
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(name, config);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .build()
            .map_err(|error| in_file(path, error))?;
        // A file that cannot be opened so ends the start.
        drop(pool.get().await.map_err(|error| in_file(path, error))?);
        Ok(SqliteStore {
            pool,
            identity,
            path: path.to_owned(),
            durability: Durability::default(),
            _lock: lock.into(),
        })
    }

    /// Brings the tables up to date and does no more. Returns what was done, or with a
    /// dry run what would be, in sentences.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn migrate(path: &Path, adoption: Adoption) -> Result<Vec<String>> {
        if adoption.is_dry_run() && !path.exists() {
            return Ok(vec!["the file and its tables would be created".to_owned()]);
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| in_file(folder, error))?;
        }
        let _lock = lock(path)?;
        Ok(migrate(path, adoption).await?.done)
    }

    async fn connection(&self) -> Result<Object<Connection>> {
        self.pool.get().await.map_err(unavailable)
    }
}

/// A connection that is ready for use.
async fn connect(name: &str) -> Result<Connection> {
    let path = Path::new(name);
    let mut connection = Connection::establish(name)
        .await
        .map_err(|error| in_file(path, error))?;
    session::begin(&mut connection, path).await?;
    Ok(connection)
}

/// What was done to the tables, and the database's identity.
struct Migrated {
    done: Vec<String>,
    identity: String,
}

/// Creates the tables where they are missing, or adopts the one that is there. The
/// caller holds the lock.
async fn migrate(path: &Path, adoption: Adoption) -> Result<Migrated> {
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
            identity: String::new(),
        });
    }
    let identity = identify(tables.connection()?).await;
    Ok(Migrated {
        done,
        identity: identity.map_err(|error| in_file(path, error))?,
    })
}

fn name_of(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| in_file(path, "the path is not UTF-8"))
}

/// Keeps other processes out: they would not know what this one's cache holds.
fn lock(path: &Path) -> Result<File> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let file = File::create(&lock_path).map_err(|error| in_file(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(in_file(path, "another process has it open")),
        Err(TryLockError::Error(error)) => Err(in_file(path, error)),
    }
}

fn in_file(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, format!("{}: {error}", path.display()))
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

/// Why a statement failed: of SQLite's errors only a violated constraint lies in
/// the record.
async fn diagnosed<T>(_: &mut Connection, done: diesel::QueryResult<T>) -> Tried<T> {
    done.map_err(|error| match &error {
        // What `Upsert` does to a statement of another epoch.
        DatabaseError(NotNullViolation, what) if what.message().ends_with("users.version") => {
            Failed::Fenced
        }
        DatabaseError(
            UniqueViolation | ForeignKeyViolation | NotNullViolation | CheckViolation,
            _,
        ) => Failed::Refused(error.to_string()),
        _ => Failed::broken(error),
    })
}

/// There is one writer at a time, so the rows are held already.
async fn hold(_: &mut Connection, _: &[Key]) -> Tried<()> {
    Ok(())
}

async fn release(_: &mut Connection, _: &[Key]) -> Tried<()> {
    Ok(())
}

async fn hold_free(_: &mut Connection, ids: &[i64]) -> Tried<HashSet<i64>> {
    Ok(ids.iter().copied().collect())
}

/// Removes those of the rows of `ids` that are tombstones of versions up to `through`.
/// Returns how many.
async fn remove(connection: &mut Connection, ids: &[i64], through: i64) -> Tried<usize> {
    let mut removed = 0;
    for ids in ids.chunks(ROWS_MAX) {
        let old = users::id.eq_any(ids).and(users::version.le(through));
        let tombstones = users::table.filter(old.and(users::deleted_at.is_not_null()));
        removed += diesel::delete(tombstones).execute(connection).await?;
    }
    Ok(removed)
}

fn failed(failed: Failed) -> Error {
    match failed {
        Failed::Refused(reason) => Error::refused(Part::Database, reason),
        Failed::Fenced => Error::Fenced,
        Failed::Locked | Failed::Deadlocked => Error::Locked,
        Failed::Broken(reason) | Failed::Uncertain(reason) => unavailable(reason),
    }
}

impl SqliteStore {
    /// Runs `operation` on a connection of its own.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl for<'c> FnOnce(&'c mut Connection) -> Operation<'c, T> + Send + 'static,
    ) -> Result<T> {
        let pool = self.pool.clone();
        // IMPORTANT: in a task of its own, since a transaction that is dropped
        // midway goes back to the pool open, and keeps every other writer out.
        let task = tokio::spawn(async move {
            let mut connection = pool.get().await.map_err(unavailable)?;
            let done = operation(&mut connection).await;
            if matches!(done, Err(Failed::Broken(_) | Failed::Uncertain(_))) {
                // So does one that could not be rolled back.
                drop(Object::take(connection));
            }
            done.map_err(failed)
        });
        task.await.unwrap_or(Err(Error::Panicked))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = records
            .iter()
            .map(Row::from_record)
            .collect::<Result<Vec<Row>>>()?;
        self.run(move |connection| Box::pin(async move { apply(connection, &rows, origin).await }))
            .await
    }

    async fn transact(&self, proposals: &[Proposal], fence: Option<Epoch>) -> Result<Vec<Verdict>> {
        let proposals = proposals.to_vec();
        self.run(move |connection| {
            Box::pin(async move { transact(connection, &proposals, fence).await })
        })
        .await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        let selected = load(&mut *self.connection().await?, key.as_str())
            .await
            .map_err(unavailable)?;
        selected.map(row::read).transpose()
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        let selected = load_many(&mut *self.connection().await?, keys).await;
        let selected = selected.map_err(unavailable)?;
        Ok(selected.iter().map(row::versioned).collect())
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        page(&mut *self.connection().await?, after, limit)
            .await
            .map_err(unavailable)
    }

    async fn newest_version(&self) -> Result<Version> {
        let newest = newest_version(&mut *self.connection().await?)
            .await
            .map_err(unavailable)?;
        Ok(Version::from_i64(newest.unwrap_or_default()).unwrap_or_default())
    }

    async fn purged_through(&self) -> Result<Version> {
        let floor = purged_through(&mut *self.connection().await?).await;
        to_floor(floor.map_err(unavailable)?)
    }

    async fn purge(&self, what: Purge) -> Result<Purged> {
        self.run(move |connection| Box::pin(purge(connection, what)))
            .await
    }

    async fn takes_writes(&self) -> Result<()> {
        BindingStore::note_newest(self, Version::ZERO).await
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn health(&self) -> PartHealth {
        let asked = async {
            let mut connection = self.connection().await?;
            let newest = newest_uncounted(&mut connection).await;
            newest.map_err(unavailable)?;
            Flushing::ask(&mut connection).await.map_err(unavailable)
        };
        let flushing: Result<Flushing> = asked.await;
        if let Ok(flushing) = &flushing {
            self.durability
                .is(flushing.survives(), &flushing.in_words());
        }
        PartHealth {
            kind: "sqlite",
            at: self.path.display().to_string(),
            up: flushing.is_ok(),
            problem: flushing.is_err().then_some("it does not answer".into()),
            durability: flushing.ok().map(|flushing| flushing.in_words()),
        }
    }
}

#[async_trait]
impl Membership for SqliteStore {
    async fn hear(&self, statement: &Statement) -> Result<View> {
        let statement = statement.clone();
        self.run(move |connection| Box::pin(async move { hear(connection, &statement).await }))
            .await
    }

    async fn rely(&self, holder: &str, all_have_heard: bool) -> Result<View> {
        let holder = holder.to_owned();
        self.run(move |connection| {
            Box::pin(async move { rely(connection, &holder, all_have_heard).await })
        })
        .await
    }

    async fn leave(&self, process: &str) -> Result<()> {
        let process = process.to_owned();
        self.run(move |connection| Box::pin(async move { leave(connection, &process).await }))
            .await
    }
}
