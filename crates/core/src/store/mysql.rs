//! MySQL and MariaDB.

mod attempts;
mod binding;
mod claim;
mod connector;
mod denied;
mod flushing;
mod held;
mod inspect;
mod locks;
mod migration;
mod pool;
mod refusal;
mod session;
mod tables;

/// The SQL that both kinds of database have in common, compiled for this one's connection.
#[path = "sql.rs"]
mod sql;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use diesel_async::{AsyncMysqlConnection, SimpleAsyncConnection};
use tokio::time::{Instant, timeout_at};

use crate::binding::BindingStore;
use crate::bypass::protocol::{Membership, Statement, View};
use crate::error::{Error, Part, Result};
use crate::model::dataset::Dataset;
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::outage::health::PartHealth;
use crate::process::startup;
use crate::settings::{Address, Secret};
use crate::store::calls::Calls;
use crate::store::ceiling::Ceiling;
use crate::store::durability::{Durability, Survives};
use crate::store::newest::NewestOfAll;
use crate::store::tombstones::to_floor;
use crate::store::transaction::{TransactionError, Tried};
use crate::store::{
    Adoption, Connections, Loaded, Locks, Origin, Page, Proposal, Purge, Purged, Store, row,
};
use crate::timing;

use attempts::attempts;
pub use claim::MysqlClaim;
use connector::{Connector, NotConnected};
use flushing::Flushing;
pub use inspect::MysqlReader;
use migration::{connect, migrate};
use pool::{Opens, Pool};
use sql::{
    apply, hear, leave, load, load_many, newest_after, newest_version, page, purge, purged_through,
    rely, transact,
};

type Connection = AsyncMysqlConnection;

const BEGIN: &str = "START TRANSACTION";
const SHARED: &str = <diesel::mysql::Mysql as super::upsert::Dialect>::SHARED;
const EXCLUSIVE: &str = " FOR UPDATE";

type Operation<'c, T> = Pin<Box<dyn Future<Output = Tried<T>> + Send + 'c>>;

/// A MySQL or MariaDB database.
pub struct MysqlStore {
    pool: Pool<Connector>,
    calls: Calls,
    timeout: Duration,
    dataset: Dataset,
    url: Secret,
    durability: Durability,
    ceiling: Arc<Ceiling>,
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
    pub async fn open(
        address: impl Into<Address>,
        pool_max: usize,
        timeout: Duration,
    ) -> Result<MysqlStore> {
        MysqlStore::open_by(
            Instant::now() + timing::MYSQL_OPEN_TIMEOUT,
            address,
            pool_max,
            timeout,
        )
        .await
    }

    /// The same, but it must be connected by `deadline` if that is sooner than after the
    /// timeout, and waits until then while another process changes the tables. How long it takes
    /// to change them is not limited.
    ///
    /// # Errors
    /// As [`MysqlStore::open`].
    pub async fn open_by(
        deadline: Instant,
        address: impl Into<Address>,
        pool_max: usize,
        timeout: Duration,
    ) -> Result<MysqlStore> {
        let Address { url, tls } = address.into();
        let connector = Connector::new(&url, tls)?;
        let connected_by = deadline.min(Instant::now() + timeout);
        // Nothing is lost where this is cut off. What the pool opens later is limited by the
        // timeout of its caller.
        let connection = startup::until(connected_by, Part::Database, connect(&connector)).await?;
        let migrated = migrate(connection, &connector, deadline, Adoption::AT_START).await?;
        Ok(MysqlStore {
            pool: Pool::new(connector, pool_max),
            calls: Calls::new(pool_max),
            timeout,
            dataset: migrated.dataset,
            url,
            durability: Durability::default(),
            ceiling: Arc::default(),
        })
    }

    /// Brings the tables up to date and does no more. Returns what was done, or with a
    /// dry run what would be, in sentences.
    ///
    /// # Errors
    /// As [`MysqlStore::open_by`].
    pub async fn migrate_by(
        deadline: Instant,
        address: impl Into<Address>,
        timeout: Duration,
        adoption: Adoption,
    ) -> Result<Vec<String>> {
        let Address { url, tls } = address.into();
        let connector = Connector::new(&url, tls)?;
        let connected_by = deadline.min(Instant::now() + timeout);
        if adoption.is_dry_run() {
            let connection = async {
                match connector.connect().await {
                    Ok(connection) => Ok(Some(connection)),
                    Err(NotConnected::NoSuchDatabase) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            };
            let Some(connection) = startup::until(connected_by, Part::Database, connection).await?
            else {
                return Ok(vec![
                    "the database and its tables would be created".to_owned(),
                ]);
            };
            return Ok(migrate(connection, &connector, deadline, adoption)
                .await?
                .done);
        }
        let connection = startup::until(connected_by, Part::Database, connect(&connector)).await?;
        Ok(migrate(connection, &connector, deadline, adoption)
            .await?
            .done)
    }

    /// Runs `operation` on a connection of its own, for at most the timeout.
    async fn run<T: Send + 'static>(
        &self,
        operation: impl for<'c> Fn(&'c mut AsyncMysqlConnection) -> Operation<'c, T>
        + Send
        + Sync
        + 'static,
    ) -> Result<T> {
        let (pool, timeout) = (self.pool.clone(), self.timeout);
        let deadline = Instant::now() + timeout;
        let late = move |_| unavailable(format!("no answer in {timeout:?}"));
        let turn = timeout_at(deadline, self.calls.turn()).await;
        let call = async move { timeout_at(deadline, attempts(&pool, &operation)).await };
        turn.map_err(late)??.run(call).await?.map_err(late)?
    }
}

