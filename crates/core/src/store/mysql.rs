//! MySQL and MariaDB.

mod binding;
mod claim;
mod connector;
mod flushing;
mod locks;
mod migration;
mod pool;
mod refusal;
mod session;
mod tables;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime};
use diesel::mysql::Mysql;
use diesel::sql_types::Text;
use diesel_async::{AsyncMysqlConnection, SimpleAsyncConnection};
use tokio::time::{Instant, timeout_at};

use crate::binding::BindingStore;
use crate::dataset::Dataset;
use crate::error::{Error, Part, Result};
use crate::health::PartHealth;
use crate::membership::Membership;
use crate::record::{Key, Record};
use crate::settings::{Address, Secret};
use crate::startup;
use crate::store::calls::Calls;
use crate::store::durability::Durability;
use crate::store::{Adoption, Locks, Origin, Store, row};
use crate::version::Version;

pub use claim::MysqlClaim;
use connector::{Connector, NotConnected};
use flushing::Flushing;
use migration::{connect, migrate};
use pool::{Opens, Pool};

super::queries::queries!(AsyncMysqlConnection);
super::transaction::transactions!(AsyncMysqlConnection);
super::members::members!(AsyncMysqlConnection);
super::tombstones::tombstones!(AsyncMysqlConnection);

const BEGIN: &str = "START TRANSACTION";
const SHARED: &str = <diesel::mysql::Mysql as super::upsert::Dialect>::SHARED;
const EXCLUSIVE: &str = " FOR UPDATE";

/// How often an operation is done again at most that stood in the way of another
/// transaction, and how long it waits before that, at most each time.
const DEADLOCKS_MAX: u32 = 8;
const DEADLOCK_PAUSE_MAX: Duration = Duration::from_millis(10);

/// How often an operation is repeated at most whose connection is lost, each time because
/// another one ended while it lay in the pool.
const LOST_MAX: u32 = 3;

/// Who asks whether the service is ready does not wait as long as a statement may.
const HEALTH_PATIENCE: Duration = Duration::from_secs(3);

type Operation<'c, T> = Pin<Box<dyn Future<Output = Tried<T>> + Send + 'c>>;

