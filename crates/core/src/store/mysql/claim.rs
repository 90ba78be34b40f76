//! Claims on a database of a server, by locks that belong to a connection of their own: the
//! server frees them at once when the process ends, however it does.

use std::time::Duration;

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Nullable};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::error::{Error, Part, Result};
use crate::settings::Address;
use crate::store::claim::{Claim, Held, Usage};

use super::connector::Connector;

/// How many processes can show that they use the database together: each has a lock of its
/// own. More than that are not seen, which does not matter while these are.
const TOGETHER_MAX: usize = 64;

/// How long a look waits for a lock of a session that it has killed, in seconds.
const KILLED_WAIT_S: u8 = 1;

/// The claim of one process.
pub struct MysqlClaim {
    connector: Connector,
    usage: Usage,
    timeout: Duration,
    connection: Option<AsyncMysqlConnection>,
    /// The lock by which the process knows its own earlier session. A session's id would not
    /// do: the numbers begin again when the server restarts.
    token: String,
    /// The lock that it holds.
    lock: Option<String>,
    /// How often processes of either kind had started when this one did.
    starts: Option<Starts>,
    /// Whether the process serves, so that its start counts.
    serves: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
struct Starts {
    #[diesel(sql_type = BigInt)]
    alone: i64,
    #[diesel(sql_type = BigInt)]
    shared: i64,
}

#[derive(Debug, QueryableByName)]
struct Answer {
    #[diesel(sql_type = Nullable<BigInt>)]
    answer: Option<i64>,
}

impl std::fmt::Debug for MysqlClaim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MysqlClaim({:?}, {:?})", self.usage, self.lock)
    }
}

impl MysqlClaim {
    /// A claim that is not taken yet. `timeout` is for each look. `token` is the process's own
    /// random number.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub fn new(
        address: impl Into<Address>,
        usage: Usage,
        timeout: Duration,
        token: u64,
    ) -> Result<MysqlClaim> {
        let Address { url, tls } = address.into();
        Ok(MysqlClaim {
            connector: Connector::new(&url, tls)?,
            usage,
            timeout,
            connection: None,
            token: format!("claim {token:016x}"),
            lock: None,
            starts: None,
            serves: false,
        })
    }

    /// A lock's name has at most 64 characters, a database's as well.
    fn name(&self, what: &str) -> String {
        let database = crc32fast::hash(self.connector.database().as_bytes());
        format!("{what} {database:08x}")
    }

    fn alone(&self) -> String {
        self.name("memory cache")
    }

    fn together(&self, place: usize) -> String {
        format!("{} {place}", self.name("shared cache"))
    }

    async fn look(&mut self) -> Result<Held> {
        // IMPORTANT: taken out, so that one on which something is cut off is closed.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let mut connection = self.connector.connect().await?;
                self.end_earlier_session(&mut connection)
                    .await
                    .map_err(unavailable)?;
                connection
            }
        };
        let held = self.held_by(&mut connection).await.map_err(unavailable)?;
        self.connection = Some(connection);
        Ok(held)
    }

    /// Kills the process's earlier session, since the server may not have noticed that its
    /// connection has ended. A user may kill its own sessions.
    async fn end_earlier_session(
        &mut self,
        connection: &mut AsyncMysqlConnection,
    ) -> QueryResult<()> {
        let token = self.token.clone();
        if let Some(earlier) = ask(connection, &format!("IS_USED_LOCK('{token}')")).await? {
            // It may have ended by itself; a lost connection fails the next statement as well.
            let kill = format!("KILL {earlier}");
            let _ = connection.batch_execute(&kill).await;
            if self.usage == Usage::Alone {
                let lock = self.alone();
                let freed = format!("GET_LOCK('{lock}', {KILLED_WAIT_S})");
                if ask(connection, &freed).await? == Some(1) {
                    ask(connection, &format!("RELEASE_LOCK('{lock}')")).await?;
                }
            }
        }
        ask(connection, &format!("GET_LOCK('{token}', {KILLED_WAIT_S})")).await?;
        Ok(())
    }

    async fn held_by(&mut self, connection: &mut AsyncMysqlConnection) -> QueryResult<Held> {
        if let Some(lock) = &self.lock {
            let mine = format!("IS_USED_LOCK('{lock}') = CONNECTION_ID()");
            if ask(connection, &mine).await? == Some(1) {
                return match self.starts {
                    Some(_) => Ok(Held::Yes),
                    None => self.count(connection).await,
                };
            }
        }
        self.lock = None;
        let places: Vec<String> = (0..TOGETHER_MAX)
            .map(|place| self.together(place))
            .collect();
        // IMPORTANT: it takes its lock first and looks at the others' afterwards. So of two
        // processes that start at once, at least one sees the other.
        let (lock, others) = match self.usage {
            Usage::Alone => (take(connection, &[self.alone()]).await?, places),
            Usage::Together if is_used(connection, &[self.alone()]).await? => {
                return self.not_held(connection).await;
            }
            Usage::Together => {
                let mut free = places;
                free.rotate_left(fastrand::usize(..TOGETHER_MAX));
                (take(connection, &free).await?, vec![self.alone()])
            }
        };
        let is_seen = lock.is_some() || self.usage == Usage::Together;
        if !is_seen || is_used(connection, &others).await? {
            if let Some(lock) = lock {
                ask(connection, &format!("RELEASE_LOCK('{lock}')")).await?;
            }
            return self.not_held(connection).await;
        }
        self.lock = lock;
        self.count(connection).await
    }

    /// Whether a lock that is not free is only that, or others have started as well.
    async fn not_held(&mut self, connection: &mut AsyncMysqlConnection) -> QueryResult<Held> {
        let Some(before) = self.starts else {
            return Ok(Held::No);
        };
        let now = starts(connection).await?;
        Ok(match self.is_as_before(before, now) {
            true => Held::No,
            false => Held::Lapsed,
        })
    }

    fn is_as_before(&self, before: Starts, now: Starts) -> bool {
        match self.usage {
            Usage::Alone => now == before,
            Usage::Together => now.alone == before.alone,
        }
    }

    /// Whether others have been there since this process has started, which is counted.
    async fn count(&mut self, connection: &mut AsyncMysqlConnection) -> QueryResult<Held> {
        if !self.serves {
            return Ok(Held::Yes);
        }
        if self.starts.is_none() {
            let column = match self.usage {
                Usage::Alone => "alone_starts",
                Usage::Together => "shared_starts",
            };
            let count = format!("UPDATE cache_epoch SET {column} = {column} + 1 WHERE id = 1");
            connection.batch_execute(&count).await?;
        }
        let now = starts(connection).await?;
        let before = *self.starts.get_or_insert(now);
        Ok(match self.is_as_before(before, now) {
            true => Held::Yes,
            false => Held::Lapsed,
        })
    }
}

