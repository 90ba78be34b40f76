//! Rows that a transaction holds, and tombstones that are removed.

use std::collections::HashSet;

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;

use super::Connection;
use crate::model::record::Key;
use crate::store::row::users;
use crate::store::tombstones::Tombstone;
use crate::store::transaction::Tried;
use crate::store::upsert::ROWS_MAX;

/// There is one writer at a time, so the rows are held already.
pub(super) async fn hold(_: &mut Connection, _: &[Key]) -> Tried<()> {
    Ok(())
}

pub(super) async fn release(_: &mut Connection, _: &[Key]) -> Tried<()> {
    Ok(())
}

/// The oldest tombstones of versions above `floor`, up to `through`.
pub(super) async fn oldest_tombstones(
    connection: &mut Connection,
    floor: i64,
    through: i64,
    rows_max: i64,
) -> QueryResult<Vec<Tombstone>> {
    // As the condition of the index over tombstones has it.
    users::table
        .filter(users::deleted_at.is_not_null())
        .filter(users::version.gt(floor).and(users::version.le(through)))
        .order(users::version)
        .limit(rows_max)
        .select((users::name, users::version))
        .load(connection)
        .await
}

pub(super) async fn hold_free(_: &mut Connection, names: &[&str]) -> Tried<HashSet<String>> {
    Ok(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Removes those of the rows of `names` that are tombstones of versions up to `through`.
/// Returns how many.
pub(super) async fn remove(
    connection: &mut Connection,
    names: &[&str],
    through: i64,
) -> Tried<usize> {
    let mut removed = 0;
    for names in names.chunks(ROWS_MAX) {
        let old = users::name.eq_any(names).and(users::version.le(through));
        let tombstones = users::table.filter(old.and(users::deleted_at.is_not_null()));
        removed += diesel::delete(tombstones).execute(connection).await?;
    }
    Ok(removed)
}
