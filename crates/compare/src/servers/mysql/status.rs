//! What a server counts.

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::{Failure, connect, within};
use crate::error::{Error, Result};
use crate::server_url::ServerUrl;

/// Of a server's counters, those that say the same of MySQL and of MariaDB. What is not among
/// them: `Innodb_rows_inserted`, which MariaDB no longer has; `Handler_write`, which also counts
/// rows that turned out to be there already; and `Handler_commit`, which also counts statements
/// that only read.
const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('Questions', 'Com_insert', 'Com_update', 'Com_delete', 'Com_replace', 'Handler_update')";
const WRITES: [&str; 4] = ["Com_insert", "Com_update", "Com_delete", "Com_replace"];

/// No row is ever removed: a deleted record stays as a tombstone.
const COUNT_ROWS: &str = "SELECT COUNT(*) FROM users";

/// What a server has done, for all its clients together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements of clients, reads among them.
    pub statements: u64,
    /// Rows inserted into this database's table, and rows updated anywhere. One that is written
    /// again as it was is not counted.
    pub rows: u64,
    /// Statements that write: with these services each is a transaction of its own. (A write
    /// with a condition is one of several statements, and its transaction counts as one where it
    /// wrote by one.)
    pub commits: u64,
}

impl Counts {
    /// What was done since `before`.
    #[must_use]
    pub fn since(self, before: Counts) -> Counts {
        Counts {
            statements: self.statements.saturating_sub(before.statements),
            rows: self.rows.saturating_sub(before.rows),
            commits: self.commits.saturating_sub(before.commits),
        }
    }
}

/// A connection that asks a server for its counts, and leaves out what it asks itself.
#[derive(Debug)]
pub struct StatusReader(Conn);

impl StatusReader {
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(database: &ServerUrl) -> Result<StatusReader> {
        let connected = within(connect(database)).await;
        connected.map(StatusReader).map_err(failed)
    }

    /// The counts at the beginning of what is to be counted.
    ///
    /// # Errors
    /// When the server does not answer as it should.
    pub async fn begin(&mut self) -> Result<Counts> {
        let rows = within(rows(&mut self.0)).await.map_err(failed)?;
        let status = within(status(&mut self.0)).await.map_err(failed)?;
        counts(&status, rows).ok_or_else(unknown)
    }

    /// The counts at its end.
    ///
    /// # Errors
    /// When the server does not answer as it should.
    pub async fn end(&mut self) -> Result<Counts> {
        let status = within(status(&mut self.0)).await.map_err(failed)?;
        let rows = within(rows(&mut self.0)).await.map_err(failed)?;
        let mut counts = counts(&status, rows).ok_or_else(unknown)?;
        // The question itself: the server counts it before it answers.
        counts.statements = counts.statements.saturating_sub(1);
        Ok(counts)
    }
}

async fn status(connection: &mut Conn) -> mysql_async::Result<HashMap<String, String>> {
    let lines: Vec<(String, String)> = connection.query(STATUS).await?;
    Ok(lines.into_iter().collect())
}

async fn rows(connection: &mut Conn) -> mysql_async::Result<u64> {
    Ok(connection.query_first(COUNT_ROWS).await?.unwrap_or(0))
}

/// `None` if the server does not have all of them.
fn counts(status: &HashMap<String, String>, rows: u64) -> Option<Counts> {
    let count = |name: &str| status.get(name)?.parse::<u64>().ok();
    Some(Counts {
        statements: count("Questions")?,
        rows: rows + count("Handler_update")?,
        commits: WRITES.into_iter().map(count).sum::<Option<u64>>()?,
    })
}

fn failed(why: Failure) -> Error {
    Error::failed("asking the database server for its counts", why)
}

fn unknown() -> Error {
    Error::Failed("the database server does not count what it is asked".to_owned())
}