async fn starts(connection: &mut AsyncMysqlConnection) -> QueryResult<Starts> {
    let read =
        "SELECT alone_starts AS alone, shared_starts AS shared FROM cache_epoch WHERE id = 1";
    diesel::sql_query(read).get_result(connection).await
}

/// Takes the first of these locks that is free.
async fn take(
    connection: &mut AsyncMysqlConnection,
    locks: &[String],
) -> QueryResult<Option<String>> {
    for lock in locks {
        if ask(connection, &format!("GET_LOCK('{lock}', 0)")).await? == Some(1) {
            return Ok(Some(lock.clone()));
        }
    }
    Ok(None)
}

/// Whether one of these locks is taken.
async fn is_used(connection: &mut AsyncMysqlConnection, locks: &[String]) -> QueryResult<bool> {
    let used = locks.iter().map(|lock| format!("IS_USED_LOCK('{lock}')"));
    let used = used.collect::<Vec<_>>().join(", ");
    let used = ask(connection, &format!("COALESCE({used}, NULL)")).await?;
    Ok(used.is_some())
}

async fn ask(connection: &mut AsyncMysqlConnection, what: &str) -> QueryResult<Option<i64>> {
    let query = diesel::sql_query(format!("SELECT CAST({what} AS SIGNED) AS answer"));
    let answer: Answer = query.get_result(connection).await?;
    Ok(answer.answer)
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

#[async_trait]
impl Claim for MysqlClaim {
    async fn hold(&mut self) -> Result<Held> {
        let timeout = self.timeout;
        tokio::time::timeout(timeout, self.look())
            .await
            .unwrap_or_else(|_| Err(unavailable(format!("no answer in {timeout:?}"))))
    }

    fn serves(&mut self) {
        self.serves = true;
    }
}
