//! A service's SQLite file, reached into beside the service.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::kept::{Kept, Row};

/// How long a reader waits, which is only while the file is taken back after a crash.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// All rows whose names begin with `prefix`, as they are now; a service may write meanwhile.
///
/// # Errors
/// When the file cannot be read.
pub fn rows(file: &Path, prefix: &str) -> rusqlite::Result<Vec<Row>> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(READ_PATIENCE)?;
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

fn open(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}
