//! The statements that adopt a classic table.

use std::fmt::Write as _;

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{QueryResult, QueryableByName};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

use super::super::connector::Connector;
use crate::store::schema::{Classic, Column, Progress, SET_ASIDE, Table, USERS};
use crate::timing;

/// One statement, which the server does as a whole or not at all. What it makes has the
/// columns of the first migration, and the keys that later ones give it.
pub(super) fn alter(users: &Classic) -> String {
    let mut alter = format!("ALTER TABLE {USERS} ");
    for key in users.keys_to_replace() {
        let _ = write!(alter, "DROP INDEX {}, ", quoted(&key.name));
    }
    alter.push_str(
        "MODIFY COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, \
         MODIFY COLUMN name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, \
         MODIFY COLUMN age SMALLINT NULL, \
         MODIFY COLUMN occupation VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, \
         ADD COLUMN version BIGINT NOT NULL DEFAULT 0, \
         ADD COLUMN deleted_at DATETIME(6) NULL, \
         DROP PRIMARY KEY, ADD PRIMARY KEY (name), \
         ADD UNIQUE KEY users_id (id), \
         ADD KEY users_tombstones (deleted_at), \
         ADD CONSTRAINT users_live_is_whole \
         CHECK (deleted_at IS NOT NULL OR (age IS NOT NULL AND occupation IS NOT NULL)), \
         ROW_FORMAT = DYNAMIC",
    );
    alter
}

/// The columns of `users` as they are, and `reason`. No other key than the id: the same
/// name may come more than once.
pub(super) fn create_set_aside(users: &Table) -> String {
    let columns: Vec<String> = users.columns.iter().map(definition).collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {SET_ASIDE} ({}, \
         reason VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (id)) \
         ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
        columns.join(", ")
    )
}

fn definition(column: &Column) -> String {
    let mut definition = format!("{} {}", quoted(&column.name), column.declared);
    if let Some(charset) = &column.charset {
        let _ = write!(definition, " CHARACTER SET {charset}");
    }
    if let Some(collation) = &column.collation {
        let _ = write!(definition, " COLLATE {collation}");
    }
    definition.push_str(if column.nullable {
        " NULL"
    } else {
        " NOT NULL"
    });
    definition
}

/// Moves rows in one transaction. A row that another program changes meanwhile waits,
/// and one that it has deleted is not there to be moved.
pub(super) async fn set_aside(
    connection: &mut AsyncMysqlConnection,
    users: &Table,
    ids: &[i64],
    reason: &str,
) -> QueryResult<()> {
    let columns = users.columns.iter().map(|column| quoted(&column.name));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    let ids = ids.join(", ");
    connection.batch_execute("START TRANSACTION").await?;
    // A connection that fails here is given up, and its transaction with it.
    diesel::sql_query(format!(
        "INSERT INTO {SET_ASIDE} ({columns}, reason) SELECT {columns}, ? FROM {USERS} \
         WHERE id IN ({ids}) FOR UPDATE"
    ))
    .bind::<Text, _>(reason)
    .execute(connection)
    .await?;
    let delete = format!("DELETE FROM {USERS} WHERE id IN ({ids})");
    connection.batch_execute(&delete).await?;
    connection.batch_execute("COMMIT").await
}

#[derive(Debug, QueryableByName)]
struct Work {
    #[diesel(sql_type = Nullable<Text>)]
    state: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    percent: Option<i64>,
    #[diesel(sql_type = BigInt)]
    seconds: i64,
}

/// Logs how far the statement of a connection is, until it is dropped. MariaDB shows
/// the share of its stage, MySQL only the time.
pub(super) async fn watch(connector: Connector, id: i64, progress: &Progress) {
    if !progress.speaks() {
        return;
    }
    tokio::time::sleep(timing::ADOPTION_PROGRESS_INTERVAL).await;
    let Ok(mut connection) = connector.connect().await else {
        return;
    };
    let by = |percent: &str| {
        format!(
            "SELECT CONVERT(state USING utf8mb4) AS state, {percent} AS percent, \
             CAST(time AS SIGNED) AS seconds FROM information_schema.processlist WHERE id = {id}"
        )
    };
    let mut query = by("CAST(progress AS SIGNED)");
    loop {
        let work: QueryResult<Work> = diesel::sql_query(&query).get_result(&mut connection).await;
        match work {
            Ok(work) => {
                let percent = work.percent.filter(|percent| *percent > 0);
                let percent = percent.map(|percent| format!(", {percent} % of it"));
                let state = work.state.filter(|state| !state.is_empty());
                progress.step(&format!(
                    "{}{}, for {} s",
                    state.as_deref().unwrap_or("the server is at work"),
                    percent.unwrap_or_default(),
                    work.seconds
                ));
            }
            // There is no such column.
            Err(_) if query.contains("progress") => {
                query = by("NULL");
                continue;
            }
            Err(_) => return,
        }
        tokio::time::sleep(timing::ADOPTION_PROGRESS_INTERVAL).await;
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
