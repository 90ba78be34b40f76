//! The tables as SQLite has them: reading the schema, and the statements that adopt a
//! classic table.

mod adoption;
mod catalogue;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Connection;
use crate::error::{Error, Part, Result};
use crate::store::schema::{
    Classic, ClassicRow, Expected, Progress, SET_ASIDE, SQLITE, Table, Tables, USERS,
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// As the migrations' library makes it.
const CREATE_RECORD: &str = diesel::migration::CREATE_MIGRATIONS_TABLE;
const RECORD: &str = "__diesel_schema_migrations";

/// The file's only connection: the caller holds the lock on the file.
pub(super) struct SqliteTables {
    // Nothing only while the migrations' library has it.
    connection: Option<Connection>,
}

#[derive(Debug, QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(Debug, QueryableByName)]
struct Recorded {
    #[diesel(sql_type = Text)]
    version: String,
}

#[derive(Debug, QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<Binary>)]
    name: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    age: Option<i64>,
    #[diesel(sql_type = Nullable<Binary>)]
    occupation: Option<Vec<u8>>,
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Database, error)
}

impl SqliteTables {
    pub(super) fn new(connection: Connection) -> SqliteTables {
        SqliteTables {
            connection: Some(connection),
        }
    }

    /// The connection, for what comes after.
    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or(Error::Panicked)
    }

    async fn execute(&mut self, statement: &str) -> Result<()> {
        let executed = self.connection()?.batch_execute(statement).await;
        executed.map_err(unavailable)
    }

    async fn number(&mut self, query: &str) -> Result<i64> {
        let query = diesel::sql_query(query);
        let row: Number = query
            .get_result(self.connection()?)
            .await
            .map_err(unavailable)?;
        Ok(row.number)
    }

    /// Does `statements` in one transaction.
    async fn at_once(&mut self, statements: &str) -> Result<()> {
        let done = self
            .execute(&format!("BEGIN IMMEDIATE; {statements}; COMMIT"))
            .await;
        if done.is_err() {
            // Fails where the transaction has not begun, or has ended by the error.
            let _ = self.execute("ROLLBACK").await;
        }
        done
    }
}

#[async_trait]
impl Tables for SqliteTables {
    fn expected(&self) -> &'static Expected {
        &SQLITE
    }

    fn migrations(&self) -> Vec<String> {
        let migrations = diesel::migration::MigrationSource::<Sqlite>::migrations(&MIGRATIONS);
        let migrations = migrations.unwrap_or_default();
        let mut versions: Vec<String> = migrations
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect();
        versions.sort();
        versions
    }

    async fn found(&mut self, names: &[&str]) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        for name in names {
            let found = catalogue::found(self.connection()?, name).await;
            tables.extend(found.map_err(unavailable)?);
        }
        Ok(tables)
    }

    async fn dependents(&mut self) -> Result<Vec<String>> {
        let dependents = catalogue::dependents(self.connection()?).await;
        dependents.map_err(unavailable)
    }

    async fn recorded(&mut self) -> Result<HashSet<String>> {
        let exists =
            format!("SELECT COUNT(*) AS number FROM sqlite_master WHERE name = '{RECORD}'");
        if self.number(&exists).await? == 0 {
            return Ok(HashSet::new());
        }
        let query = diesel::sql_query(format!("SELECT version FROM {RECORD}"));
        let rows: Vec<Recorded> = query.load(self.connection()?).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(|row| row.version).collect())
    }

    async fn has_row(&mut self, table: &str) -> Result<bool> {
        let query = format!("SELECT COUNT(*) AS number FROM {table} WHERE id = 1");
        Ok(self.number(&query).await? > 0)
    }

    async fn note(&mut self, migration: &str) -> Result<()> {
        self.execute(CREATE_RECORD).await?;
        let note = format!("INSERT OR IGNORE INTO {RECORD} (version) VALUES ('{migration}')");
        self.execute(&note).await
    }

    async fn forget(&mut self, migration: &str) -> Result<()> {
        let forget = format!("DELETE FROM {RECORD} WHERE version = '{migration}'");
        self.execute(&forget).await
    }

    async fn run_pending(&mut self) -> Result<usize> {
        let connection = self.connection.take().ok_or(Error::Panicked)?;
        let mut harness = AsyncMigrationHarness::new(connection);
        let applied = harness.run_pending_migrations(MIGRATIONS);
        let applied = applied.map(|applied| applied.len()).map_err(unavailable);
        self.connection = Some(harness.into_inner());
        applied
    }

    async fn count(&mut self) -> Result<u64> {
        let query = format!("SELECT COUNT(*) AS number FROM {USERS}");
        let rows = self.number(&query).await?;
        Ok(rows.unsigned_abs())
    }

    async fn rows_after(&mut self, after: Option<i64>, limit: u32) -> Result<Vec<ClassicRow>> {
        // SQLite keeps in a column what it was given, whatever the column's type.
        let text = |column| {
            format!("CASE typeof({column}) WHEN 'text' THEN CAST({column} AS BLOB) END AS {column}")
        };
        let from = after.map(|after| format!("WHERE id > {after}"));
        let query = diesel::sql_query(format!(
            "SELECT id, {}, {}, CASE typeof(age) WHEN 'integer' THEN age END AS age \
             FROM {USERS} {} ORDER BY id LIMIT {limit}",
            text("name"),
            text("occupation"),
            from.unwrap_or_default()
        ));
        let rows: Vec<Row> = query.load(self.connection()?).await.map_err(unavailable)?;
        let rows = rows.into_iter().map(|row| ClassicRow {
            id: row.id,
            name: row.name,
            age: row.age,
            occupation: row.occupation,
        });
        Ok(rows.collect())
    }

    async fn create_set_aside(&mut self, users: &Table) -> Result<()> {
        self.execute(&adoption::create_set_aside(users)).await
    }

    async fn set_aside_already(&mut self) -> Result<u64> {
        let query = format!("SELECT COUNT(*) AS number FROM {SET_ASIDE} JOIN {USERS} USING (id)");
        let rows = self.number(&query).await?;
        Ok(rows.unsigned_abs())
    }

    async fn set_aside(&mut self, users: &Table, ids: &[i64], reason: &str) -> Result<()> {
        self.at_once(&adoption::set_aside(users, ids, reason)).await
    }

    async fn adopt(&mut self, users: &Classic, progress: &Progress) -> Result<()> {
        progress.step("the table is rebuilt");
        // What refers to the table by its name goes on to do so.
        self.execute("PRAGMA legacy_alter_table = ON").await?;
        let set_aside = !self.found(&[SET_ASIDE]).await?.is_empty();
        let adopted = self.at_once(&adoption::adopt(users, set_aside)).await;
        self.execute("PRAGMA legacy_alter_table = OFF").await?;
        adopted
    }
}
