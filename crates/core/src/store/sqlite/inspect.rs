//! Reading a SQLite file for an operator. Nothing beside the file is made or changed.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
use tempfile::TempDir;

use super::files::{LOCK_END, beside};
use super::sql::load;
use super::{Connection, in_file, unavailable};
use crate::error::Result;
use crate::model::record::Key;
use crate::process::locked_file::is_locked;
use crate::store::ceiling::Ceiling;
use crate::store::inspect::{NAMES, Names, NamesRow, Reader, Stored, stored};
use crate::store::row;

/// What SQLite appends to the name of a file for its write-ahead log.
const LOG_END: &str = "-wal";

/// An open file, or an open copy.
pub struct SqliteReader {
    connection: Connection,
    _copy: Option<TempDir>,
}

impl SqliteReader {
    /// Whether a process has the database open.
    pub fn is_in_use(path: &Path) -> bool {
        is_locked(&beside(path, LOCK_END))
    }

    /// Opens the file. A service that was killed leaves its last writes in a log beside it; then both are
    /// copied to a temporary folder, since SQLite would change them.
    ///
    /// # Errors
    /// When the file is missing or cannot be read.
    pub async fn open(path: &Path) -> Result<SqliteReader> {
        let path = path.canonicalize().map_err(|error| in_file(path, error))?;
        let log = beside(&path, LOG_END);
        let has_log = fs::metadata(&log).is_ok_and(|log| log.len() > 0);
        let copy = match has_log {
            true => Some(copied(&path, &log).map_err(|error| in_file(&path, error))?),
            false => None,
        };
        let url = match &copy {
            Some(copy) => copy_of(copy).display().to_string(),
            None => format!("file:{}?mode=ro&immutable=1", in_url(&path)),
        };
        let connection = Connection::establish(&url).await;
        Ok(SqliteReader {
            connection: connection.map_err(|error| in_file(&path, error))?,
            _copy: copy,
        })
    }
}

fn copied(path: &Path, log: &Path) -> std::io::Result<TempDir> {
    let folder = TempDir::new()?;
    let copy = copy_of(&folder);
    fs::copy(path, &copy)?;
    fs::copy(log, beside(&copy, LOG_END))?;
    Ok(folder)
}

fn copy_of(folder: &TempDir) -> PathBuf {
    folder.path().join("copy.db")
}

/// The path as a URL has it.
fn in_url(path: &Path) -> String {
    let text = path.display().to_string();
    text.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

#[async_trait]
impl Reader for SqliteReader {
    async fn names(&mut self) -> Result<Names> {
        let query = diesel::sql_query(NAMES);
        let row: NamesRow = query
            .get_result(&mut self.connection)
            .await
            .map_err(unavailable)?;
        row.read()
    }

    async fn row(&mut self, key: &Key) -> Result<Option<Stored>> {
        let found = load(&mut self.connection, &Ceiling::default(), key.as_str()).await;
        let found = found.map_err(unavailable)?;
        found.map(|found| stored(row::read(found))).transpose()
    }
}
