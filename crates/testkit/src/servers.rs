//! The Redis and MySQL or MariaDB servers that scripts/test starts, and a database of its own on them
//! for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, process, thread};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// The server's error for a connection that is not there (any more).
const NO_SUCH_THREAD: u16 = 1094;

/// The URL of the tests' Redis, `redis://host:port`.
///
/// # Panics
///
/// When there is none, so that no test is skipped in silence.
pub fn redis_url() -> String {
    url_of_server("TEST_REDIS_URL")
}

/// The URL of the tests' MySQL or MariaDB, `mysql://user:password@host:port`, with no database in it, and
/// maybe with the driver's options behind a `?`.
///
/// # Panics
///
/// When there is none, so that no test is skipped in silence.
pub fn mysql_url() -> String {
    url_of_server("TEST_MYSQL_URL")
}

/// The value of the variable that names a server.
pub(crate) fn url_of_server(variable: &str) -> String {
    match env::var(variable) {
        Ok(url) if !url.is_empty() => url,
        _ => panic!(
            "{variable} is not set: scripts/test starts servers, for the tests that are marked by \
             `ignore = \"needs servers\"`"
        ),
    }
}

/// An empty database with a name of its own, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    server_url: String,
    name: String,
}

impl TestDatabase {
    /// Creates the database, with the server's own defaults for character set and collation.
    pub fn create() -> Self {
        Self::create_on(&mysql_url())
    }

    /// The same on another server, `mysql://user:password@host:port`, maybe with options behind a `?`.
    pub fn create_on(server_url: &str) -> Self {
        let database = TestDatabase {
            server_url: server_url.to_owned(),
            name: unique_name(),
        };
        query(
            &database.server_url,
            &format!("CREATE DATABASE `{}`", database.name),
        )
        .unwrap_or_else(|error| panic!("creating database {}: {error}", database.name));
        database
    }

    /// The database's name, which no other test has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `mysql://user:password@host:port/name`, with the options of the server's URL.
    pub fn url(&self) -> String {
        with_database(&self.server_url, &self.name)
    }

    /// The ids of the connections to this database whose transactions wait for a row. After a look at its
    /// list of transactions, the server brings the list up to date only once a tenth of a second has passed
    /// without another one.
    pub fn connections_that_wait(&self) -> Vec<String> {
        let waiting = self.query_rows(
            "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx \
             WHERE trx_state = 'LOCK WAIT'",
        );
        let waiting = waiting.concat();
        let mut connections = self.connections();
        connections.retain(|id| waiting.contains(id));
        connections
    }

    /// The ids of the connections to this database, but for the one that asks. (Not by
    /// `information_schema.processlist`: MySQL fails to read it while any connection's statement has a
    /// character of four bytes.)
    pub fn connections(&self) -> Vec<String> {
        const ASK: &str = "SHOW PROCESSLIST";
        let (id, database, statement) = (0, 3, 7);
        let mut rows = self.query_rows(ASK);
        rows.retain(|row| row[database] == self.name && row[statement] != ASK);
        rows.into_iter()
            .map(|mut row| row.swap_remove(id))
            .collect()
    }

    /// Ends a connection. One that has gone by itself is fine.
    pub fn kill(&self, connection: &str) {
        match query(&self.url(), &format!("KILL {connection}")) {
            Err(mysql_async::Error::Server(error)) if error.code == NO_SUCH_THREAD => {}
            killed => drop(killed.unwrap_or_else(|error| panic!("KILL {connection}: {error}"))),
        }
    }

