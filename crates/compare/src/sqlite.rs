//! A service's SQLite file, reached into beside the service.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_core::model::user::User;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use crate::error::{Error, Result};
use crate::kept::{Kept, Row};

/// How long a reader waits, which is only while the file is taken back after a crash.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// All rows whose names begin with `prefix`, as they are now; a service may write meanwhile.
///
/// # Errors
/// When the file cannot be read.
pub fn rows(file: &Path, prefix: &str) -> rusqlite::Result<Vec<Row>> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(READ_TIMEOUT)?;
    let mut query = connection.prepare(
        "SELECT name, version, deleted_at IS NOT NULL, age, occupation FROM users \
         WHERE substr(name, 1, length(?1)) = ?1",
    )?;
    let rows = query.query_map([prefix], |row| {
        let name: String = row.get(0)?;
        let version: i64 = row.get(1)?;
        let record = (name.as_str(), row.get(3)?, row.get(4)?);
        Ok(Row {
            kept: Kept::of_columns(version.unsigned_abs(), row.get(2)?, record),
            name,
        })
    })?;
    rows.collect()
}

/// A connection that can keep every other one from writing.
#[derive(Debug)]
pub struct WriteLock(Connection);

impl WriteLock {
    /// Opens the file, which must be there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(file: &Path) -> rusqlite::Result<WriteLock> {
        let connection = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // IMPORTANT: no busy timeout. SQLite waits for a lock by retries with a growing
        // back-off, and so do the service's writers. This connection would too seldom find the
        // lock free between them.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(WriteLock(connection))
    }

    /// Takes the lock if it is free. Until it is released no other connection writes; all can
    /// read.
    ///
    /// # Errors
    /// When the file does not answer as it should.
    pub fn try_take(&self) -> rusqlite::Result<bool> {
        match self.0.execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => Ok(true),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Releases the lock. Nothing was written.
    ///
    /// # Errors
    /// When the file does not answer as it should.
    pub fn release(&self) -> rusqlite::Result<()> {
        self.0.execute_batch("ROLLBACK")
    }

    /// A number that changes when another connection has committed.
    ///
    /// # Errors
    /// When the file does not answer as it should.
    pub fn data_version(&self) -> rusqlite::Result<i64> {
        let query = "PRAGMA data_version";
        self.0.query_row(query, [], |row| row.get(0))
    }
}

/// The table of a plain handler: a row for each write. `users` is a view of the newest ones.
#[derive(Clone, Debug)]
pub(crate) struct PlainTable(Arc<Mutex<Connection>>);

impl PlainTable {
    pub(crate) fn make(file: &Path) -> rusqlite::Result<PlainTable> {
        let connection = Connection::open(file)?;
        // A file that is locked is an error at once, as a server is that refuses connections.
        connection.busy_timeout(Duration::ZERO)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; \
             CREATE TABLE plain_users (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, occupation TEXT, \
                 version INTEGER, deleted_at TEXT); \
             CREATE INDEX plain_names ON plain_users (name); \
             CREATE VIEW users AS SELECT * FROM plain_users \
                 WHERE id IN (SELECT MAX(id) FROM plain_users GROUP BY name)",
        )?;
        Ok(PlainTable(Arc::new(Mutex::new(connection))))
    }

    pub(crate) async fn insert(&self, user: User, version: u64) -> Result<()> {
        let insert = "INSERT INTO plain_users (name, age, occupation, version) VALUES (?, ?, ?, ?)";
        self.with(move |connection| {
            let version = version.cast_signed();
            let row = (&user.name, user.age, &user.occupation, version);
            connection.execute(insert, row).map(drop)
        })
        .await
    }

    pub(crate) async fn remove(&self, name: String) -> Result<()> {
        let remove = "DELETE FROM plain_users WHERE name = ?";
        self.with(move |connection| connection.execute(remove, [name]).map(drop))
            .await
    }

    pub(crate) async fn newest(&self, name: String) -> Result<Option<(User, u64)>> {
        let select = "SELECT name, age, occupation, version FROM plain_users WHERE name = ? \
                      ORDER BY id DESC LIMIT 1";
        self.with(move |connection| {
            let found = connection.query_row(select, [name], |row| {
                let user = User {
                    name: row.get(0)?,
                    age: row.get(1)?,
                    occupation: row.get(2)?,
                };
                Ok((user, row.get::<_, i64>(3)?.cast_unsigned()))
            });
            found.optional()
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.0);
        let locked = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        let done = tokio::task::spawn_blocking(locked).await;
        let failed = |why: &dyn std::fmt::Display| Error::failed("a plain handler's file", why);
        done.map_err(|why| failed(&why))?
            .map_err(|why| failed(&why))
    }
}

fn open(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}
