//! SQLite: the embedded database, for one process.

mod binding;
mod files;
mod flushing;
mod held;
mod inspect;
mod lent;
mod migration;
mod refusal;
mod session;
mod tables;

/// The SQL that both kinds of database have in common, compiled for this one's connection.
#[path = "sql.rs"]
mod sql;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use diesel::SqliteConnection;
use diesel::result::DatabaseErrorKind::{
    CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation,
};
use diesel::result::Error::DatabaseError;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use tokio::runtime::Handle;

use crate::binding::BindingStore;
use crate::bypass::protocol::{Membership, Statement, View};
use crate::error::{Error, Part, Result};
use crate::model::dataset::Dataset;
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::store::calls::Calls;
use crate::store::ceiling::Ceiling;
use crate::store::claim::Claim;
use crate::store::durability::Durability;
use crate::store::newest::NewestOfAll;
use crate::store::row::Row;
use crate::store::tombstones::to_floor;
use crate::store::transaction::{TransactionError, Tried};
use crate::store::{
    Adoption, Connections, Loaded, Origin, Page, Proposal, Purge, Purged, Store, row,
};

use files::{FileLock, Files};
use flushing::Flushing;
pub use inspect::SqliteReader;
use lent::Lent;
use migration::{connect, migrate};
use sql::ceiling::reserved_through;
use sql::{
    apply, hear, leave, load, load_many, newest_after, newest_version, page, purge, purged_through,
    rely, transact,
};

type Connection = SyncConnectionWrapper<SqliteConnection>;
type Operation<'c, T> = Pin<Box<dyn Future<Output = Tried<T>> + Send + 'c>>;

/// Begins a transaction that writes: no other one does until it ends.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// So nothing it reads is changed by others.
const SHARED: &str = "";
const EXCLUSIVE: &str = "";

/// Readers beside the one writer that SQLite admits.
const CONNECTIONS_MAX: usize = 4;

/// A SQLite file, locked for this process.
pub struct SqliteStore {
    pool: Pool<Connection>,
    calls: Calls,
    dataset: Dataset,
    path: PathBuf,
    durability: Durability,
    ceiling: Arc<Ceiling>,
    files: Arc<Files>,
    /// Keeps the write-ahead log: while this is open, only another program removes it.
    _keeper: Mutex<Connection>,
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
        let lock = FileLock::take(path)?;
        lock.wait_for_others().await;
        let name = name_of(path)?;
        let dataset = migrate(path, Adoption::AT_START).await?.dataset;
        // What cannot be had is told here; the pool only knows that there is no connection.
        let keeper = connect(name).await?;
        let files = Files::of(path, lock).map_err(|error| in_file(path, error))?;
        let mut config = ManagerConfig::<Connection>::default();
        // A connection's statements run on the threads of the runtime that opens it. So that is
        // the store's, which outlives every thread that asks for one.
        let runtime = Handle::current();
        config.custom_setup = Box::new(move |name| {
            let name = name.to_owned();
            let opening = runtime.spawn(async move { connect(&name).await });
            let bad = diesel::ConnectionError::BadConnection;
            Box::pin(async move {
                let opened = opening.await.map_err(|error| bad(error.to_string()))?;
                opened.map_err(|error| bad(error.to_string()))
            })
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
            calls: Calls::new(CONNECTIONS_MAX),
            dataset,
            path: path.to_owned(),
            durability: Durability::default(),
            ceiling: Arc::default(),
            files: files.into(),
            _keeper: keeper.into(),
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
        let _lock = FileLock::take(path)?;
        Ok(migrate(path, adoption).await?.done)
    }

    /// The right to use the file, to be kept.
    pub fn claim(&self) -> impl Claim + use<> {
        self.files.clone()
    }
}

fn name_of(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| in_file(path, "the path is not UTF-8"))
}

fn in_file(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, format!("{}: {error}", path.display()))
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

/// Why a statement failed, as far as diesel knows. [`refusal`] finds the rest.
async fn diagnosed<T>(_: &mut Connection, done: diesel::QueryResult<T>) -> Tried<T> {
    done.map_err(|error| match &error {
        // What `Upsert` does to a statement of another epoch.
        DatabaseError(NotNullViolation, what) if what.message().ends_with("users.version") => {
            TransactionError::Fenced
        }
        DatabaseError(
            UniqueViolation | ForeignKeyViolation | NotNullViolation | CheckViolation,
            _,
        ) => TransactionError::Refused(error.to_string()),
        _ => TransactionError::broken(error),
    })
}

fn failed(failed: TransactionError) -> Error {
    match failed {
        TransactionError::Refused(reason) => Error::refused(Part::Database, reason),
        TransactionError::Fenced => Error::Fenced,
        TransactionError::Beyond(_) => unavailable("the ceiling was lowered"),
        TransactionError::Locked | TransactionError::Deadlocked => Error::Locked,
        TransactionError::Broken(reason) | TransactionError::Uncertain(reason) => {
            unavailable(reason)
        }
    }
}

