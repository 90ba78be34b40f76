//! The table of a plain handler.

use cache_core::model::user::User;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Opts, Pool};
use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::server_url::ServerUrl;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS plain_users (id BIGINT PRIMARY KEY AUTO_INCREMENT, \
    name VARCHAR(255) COLLATE utf8mb4_bin, age TINYINT UNSIGNED, occupation VARCHAR(255), version BIGINT UNSIGNED, \
    deleted_at DATETIME, KEY names (name))";
const VIEW: &str = "CREATE OR REPLACE VIEW users AS SELECT * FROM plain_users \
    WHERE id IN (SELECT MAX(id) FROM plain_users GROUP BY name)";

/// A row for each write. `users` is a view of the newest ones.
#[derive(Debug)]
pub(crate) struct PlainTable {
    pool: Pool,
    made: OnceCell<()>,
}

impl PlainTable {
    pub(crate) fn of(url: &ServerUrl) -> Result<PlainTable> {
        let options = Opts::from_url(url.expose()).map_err(|why| Error::failed(url, why))?;
        Ok(PlainTable {
            pool: Pool::new(options),
            made: OnceCell::new(),
        })
    }

    async fn connection(&self) -> mysql_async::Result<mysql_async::Conn> {
        let mut connection = self.pool.get_conn().await?;
        let make = async || {
            connection.query_drop(TABLE).await?;
            connection.query_drop(VIEW).await
        };
        self.made.get_or_try_init(make).await?;
        Ok(connection)
    }

    pub(crate) async fn insert(&self, user: User, version: u64) -> Result<()> {
        let insert = "INSERT INTO plain_users (name, age, occupation, version) VALUES (?, ?, ?, ?)";
        let row = (user.name, user.age, user.occupation, version);
        let inserted = async { self.connection().await?.exec_drop(insert, row).await };
        inserted.await.map_err(failed)
    }

    pub(crate) async fn remove(&self, name: String) -> Result<()> {
        let remove = "DELETE FROM plain_users WHERE name = ?";
        let removed = async { self.connection().await?.exec_drop(remove, (name,)).await };
        removed.await.map_err(failed)
    }

    pub(crate) async fn newest(&self, name: String) -> Result<Option<(User, u64)>> {
        let select = "SELECT name, age, occupation, version FROM plain_users WHERE name = ? ORDER BY id DESC LIMIT 1";
        let found = async { self.connection().await?.exec_first(select, (name,)).await };
        let found: Option<(String, u8, String, u64)> = found.await.map_err(failed)?;
        Ok(found.map(|(name, age, occupation, version)| {
            let user = User {
                name,
                age,
                occupation,
            };
            (user, version)
        }))
    }
}

fn failed(why: mysql_async::Error) -> Error {
    Error::failed("a plain handler's table", why)
}
