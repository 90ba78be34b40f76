//! The state of every connection to the file before it is used.
//!
//! SQLite takes what it cannot have without an error: a file system without shared memory
//! has no write-ahead log, and a file keeps the encoding of the program that made it. So
//! what the promises rest on is set, and read back once.

use std::path::Path;

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::{Connection, in_file};
use crate::error::{Error, Result};

/// One pragma of a connection: its name, what it is set to, what it is shown as then, and why.
struct Pragma(
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static str,
);

/// In the order in which they are set: the first one is for those after it.
#[rustfmt::skip]
const PRAGMAS: &[Pragma] = &[
    Pragma("busy_timeout", Some("10000"), "10000", "a writer waits for another"),
    Pragma("locking_mode", Some("NORMAL"), "normal", "the pool's connections share the file"),
    Pragma("journal_mode", Some("WAL"), "wal", "readers do not wait for the writer"),
    Pragma("synchronous", Some("FULL"), "2", "a commit survives a power loss"),
    // Only macOS makes a difference.
    Pragma("fullfsync", Some("ON"), "1", "a commit survives a power loss"),
    Pragma("checkpoint_fullfsync", Some("ON"), "1", "a commit survives a power loss"),
    Pragma("query_only", Some("OFF"), "0", "writes are taken"),
    Pragma("ignore_check_constraints", Some("OFF"), "0", "the tables' constraints hold"),
    Pragma("encoding", None, "UTF-8", "names are in the order of their bytes"),
];

/// Brings the connection into its state, and makes sure that it is.
///
/// # Errors
/// [`Error::BadSetting`] that names the pragma, what was wanted and what was found.
pub(super) async fn begin(connection: &mut Connection, path: &Path) -> Result<()> {
    let set = PRAGMAS.iter().filter_map(|Pragma(name, set, ..)| {
        let set = (*set)?;
        Some(format!("PRAGMA {name} = {set};"))
    });
    let set: String = set.collect();
    let failed = |error| in_file(path, error);
    connection.batch_execute(&set).await.map_err(failed)?;
    let shown: Vec<Shown> = show().load(connection).await.map_err(failed)?;
    for Pragma(name, _, wanted, why) in PRAGMAS {
        let found = shown.iter().find(|shown| shown.name == *name);
        let found = found.map_or("nothing", |shown| &shown.value);
        if found != *wanted {
            let path = path.display();
            return Err(Error::BadSetting {
                key: "DATABASE_URL",
                reason: format!("{path}: {name} is {found} and has to be {wanted}, so that {why}")
                    .into(),
            });
        }
    }
    Ok(())
}

/// What SQLite shows of a pragma.
#[derive(Debug, QueryableByName)]
struct Shown {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    value: String,
}

fn show() -> diesel::query_builder::SqlQuery {
    let shown = PRAGMAS.iter().map(|Pragma(name, ..)| {
        format!("SELECT '{name}' AS name, CAST((SELECT * FROM pragma_{name}) AS TEXT) AS value")
    });
    diesel::sql_query(shown.collect::<Vec<_>>().join(" UNION ALL "))
}

#[cfg(test)]
mod tests {
    use diesel_async::AsyncConnection as _;
    use tempfile::TempDir;

    use super::*;
    use crate::store::sqlite::SqliteStore;

    fn refused(begun: Result<()>) -> String {
        match begun {
            Err(Error::BadSetting { key, reason }) => {
                assert_eq!(key, "DATABASE_URL");
                reason.to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    /// A connection to a file of the folder, by the driver's own options.
    async fn connect(folder: &TempDir, options: &str) -> Connection {
        let url = format!("file:{}/users.db?{options}", folder.path().display());
        Connection::establish(&url).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_is_set_whatever_it_was() {
        let folder = TempDir::new().unwrap();
        let mut connection = connect(&folder, "").await;
        let hostile = "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF; \
                       PRAGMA query_only = ON; PRAGMA ignore_check_constraints = ON;";
        connection.batch_execute(hostile).await.unwrap();
        begin(&mut connection, folder.path()).await.unwrap();
    }

    /// As a network's file system is.
    #[tokio::test]
    async fn a_file_without_shared_memory_is_refused() {
        let folder = TempDir::new().unwrap();
        let mut connection = connect(&folder, "vfs=unix-none").await;
        let reason = refused(begin(&mut connection, folder.path()).await);
        assert!(reason.contains("journal_mode is delete"), "{reason}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_of_another_encoding_is_refused() {
        let folder = TempDir::new().unwrap();
        let mut other = connect(&folder, "").await;
        let made = "PRAGMA encoding = 'UTF-16le'; CREATE TABLE anything (a TEXT)";
        other.batch_execute(made).await.unwrap();
        let mut connection = connect(&folder, "").await;
        let reason = refused(begin(&mut connection, folder.path()).await);
        assert!(reason.contains("encoding is UTF-16le"), "{reason}");
        let opened = SqliteStore::open(&folder.path().join("users.db")).await;
        assert!(refused(opened.map(drop)).contains("encoding is UTF-16le"));
    }
}
