//! Reading a MySQL or MariaDB database for an operator, beside services that use it.

use std::time::Duration;

use async_trait::async_trait;
use diesel::QueryResult;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl as _};
use tokio::time::Instant;

use super::connector::Connector;
use super::{Ceiling, load, unavailable};
use crate::error::{Part, Result};
use crate::model::record::Key;
use crate::process::startup;
use crate::settings::Address;
use crate::store::inspect::{NAMES, Names, NamesRow, Reader, Stored, stored};
use crate::store::row;

/// One connection.
pub struct MysqlReader {
    connection: AsyncMysqlConnection,
    patience: Duration,
}

impl MysqlReader {
    /// Connects. Creates nothing.
    ///
    /// # Errors
    /// When the database is unavailable. Each call may take as long as `patience`.
    pub async fn open(address: impl Into<Address>, patience: Duration) -> Result<MysqlReader> {
        let Address { url, tls } = address.into();
        let connector = Connector::new(&url, tls)?;
        let connecting = async { Ok(connector.connect().await?) };
        Ok(MysqlReader {
            connection: startup::until(Instant::now() + patience, Part::Database, connecting)
                .await?,
            patience,
        })
    }
}

/// What a query answers within `patience`.
async fn in_time<T>(patience: Duration, asked: impl Future<Output = QueryResult<T>>) -> Result<T> {
    let asked = async { asked.await.map_err(unavailable) };
    startup::until(Instant::now() + patience, Part::Database, asked).await
}

#[async_trait]
impl Reader for MysqlReader {
    async fn names(&mut self) -> Result<Names> {
        let query = diesel::sql_query(NAMES);
        let asked = query.get_result::<NamesRow>(&mut self.connection);
        in_time(self.patience, asked).await?.read()
    }

    async fn row(&mut self, key: &Key) -> Result<Option<Stored>> {
        let ceiling = Ceiling::default();
        let asked = load(&mut self.connection, &ceiling, key.as_str());
        let found = in_time(self.patience, asked).await?;
        found.map(|found| stored(row::read(found))).transpose()
    }
}