/// A MySQL or MariaDB database.
pub struct MysqlStore {
    pool: Pool<Connector>,
    calls: Calls,
    timeout: Duration,
    dataset: Dataset,
    url: Secret,
    durability: Durability,
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
        MysqlStore::open_by(Instant::now() + timeout, address, pool_max, timeout).await
    }

    /// The same, but it must be connected by `deadline` if that is sooner than after the
    /// timeout. How long the tables take is not limited.
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
        let deadline = deadline.min(Instant::now() + timeout);
        // Nothing is lost where this is cut off. What the pool opens later is limited by
        // the timeout of who wants it.
        let connection = startup::until(deadline, Part::Database, connect(&connector)).await?;
        let migrated = migrate(connection, &connector, timeout, Adoption::AT_START).await?;
        Ok(MysqlStore {
            pool: Pool::new(connector, pool_max),
            calls: Calls::new(pool_max),
            timeout,
            dataset: migrated.dataset,
            url,
            durability: Durability::default(),
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
        let deadline = deadline.min(Instant::now() + timeout);
        if adoption.is_dry_run() {
            let connection = async {
                match connector.connect().await {
                    Ok(connection) => Ok(Some(connection)),
                    Err(NotConnected::NoSuchDatabase) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            };
            let Some(connection) = startup::until(deadline, Part::Database, connection).await?
            else {
                return Ok(vec![
                    "the database and its tables would be created".to_owned(),
                ]);
            };
            return Ok(migrate(connection, &connector, timeout, adoption)
                .await?
                .done);
        }
        let connection = startup::until(deadline, Part::Database, connect(&connector)).await?;
        Ok(migrate(connection, &connector, timeout, adoption)
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

/// Runs `operation`, and again where its connection had been used before and is lost: the
/// server may have closed what lay in the pool, as it does when it restarts. Once more, too,
/// where such a connection still answers.
async fn attempts<T>(
    pool: &Pool<Connector>,
    operation: &impl for<'c> Fn(&'c mut AsyncMysqlConnection) -> Operation<'c, T>,
) -> Result<T> {
    let mut repeats = 0;
    let mut deadlocks = 0;
    loop {
        let mut lent = pool.lend().await?;
        match operation(lent.connection()?).await {
            Ok(answer) => {
                lent.give_back();
                return Ok(answer);
            }
            // The connection answered, so it is in step.
            //
            // IMPORTANT: all mean that nothing took place, which is so only of
            // this attempt.
            Err(Failed::Refused(reason)) if repeats == 0 => {
                lent.give_back();
                return Err(Error::refused(Part::Database, reason));
            }
            Err(Failed::Fenced) if repeats == 0 => {
                lent.give_back();
                return Err(Error::Fenced);
            }
            Err(Failed::Deadlocked) if deadlocks < DEADLOCKS_MAX => {
                lent.give_back();
                deadlocks += 1;
                tokio::time::sleep(DEADLOCK_PAUSE_MAX.mul_f64(fastrand::f64())).await;
            }
            Err(Failed::Locked | Failed::Deadlocked) if repeats == 0 => {
                lent.give_back();
                return Err(Error::Locked);
            }
            Err(Failed::Refused(_) | Failed::Fenced | Failed::Locked | Failed::Deadlocked) => {
                lent.give_back();
                return Err(unavailable("the connection ended in the attempt before"));
            }
            Err(Failed::Broken(reason)) if lent.was_used() && repeats < LOST_MAX => {
                if !lent.answers().await {
                    // None of the others is better.
                    pool.discard_idle();
                } else if repeats > 0 {
                    return Err(unavailable(reason));
                }
                repeats += 1;
            }
            Err(Failed::Broken(reason) | Failed::Uncertain(reason)) => {
                return Err(unavailable(reason));
            }
        }
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
        statements::hold();
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

/// Removes those of the rows that were made to hold `keys`, and are not written.
async fn release(connection: &mut AsyncMysqlConnection, keys: &[Key]) -> Tried<()> {
    for keys in keys.chunks(ROWS_MAX) {
        let names = keys.iter().map(Key::as_str);
        let made = users::table.filter(users::name.eq_any(names).and(users::version.eq(0)));
        statements::hold();
        let delete = diesel::delete(made.filter(users::deleted_at.is_not_null()));
        let done = delete.execute(connection).await;
        diagnosed(connection, done).await?;
    }
    Ok(())
}

/// The oldest tombstones of versions above `floor`, up to `through`: by the time at which
/// they were deleted, which has an index and is the version's.
async fn oldest_tombstones(
    connection: &mut AsyncMysqlConnection,
    floor: i64,
    through: i64,
    rows_max: i64,
) -> QueryResult<Vec<Tombstone>> {
    let time = |version| DateTime::from_timestamp_micros(version).map(|time| time.naive_utc());
    let found: Vec<(String, Option<NaiveDateTime>)> = users::table
        .filter(users::deleted_at.gt(time(floor)))
        .filter(users::deleted_at.le(time(through)))
        .order(users::deleted_at)
        .limit(rows_max)
        .select((users::name, users::deleted_at))
        .load(connection)
        .await?;
    let found = found.into_iter().filter_map(|(name, deleted_at)| {
        let place = deleted_at?.and_utc().timestamp_micros();
        Some((name, place))
    });
    Ok(found.collect())
}

/// Holds those of the rows of `names` that no other transaction has locked. Returns their
/// names. Waits for none.
async fn hold_free(
    connection: &mut AsyncMysqlConnection,
    names: &[&str],
) -> Tried<HashSet<String>> {
    let mut free = HashSet::with_capacity(names.len());
    for names in names.chunks(ROWS_MAX) {
        let held = users::table
            .filter(users::name.eq_any(names))
            .select(users::name)
            .for_update()
            .skip_locked()
            .load::<String>(connection)
            .await;
        free.extend(diagnosed(connection, held).await?);
    }
    Ok(free)
}

/// Removes those of the rows of `names`, which are held, that are tombstones of versions up
/// to `through`. Returns how many.
async fn remove(
    connection: &mut AsyncMysqlConnection,
    names: &[&str],
    through: i64,
) -> Tried<usize> {
    let mut removed = 0;
    for names in names.chunks(ROWS_MAX) {
        let places = vec!["?"; names.len()].join(", ");
        // IMPORTANT: by the primary key. A scan of a small table would wait for the locks
        // of other rows.
        let delete = format!(
            "DELETE users FROM users FORCE INDEX (PRIMARY) WHERE name IN ({places}) \
             AND deleted_at IS NOT NULL AND version <= {through}"
        );
        let mut delete = diesel::sql_query(delete).into_boxed::<Mysql>();
        for name in names {
            delete = delete.bind::<Text, _>(*name);
        }
        let done = delete.execute(connection).await;
        removed += diagnosed(connection, done).await?;
    }
    Ok(removed)
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

/// What to call the lock of a row that all processes need: no other row is free then.
fn outage(error: Error) -> Error {
    match error {
        Error::Locked => unavailable(error),
        error => error,
    }
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
        let rows: Arc<[Row]> = rows.into();
        self.run(move |connection| {
            let rows = rows.clone();
            Box::pin(async move { apply(connection, &rows, origin).await })
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

    async fn locks(&self, keys: &[Key]) -> Result<Locks> {
        let keys: Arc<[Key]> = keys.into();
        self.run(move |connection| {
            let keys = keys.clone();
            Box::pin(async move { locks::find(connection, &keys).await })
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
        selected.map(row::read).transpose()
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        let keys: Arc<[Key]> = keys.into();
        let selected = self
            .run(move |connection| {
                let keys = keys.clone();
                Box::pin(async move { Ok(load_many(connection, &keys).await?) })
            })
            .await?;
        Ok(selected.iter().map(row::versioned).collect())
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        let after = after.cloned();
        self.run(move |connection| {
            let after = after.clone();
            Box::pin(async move { Ok(page(connection, after.as_ref(), limit).await?) })
        })
        .await
    }

    async fn newest_version(&self) -> Result<Version> {
        let newest = self
            .run(|connection| Box::pin(async move { Ok(newest_version(connection).await?) }))
            .await?;
        Ok(Version::from_i64(newest.unwrap_or_default()).unwrap_or_default())
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

    fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    async fn health(&self) -> PartHealth {
        let asked =
            self.run(|connection| Box::pin(async move { Ok(Flushing::ask(connection).await?) }));
        let flushing = tokio::time::timeout(HEALTH_PATIENCE, asked)
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
            durability: flushing.ok().map(Flushing::in_words),
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