impl Opens for Connector {
    type Connection = AsyncMysqlConnection;

    async fn open(&self) -> std::result::Result<AsyncMysqlConnection, NotConnected> {
        self.connect().await
    }

    async fn answers(connection: &mut AsyncMysqlConnection) -> bool {
        connection.batch_execute("SELECT 1").await.is_ok()
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
            .unwrap_or(TransactionError::Broken(error.to_string()))),
    }
}

/// What a failed statement means: an outage, or that the user lacks a right.
fn unavailable(error: impl std::fmt::Display) -> Error {
    denied::failed(error)
}

/// What to call the lock of a row that all processes need: no other row is free then.
fn outage(error: Error) -> Error {
    match error {
        Error::Locked => unavailable(error),
        error => error,
    }
}

impl MysqlStore {
    /// The rows of `keys`, in any order.
    async fn rows_of(&self, keys: &[Key]) -> Result<Vec<row::Selected>> {
        let (keys, ceiling): (Arc<[Key]>, _) = (keys.into(), self.ceiling.clone());
        self.run(move |connection| {
            let (keys, ceiling) = (keys.clone(), ceiling.clone());
            Box::pin(async move { Ok(load_many(connection, &ceiling, &keys).await?) })
        })
        .await
    }
}

#[async_trait]
impl Store for MysqlStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let rows = row::in_order(records)?;
        let ceiling = self.ceiling.clone();
        self.run(move |connection| {
            let (rows, ceiling) = (rows.clone(), ceiling.clone());
            Box::pin(async move { apply(connection, &ceiling, &rows, origin).await })
        })
        .await
    }

    async fn transact(
        &self,
        proposals: &[Proposal],
        fence: Option<Epoch>,
    ) -> Result<Vec<Decision>> {
        let proposals: Arc<[Proposal]> = proposals.into();
        let ceiling = self.ceiling.clone();
        self.run(move |connection| {
            let (proposals, ceiling) = (proposals.clone(), ceiling.clone());
            Box::pin(async move { transact(connection, &ceiling, &proposals, fence).await })
        })
        .await
    }

    async fn locks(&self, keys: &[Key]) -> Result<Locks> {
        let keys: Arc<[Key]> = keys.into();
        self.run(move |connection| {
            let keys = keys.clone();
            Box::pin(async move { locks::find(connection, &keys).await })
        })
        .await
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        let (key, ceiling) = (key.clone(), self.ceiling.clone());
        let selected = self
            .run(move |connection| {
                let (key, ceiling) = (key.clone(), ceiling.clone());
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
            let (after, ceiling) = (after.clone(), ceiling.clone());
            Box::pin(async move { Ok(page(connection, &ceiling, after.as_ref(), limit).await?) })
        })
        .await
    }

    async fn newest_version(&self) -> Result<Version> {
        let ceiling = self.ceiling.clone();
        let newest = self
            .run(move |connection| {
                let ceiling = ceiling.clone();
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
        let (idle, used, max) = self.pool.usage();
        Connections {
            idle,
            used,
            max,
            waiting: self.calls.waiting(),
        }
    }

    fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    async fn health(&self) -> PartHealth {
        let asked =
            self.run(|connection| Box::pin(async move { Ok(Flushing::ask(connection).await?) }));
        let flushing = tokio::time::timeout(timing::MYSQL_HEALTH_TIMEOUT, asked)
            .await
            .unwrap_or_else(|_| Err(unavailable("no answer in time")));
        if let Ok(flushing) = &flushing {
            self.durability
                .is(flushing.survives(), &flushing.in_words());
        }
        PartHealth {
            kind: "mysql",
            at: self.url.to_string(),
            up: flushing.is_ok(),
            problem: flushing.is_err().then_some("it does not answer".into()),
            survives_little: flushing
                .as_ref()
                .is_ok_and(|flushing| flushing.survives() == Survives::ServiceCrash),
            durability: flushing.ok().map(Flushing::in_words),
            ..PartHealth::default()
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
        .map_err(outage)
    }

    async fn rely(&self, holder: &str, all_have_heard: bool) -> Result<View> {
        let holder: Arc<str> = holder.into();
        self.run(move |connection| {
            let holder = holder.clone();
            Box::pin(async move { rely(connection, &holder, all_have_heard).await })
        })
        .await
        .map_err(outage)
    }

    async fn leave(&self, process: &str) -> Result<bool> {
        let process: Arc<str> = process.into();
        self.run(move |connection| {
            let process = process.clone();
            Box::pin(async move { leave(connection, &process).await })
        })
        .await
    }
}
