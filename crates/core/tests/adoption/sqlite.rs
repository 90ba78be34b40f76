//! A SQLite file.

use std::path::PathBuf;
use std::sync::Arc;

use cache_core::error::Result;
use cache_core::store::Store;
use cache_core::store::sqlite::SqliteStore;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use tempfile::TempDir;

use crate::{Database, Kind};

pub(crate) struct Sqlite {
    folder: TempDir,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

impl Sqlite {
    pub(crate) fn new() -> Sqlite {
        Sqlite {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("users.db")
    }

    fn connect(&self) -> SqliteConnection {
        SqliteConnection::establish(self.path().to_str().unwrap()).unwrap()
    }
}

impl Database for Sqlite {
    async fn start(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(SqliteStore::open(&self.path()).await?))
    }

    async fn migrate(&self, kind: Kind) -> Result<Vec<String>> {
        SqliteStore::migrate(&self.path(), kind.adoption()).await
    }

    fn execute(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap();
    }

    /// Only queries of one list of columns, which are put together as text.
    fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let (columns, rest) = query
            .strip_prefix("SELECT ")
            .unwrap()
            .split_once(" FROM ")
            .unwrap();
        let columns = columns.replace(", ", " || '|' || ");
        let query = format!("SELECT {columns} || '' AS line FROM {rest}");
        let lines: Vec<Line> = diesel::sql_query(query).load(&mut self.connect()).unwrap();
        let split = |line: Line| line.line.split('|').map(str::to_owned).collect();
        lines.into_iter().map(split).collect()
    }

    fn drop_index_of_users(&self, index: &str) {
        self.execute(&format!("DROP INDEX {index}"));
    }

    fn everything(&self) -> Vec<Vec<String>> {
        let mut connection = self.connect();
        let mut lines = |query: &str| -> Vec<String> {
            let lines: Vec<Line> = diesel::sql_query(query).load(&mut connection).unwrap();
            lines.into_iter().map(|line| line.line).collect()
        };
        let mut everything = vec![lines("SELECT coalesce(sql, '') AS line FROM sqlite_master")];
        for table in lines("SELECT name AS line FROM sqlite_master WHERE type = 'table'") {
            let columns =
                format!("SELECT 'quote(' || name || ')' AS line FROM pragma_table_info('{table}')");
            let columns = lines(&columns).join(" || ',' || ");
            everything.push(lines(&format!(
                "SELECT {columns} AS line FROM {table} ORDER BY 1"
            )));
        }
        everything
    }
}
