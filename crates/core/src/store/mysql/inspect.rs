//! Reading a MySQL or MariaDB database for an operator, beside services that use it.

use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl as _};
use tokio::time::Instant;

use super::connector::Connector;
use super::sql::load;
use super::unavailable;
use crate::error::{Part, Result};
use crate::model::record::Key;
use crate::process::startup;
use crate::settings::Address;
use crate::store::ceiling::Ceiling;
use crate::store::inspect::{NAMES, Names, NamesRow, Reader, Stored, stored};
use crate::store::row;

/// One connection.
pub struct MysqlReader {
    connection: AsyncMysqlConnection,
    wait_timeout: Duration,
}

impl MysqlReader {
    /// Connects. Creates nothing.
    ///
    /// # Errors
    /// When the database is unavailable. Each call may take as long as `wait_timeout`.
    pub async fn open(address: impl Into<Address>, wait_timeout: Duration) -> Result<MysqlReader> {
        let Address { url, tls } = address.into();
        let connector = Connector::new(&url, tls)?;
        let connecting = async { Ok(connector.connect().await?) };
        Ok(MysqlReader {
            connection: startup::until(Instant::now() + wait_timeout, Part::Database, connecting)
                .await?,
            wait_timeout,
        })
    }
}

/// What a query answers within `wait_timeout`.
async fn in_time<T>(
    wait_timeout: Duration,
    asked: impl Future<Output = QueryResult<T>>,
) -> Result<T> {
    let asked = async { asked.await.map_err(unavailable) };
    startup::until(Instant::now() + wait_timeout, Part::Database, asked).await
}

#[async_trait]
impl Reader for MysqlReader {
    async fn names(&mut self) -> Result<Names> {
        let query = diesel::sql_query(NAMES);
        let asked = query.get_result::<NamesRow>(&mut self.connection);
        in_time(self.wait_timeout, asked).await?.read()
    }

    async fn row(&mut self, key: &Key) -> Result<Option<Stored>> {
        let ceiling = Ceiling::default();
        let asked = load(&mut self.connection, &ceiling, key.as_str());
        let found = in_time(self.wait_timeout, asked).await?;
        found.map(|found| stored(row::read(found))).transpose()
    }
}
