//! A database on the tests' server.

use std::sync::Arc;
use std::time::Duration;

use cache_core::error::Result;
use cache_core::settings::{DatabaseUrl, Secret};
use cache_core::store::Store;
use cache_core::store::mysql::MysqlStore;
use testkit::servers::TestDatabase;
use tokio::time::Instant;

use crate::{Database, Kind};

const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Mysql {
    pub(crate) database: TestDatabase,
}

impl Mysql {
    pub(crate) fn new() -> Mysql {
        Mysql {
            database: TestDatabase::create(),
        }
    }
}

pub(crate) fn secret(url: &str) -> Secret {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Mysql(secret) => secret,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn start_at(url: &str) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(MysqlStore::open(secret(url), 4, TIMEOUT).await?))
}

impl Database for Mysql {
    async fn start(&self) -> Result<Arc<dyn Store>> {
        start_at(&self.database.url()).await
    }

    async fn migrate(&self, kind: Kind) -> Result<Vec<String>> {
        let by = Instant::now() + TIMEOUT;
        let address = secret(&self.database.url());
        MysqlStore::migrate_by(by, address, TIMEOUT, kind.adoption()).await
    }

    fn execute(&self, sql: &str) {
        let sql = sql.replace(
            "INTEGER PRIMARY KEY AUTOINCREMENT",
            "INT AUTO_INCREMENT PRIMARY KEY",
        );
        for statement in sql
            .split(';')
            .filter(|statement| !statement.trim().is_empty())
        {
            self.database.query_rows(statement);
        }
    }

    fn rows(&self, query: &str) -> Vec<Vec<String>> {
        self.database.query_rows(query)
    }

    fn drop_index_of_users(&self, index: &str) {
        self.execute(&format!("ALTER TABLE users DROP INDEX {index}"));
    }

    fn everything(&self) -> Vec<Vec<String>> {
        let mut everything = Vec::new();
        for table in self.rows("SHOW TABLES").concat() {
            everything.extend(self.rows(&format!("SHOW CREATE TABLE `{table}`")));
            everything.extend(self.rows(&format!("SELECT * FROM `{table}` ORDER BY 1")));
        }
        everything
    }
}