impl SqliteStore {
    /// Runs `operation` on a connection of its own.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl for<'c> FnOnce(&'c mut Connection) -> Operation<'c, T> + Send + 'static,
    ) -> Result<T> {
        self.attempt(operation).await?.map_err(failed)
    }

    /// The same, with the reason why it failed.
    async fn attempt<T: Send + 'static>(
        &self,
        operation: impl for<'c> FnOnce(&'c mut Connection) -> Operation<'c, T> + Send + 'static,
    ) -> Result<Tried<T>> {
        // IMPORTANT: what is committed to a file that was removed is lost.
        self.files.check()?;
        let pool = self.pool.clone();
        let turn = self.calls.turn().await?;
        turn.run(async move {
            let mut lent = Lent(Some(pool.get().await.map_err(TransactionError::broken)?));
            let connection = lent
                .0
                .as_mut()
                .ok_or_else(|| TransactionError::broken("no connection"))?;
            let done = operation(connection).await;
            if !matches!(
                done,
                Err(TransactionError::Broken(_) | TransactionError::Uncertain(_))
            ) {
                lent.give_back();
            }
            done
        })
        .await
    }

    /// How writing `rows` ended. If diesel does not know why it failed, the rows may have been
    /// refused.
    async fn explained<T>(&self, done: Tried<T>, rows: Arc<[Row]>) -> Result<T> {
        let reason = match done {
            Err(TransactionError::Broken(reason)) => reason,
            done => return done.map_err(failed),
        };
        // IMPORTANT: what another file at the path refuses says nothing of this one.
        self.files.check()?;
        let path = self.path.clone();
        let refusal = tokio::task::spawn_blocking(move || refusal::of(&path, &rows)).await;
        self.files.check()?;
        Err(match refusal {
            Ok(Some(refusal)) => Error::refused(Part::Database, refusal),
            _ => unavailable(reason),
        })
    }

    /// The rows of `keys`, in any order.
    async fn rows_of(&self, keys: &[Key]) -> Result<Vec<row::Selected>> {
        let (keys, ceiling) = (keys.to_vec(), self.ceiling.clone());
        self.run(move |connection| {
            Box::pin(async move { Ok(load_many(connection, &ceiling, &keys).await?) })
        })
        .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = row::in_order(records)?;
        let (applied, ceiling) = (rows.clone(), self.ceiling.clone());
        let done = self
            .attempt(move |connection| {
                Box::pin(async move { apply(connection, &ceiling, &applied, origin).await })
            })
            .await?;
        self.explained(done, rows).await
    }

    async fn transact(
        &self,
        proposals: &[Proposal],
        fence: Option<Epoch>,
    ) -> Result<Vec<Decision>> {
        let rows = proposals.iter().map(|proposal| {
            let version = proposal.version.unwrap_or_else(Version::now);
            Row::from_record(&proposal.write.at(version))
        });
        let rows = rows.filter_map(Result::ok).collect();
        let (proposals, ceiling) = (proposals.to_vec(), self.ceiling.clone());
        let done = self
            .attempt(move |connection| {
                Box::pin(async move { transact(connection, &ceiling, &proposals, fence).await })
            })
            .await?;
        self.explained(done, rows).await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        let (key, ceiling) = (key.clone(), self.ceiling.clone());
        let selected = self
            .run(move |connection| {
                Box::pin(async move { Ok(load(connection, &ceiling, key.as_str()).await?) })
            })
            .await?;
        selected.map(row::read).transpose()
    }

    async fn load_many(&self, keys: &[Key]) -> Result<Loaded> {
        Ok(row::loaded(self.rows_of(keys).await?))
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        Ok(row::versions(&self.rows_of(keys).await?))
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        let (after, ceiling) = (after.cloned(), self.ceiling.clone());
        self.run(move |connection| {
            Box::pin(async move { Ok(page(connection, &ceiling, after.as_ref(), limit).await?) })
        })
        .await
    }

    async fn newest_version(&self) -> Result<Version> {
        let ceiling = self.ceiling.clone();
        let newest = self
            .run(move |connection| {
                Box::pin(async move { Ok(newest_version(connection, &ceiling).await?) })
            })
            .await?;
        Ok(Version::from_i64(newest).unwrap_or_default())
    }

    fn newest_written(&self) -> Version {
        self.ceiling.newest_written()
    }

    async fn has_between(&self, from: Version, to: Version) -> Result<bool> {
        if self.purged_through().await? >= from {
            return Ok(true);
        }
        let (from, to, mut newest) = (from.to_i64(), to.to_i64(), NewestOfAll::begin());
        while newest.version < from
            && let Some(after) = newest.wants()
        {
            // A call for each part, since a large table takes long.
            let part = self.run(move |connection| {
                let after = after.clone();
                Box::pin(async move { Ok(newest_after(connection, &after, to).await?) })
            });
            newest.take(part.await?);
        }
        Ok(newest.version >= from)
    }

    async fn purged_through(&self) -> Result<Version> {
        let floor = self
            .run(|connection| Box::pin(async move { Ok(purged_through(connection).await?) }))
            .await?;
        to_floor(floor)
    }

    async fn purge(&self, what: Purge) -> Result<Purged> {
        self.run(move |connection| Box::pin(purge(connection, what)))
            .await
    }

    async fn takes_writes(&self) -> Result<()> {
        BindingStore::note_newest(self, Version::ZERO).await
    }

    fn connections(&self) -> Connections {
        let status = self.pool.status();
        Connections {
            idle: status.available,
            used: status.size.saturating_sub(status.available),
            max: status.max_size,
            waiting: self.calls.waiting(),
        }
    }

    fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    async fn health(&self) -> PartHealth {
        let flushing = self
            .run(|connection| {
                Box::pin(async move {
                    reserved_through(connection).await?;
                    Ok(Flushing::ask(connection).await?)
                })
            })
            .await;
        if let Ok(flushing) = &flushing {
            self.durability
                .is(flushing.survives(), &flushing.in_words());
        }
        PartHealth {
            kind: "sqlite",
            at: self.path.display().to_string(),
            up: flushing.is_ok(),
            problem: flushing.is_err().then(|| self.files.problem().into()),
            durability: flushing.ok().map(|flushing| flushing.in_words()),
            ..PartHealth::default()
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

    async fn leave(&self, process: &str) -> Result<bool> {
        let process = process.to_owned();
        self.run(move |connection| Box::pin(async move { leave(connection, &process).await }))
            .await
    }
}
