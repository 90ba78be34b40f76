//! Where a MySQL or MariaDB database is, and what it keeps of its binding.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl as _};

use super::MysqlStore;
use super::sql::binding::{
    begin_epoch_after, binding_row, exchange, identity, note_cache, note_newest, renew_identity,
};
use crate::binding::{BindingStore, Bound, Place};
use crate::error::Result;
use crate::model::version::Version;
use crate::store::transaction::Tried;

/// MariaDB has no `server_uuid`; it passes over the comment. The time at which the table was
/// made is the one of its file in MariaDB, so a file that was copied is another one.
const PLACE: &str = "SELECT DATABASE() AS `database`, @@hostname AS host, \
    CAST(@@port AS SIGNED) AS port, @@datadir AS folder, \
    CONCAT('' /*!80000 , @@server_uuid */) AS server, \
    (SELECT CAST(UNIX_TIMESTAMP(create_time) AS SIGNED) FROM information_schema.tables \
     WHERE table_schema = DATABASE() AND table_name = 'users_identity') AS created";

#[derive(Debug, QueryableByName)]
struct PlaceRow {
    #[diesel(sql_type = Text)]
    database: String,
    #[diesel(sql_type = Text)]
    host: String,
    #[diesel(sql_type = BigInt)]
    port: i64,
    #[diesel(sql_type = Text)]
    folder: String,
    #[diesel(sql_type = Text)]
    server: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    created: Option<i64>,
}

impl From<PlaceRow> for Place {
    fn from(row: PlaceRow) -> Place {
        Place::Mysql {
            database: row.database,
            host: format!("{}:{}", row.host, row.port),
            folder: row.folder,
            server: row.server,
            created: row
                .created
                .map(|created| created.to_string())
                .unwrap_or_default(),
        }
    }
}

async fn bound(connection: &mut AsyncMysqlConnection) -> Tried<Bound> {
    let identity = identity(connection).await?;
    let (token, previous, newest, served_by, shards) = binding_row(connection).await?;
    let place: PlaceRow = diesel::sql_query(PLACE).get_result(connection).await?;
    Ok(Bound {
        identity,
        token,
        previous,
        place: place.into(),
        newest: Version::from_i64(newest).unwrap_or_default(),
        served_by,
        shards: u16::try_from(shards).unwrap_or_default(),
    })
}

#[async_trait]
impl BindingStore for MysqlStore {
    async fn bound(&self) -> Result<Bound> {
        self.run(|connection| Box::pin(bound(connection))).await
    }

    async fn exchange(&self, from: &str, to: &str) -> Result<bool> {
        let (from, to): (Arc<str>, Arc<str>) = (from.into(), to.into());
        self.run(move |connection| {
            let (from, to) = (from.clone(), to.clone());
            Box::pin(async move { exchange(connection, &from, &to).await })
        })
        .await
    }

    async fn note_cache(&self, from: &str, to: &str) -> Result<bool> {
        let (from, to): (Arc<str>, Arc<str>) = (from.into(), to.into());
        self.run(move |connection| {
            let (from, to) = (from.clone(), to.clone());
            Box::pin(async move { note_cache(connection, &from, &to).await })
        })
        .await
    }

    async fn note_newest(&self, newest: Version) -> Result<()> {
        self.run(move |connection| Box::pin(note_newest(connection, newest.to_i64())))
            .await
    }

    async fn renew_identity(&self) -> Result<()> {
        self.run(|connection| Box::pin(renew_identity(connection)))
            .await
    }

    async fn begin_epoch_after(&self, epoch: u64) -> Result<()> {
        self.run(move |connection| Box::pin(begin_epoch_after(connection, epoch as i64)))
            .await
    }
}