    /// The rows that a statement in this database returns, each column as text: `NULL` for null,
    /// `0x…` for bytes that are not UTF-8. Statements that return no rows are fine too.
    ///
    /// # Panics
    ///
    /// When the statement fails.
    pub fn query_rows(&self, sql: &str) -> Vec<Vec<String>> {
        query(&self.url(), sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let dropped = query(
            &self.server_url,
            &format!("DROP DATABASE IF EXISTS `{}`", self.name),
        );
        if let Err(error) = dropped {
            // No panic: one that unwinds already would abort, and hide what went wrong.
            eprintln!("database {} was not dropped: {error}", self.name);
        }
    }
}

fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since_epoch_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_millis();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test_{since_epoch_ms}_{}_{number}", process::id())
}

/// Puts the database's name into the URL, in place of one that is there, before a `?`.
fn with_database(server_url: &str, name: &str) -> String {
    let (address, options) = match server_url.split_once('?') {
        Some((address, options)) => (address, format!("?{options}")),
        None => (server_url, String::new()),
    };
    let host_start = address.find("://").map_or(0, |colon| colon + 3);
    let host_end = address[host_start..]
        .find('/')
        .map_or(address.len(), |slash| host_start + slash);
    format!("{}/{name}{options}", &address[..host_end])
}

/// The URL of a database by which the driver stays with its host and port. On the server's own machine it
/// would go on to the server's socket in the file system, past a proxy and with two connections at a time.
pub fn without_socket(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}prefer_socket=false")
}

/// Runs one statement on a connection of its own. It has a thread too, since a test may call this from
/// a runtime, which refuses to block.
pub(crate) fn query(url: &str, sql: &str) -> mysql_async::Result<Vec<Vec<String>>> {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let mut connection = Conn::from_url(url).await?;
                    let rows: Vec<Row> = connection.query(sql).await?;
                    connection.disconnect().await?;
                    Ok(rows.into_iter().map(row_as_text).collect())
                })
            })
            .join()
            .expect("the query's thread")
    })
}

fn row_as_text(row: Row) -> Vec<String> {
    row.unwrap().into_iter().map(value_as_text).collect()
}

fn value_as_text(value: Value) -> String {
    match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8(bytes).unwrap_or_else(|error| {
            let hex = error.as_bytes().iter().map(|byte| format!("{byte:02x}"));
            format!("0x{}", hex.collect::<String>())
        }),
        // The text protocol sends everything else as text too.
        other => other.as_sql(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_databases_name_goes_before_the_options_and_in_place_of_another() {
        for (server_url, expected) in [
            ("mysql://r:p@h:1", "mysql://r:p@h:1/new"),
            ("mysql://r:p@h:1/", "mysql://r:p@h:1/new"),
            ("mysql://r:p@h:1/old", "mysql://r:p@h:1/new"),
            ("mysql://h?a=/b", "mysql://h/new?a=/b"),
            ("mysql://h/old?a=b", "mysql://h/new?a=b"),
        ] {
            assert_eq!(with_database(server_url, "new"), expected);
        }
    }

    #[test]
    #[ignore = "needs servers"]
    fn a_test_database_keeps_rows_and_is_gone_afterwards() {
        let database = TestDatabase::create();
        database.query_rows("CREATE TABLE t (a INT, b VARBINARY(9), c TEXT CHARACTER SET utf8mb4)");
        database.query_rows("INSERT INTO t VALUES (1, x'ff00', '😀'), (NULL, 'é', NULL)");
        assert_eq!(
            database.query_rows("SELECT * FROM t ORDER BY a DESC"),
            [["1", "0xff00", "😀"], ["NULL", "é", "NULL"]]
        );

        let other = TestDatabase::create();
        assert_ne!(other.name(), database.name());
        let name = database.name().to_owned();
        drop(database);
        let left = other.query_rows(&format!("SHOW DATABASES LIKE '{name}'"));
        assert_eq!(left, Vec::<Vec<String>>::new());
    }

    #[tokio::test]
    #[ignore = "needs servers"]
    async fn a_test_database_can_be_used_from_a_runtime() {
        let database = TestDatabase::create();
        assert_eq!(
            database.query_rows("SELECT DATABASE()"),
            [[database.name()]]
        );
    }
}
