//! What a service has written.

use mysql_async::params;
use mysql_async::prelude::Queryable as _;

use super::{connect, disconnect, within};
use crate::error::{Error, Result};
use crate::kept::{Kept, Row};
use crate::server_url::ServerUrl;

/// Most rows that are read at once.
const PAGE_ROWS: usize = 10_000;

const PAGE: &str = "SELECT name, age, occupation, version, deleted_at IS NOT NULL FROM users \
    WHERE name > :after AND LEFT(name, CHAR_LENGTH(:prefix)) = :prefix ORDER BY name LIMIT :limit";

type Columns = (String, Option<u8>, Option<String>, u64, bool);

/// All rows whose names begin with `prefix`.
///
/// # Errors
/// When the server cannot be reached or does not answer as it should.
pub async fn rows(database: &ServerUrl, prefix: &str) -> Result<Vec<Row>> {
    let failed = |why| Error::failed(format!("reading what is in {database}"), why);
    let mut connection = within(connect(database)).await.map_err(failed)?;
    let mut all: Vec<Row> = Vec::new();
    // Until a page is not full, which is when there are no more rows.
    loop {
        let after = all.last().map_or(String::new(), |row| row.name.clone());
        let limit = PAGE_ROWS;
        let page = connection.exec(PAGE, params! { after, prefix, limit });
        let page: Vec<Columns> = within(page).await.map_err(failed)?;
        let full = page.len() == PAGE_ROWS;
        let row = |(name, age, occupation, version, deleted): Columns| Row {
            kept: Kept::of_columns(version, deleted, (&name, age, occupation)),
            name,
        };
        all.extend(page.into_iter().map(row));
        if !full {
            disconnect(connection).await;
            return Ok(all);
        }
    }
}
