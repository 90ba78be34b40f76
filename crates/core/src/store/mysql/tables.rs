//! The tables as MySQL and MariaDB have them: reading the catalogue, and the statements
//! that adopt a classic table.

mod adoption;
mod catalogue;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::mysql::Mysql;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{
    AsyncMigrationHarness, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio_util::task::AbortOnDropHandle;

use super::connector::Connector;
use super::unavailable;
use crate::error::{Error, Result};
use crate::store::schema::{
    Classic, ClassicRow, Expected, MYSQL, Progress, SET_ASIDE, Table, Tables, USERS,
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/mysql");

/// As the migrations' library would make it, but in the engine and the row format that
/// it needs whatever the server's defaults are.
const CREATE_RECORD: &str = "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations ( \
    version VARCHAR(50) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, \
    run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP \
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC";
const RECORD: &str = "__diesel_schema_migrations";

/// A connection that holds the migration lock.
pub(super) struct MysqlTables {
    // Nothing only while the migrations' library has it.
    connection: Option<AsyncMysqlConnection>,
    /// For a second one, which looks how far the first is.
    connector: Connector,
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
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    age: Option<i64>,
    #[diesel(sql_type = Text)]
    occupation: String,
}

impl MysqlTables {
    pub(super) fn new(connection: AsyncMysqlConnection, connector: Connector) -> MysqlTables {
        MysqlTables {
            connection: Some(connection),
            connector,
        }
    }

    /// The connection, for what comes after.
    pub(super) fn connection(&mut self) -> Result<&mut AsyncMysqlConnection> {
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

    async fn connection_id(&mut self) -> Result<i64> {
        self.number("SELECT CAST(CONNECTION_ID() AS SIGNED) AS number")
            .await
    }

    async fn has_record(&mut self) -> Result<bool> {
        let query = format!(
            "SELECT COUNT(*) AS number FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = '{RECORD}'"
        );
        Ok(self.number(&query).await? > 0)
    }
}

#[async_trait]
impl Tables for MysqlTables {
    fn expected(&self) -> &'static Expected {
        &MYSQL
    }

    fn migrations(&self) -> Vec<String> {
        versions()
    }

    async fn found(&mut self, names: &[&str]) -> Result<Vec<Table>> {
        let found = catalogue::found(self.connection()?, names).await;
        found.map_err(unavailable)
    }

    async fn dependents(&mut self) -> Result<Vec<String>> {
        let dependents = catalogue::dependents(self.connection()?).await;
        dependents.map_err(unavailable)
    }

    async fn recorded(&mut self) -> Result<HashSet<String>> {
        if !self.has_record().await? {
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
        let note = format!("INSERT IGNORE INTO {RECORD} (version) VALUES ('{migration}')");
        self.execute(&note).await
    }

    async fn forget(&mut self, migration: &str) -> Result<()> {
        let forget = format!("DELETE FROM {RECORD} WHERE version = '{migration}'");
        self.execute(&forget).await
    }

    async fn run_pending(&mut self) -> Result<usize> {
        self.execute(CREATE_RECORD).await?;
        let (connector, id) = (self.connector.clone(), self.connection_id().await?);
        // A task of its own, since the migrations block this one.
        let watch = async move {
            adoption::watch(connector, id, &Progress::of_migrations()).await;
        };
        let _watching = AbortOnDropHandle::new(tokio::spawn(watch));
        let connection = self.connection.take().ok_or(Error::Panicked)?;
        // IMPORTANT: these may take long, and are never cut off in the middle.
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
        let from = after.map(|after| format!("WHERE id > {after}"));
        let query = diesel::sql_query(format!(
            "SELECT CAST(id AS SIGNED) AS id, name, CAST(age AS SIGNED) AS age, occupation \
             FROM {USERS} {} ORDER BY {USERS}.id LIMIT {limit}",
            from.unwrap_or_default()
        ));
        let rows: Vec<Row> = query.load(self.connection()?).await.map_err(unavailable)?;
        let rows = rows.into_iter().map(|row| ClassicRow {
            id: row.id,
            name: Some(row.name.into_bytes()),
            age: row.age,
            occupation: Some(row.occupation.into_bytes()),
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
        let moved = adoption::set_aside(self.connection()?, users, ids, reason).await;
        moved.map_err(unavailable)
    }

    async fn adopt(&mut self, users: &Classic, progress: &Progress) -> Result<()> {
        let (connector, id) = (self.connector.clone(), self.connection_id().await?);
        progress.step("the server rebuilds the table");
        let watch = adoption::watch(connector, id, progress);
        let alter = adoption::alter(users);
        let alter = self.execute(&alter);
        tokio::pin!(alter);
        tokio::select! {
            done = &mut alter => done,
            () = watch => alter.await,
        }
    }
}

fn versions() -> Vec<String> {
    let migrations = diesel::migration::MigrationSource::<Mysql>::migrations(&MIGRATIONS);
    let migrations = migrations.unwrap_or_default();
    let mut versions: Vec<String> = migrations
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    versions.sort();
    versions
}
