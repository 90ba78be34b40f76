//! Seeing which rows other transactions have locked, without waiting for them.

use std::collections::HashSet;

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};

use super::diagnosed;
use super::sql::transactions::{begin, end};
use crate::model::record::Key;
use crate::store::Locks;
use crate::store::row::users;
use crate::store::transaction::Tried;
use crate::store::upsert::ROWS_MAX;
use crate::telemetry::statements;

/// For the next transaction.
const SEE_WHAT_IS_NOT_COMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED";

/// Looks at the rows of `keys`. Existing rows that `FOR UPDATE SKIP LOCKED` skips are locked.
/// Existing rows are read twice. READ COMMITTED shows a row whose delete is not committed,
/// READ UNCOMMITTED one whose insert is not committed.
pub(super) async fn find(connection: &mut AsyncMysqlConnection, keys: &[Key]) -> Tried<Locks> {
    let mut found = Locks::default();
    for keys in keys.chunks(ROWS_MAX) {
        let committed = there(connection, keys).await?;
        let set = connection.batch_execute(SEE_WHAT_IS_NOT_COMMITTED).await;
        diagnosed(connection, set).await?;
        begin(connection).await?;
        let seen = seen(connection, keys).await;
        let (uncommitted, free) = end(connection, seen).await?;
        for key in keys {
            let name = key.as_str();
            if free.contains(name) {
                continue;
            }
            match committed.contains(name) || uncommitted.contains(name) {
                true => found.locked.insert(key.clone()),
                false => found.absent.insert(key.clone()),
            };
        }
    }
    Ok(found)
}

/// The names that are there, and those that are not locked.
async fn seen(
    connection: &mut AsyncMysqlConnection,
    keys: &[Key],
) -> Tried<(HashSet<String>, HashSet<String>)> {
    let there = there(connection, keys).await?;
    statements::read();
    let free = users::table
        .filter(users::name.eq_any(keys.iter().map(Key::as_str)))
        .select(users::name)
        .for_update()
        .skip_locked()
        .load(connection)
        .await;
    let free: Vec<String> = diagnosed(connection, free).await?;
    Ok((there, free.into_iter().collect()))
}

async fn there(connection: &mut AsyncMysqlConnection, keys: &[Key]) -> Tried<HashSet<String>> {
    statements::read();
    let names = users::table
        .filter(users::name.eq_any(keys.iter().map(Key::as_str)))
        .select(users::name)
        .load(connection)
        .await;
    let names: Vec<String> = diagnosed(connection, names).await?;
    Ok(names.into_iter().collect())
}
