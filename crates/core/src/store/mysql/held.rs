//! Rows that a transaction holds: those that conditional writes are judged by, and tombstones
//! that are removed.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime};
use diesel::mysql::Mysql;
use diesel::sql_types::Text;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl};

use super::diagnosed;
use crate::model::record::Key;
use crate::store::row::users;
use crate::store::tombstones::Tombstone;
use crate::store::transaction::Tried;
use crate::store::upsert::ROWS_MAX;
use crate::telemetry::statements;

/// Holds the rows of `keys`, in their order, until the end of the transaction: a
/// row that is not there yet cannot be held, so it is made, older than every
/// write.
pub(super) async fn hold(connection: &mut AsyncMysqlConnection, keys: &[Key]) -> Tried<()> {
    for keys in keys.chunks(ROWS_MAX) {
        let rows = keys.iter().map(|key| {
            (
                users::name.eq(key.as_str()),
                users::version.eq(0),
                users::deleted_at.eq(diesel::dsl::sql("TIMESTAMP'1970-01-01 00:00:01'")),
            )
        });
        statements::hold();
        let held = diesel::insert_into(users::table)
            .values(rows.collect::<Vec<_>>())
            .on_conflict(diesel::dsl::DuplicatedKeys)
            .do_update()
            .set(users::version.eq(users::version))
            .execute(connection)
            .await;
        diagnosed(connection, held).await?;
    }
    Ok(())
}

/// Removes those of the rows that were made to hold `keys`, and are not written.
pub(super) async fn release(connection: &mut AsyncMysqlConnection, keys: &[Key]) -> Tried<()> {
    for keys in keys.chunks(ROWS_MAX) {
        let names = keys.iter().map(Key::as_str);
        let made = users::table.filter(users::name.eq_any(names).and(users::version.eq(0)));
        statements::hold();
        let delete = diesel::delete(made.filter(users::deleted_at.is_not_null()));
        let done = delete.execute(connection).await;
        diagnosed(connection, done).await?;
    }
    Ok(())
}

/// The oldest tombstones of versions above `floor`, up to `through`: by the time at which
/// they were deleted, which has an index and is the version's.
pub(super) async fn oldest_tombstones(
    connection: &mut AsyncMysqlConnection,
    floor: i64,
    through: i64,
    rows_max: i64,
) -> QueryResult<Vec<Tombstone>> {
    let time = |version| DateTime::from_timestamp_micros(version).map(|time| time.naive_utc());
    let found: Vec<(String, Option<NaiveDateTime>)> = users::table
        .filter(users::deleted_at.gt(time(floor)))
        .filter(users::deleted_at.le(time(through)))
        .order(users::deleted_at)
        .limit(rows_max)
        .select((users::name, users::deleted_at))
        .load(connection)
        .await?;
    let found = found.into_iter().filter_map(|(name, deleted_at)| {
        let place = deleted_at?.and_utc().timestamp_micros();
        Some((name, place))
    });
    Ok(found.collect())
}

/// Holds those of the rows of `names` that no other transaction has locked. Returns their
/// names. Waits for none.
pub(super) async fn hold_free(
    connection: &mut AsyncMysqlConnection,
    names: &[&str],
) -> Tried<HashSet<String>> {
    let mut free = HashSet::with_capacity(names.len());
    for names in names.chunks(ROWS_MAX) {
        let held = users::table
            .filter(users::name.eq_any(names))
            .select(users::name)
            .for_update()
            .skip_locked()
            .load::<String>(connection)
            .await;
        free.extend(diagnosed(connection, held).await?);
    }
    Ok(free)
}

/// Removes those of the rows of `names`, which are held, that are tombstones of versions up
/// to `through`. Returns how many.
pub(super) async fn remove(
    connection: &mut AsyncMysqlConnection,
    names: &[&str],
    through: i64,
) -> Tried<usize> {
    let mut removed = 0;
    for names in names.chunks(ROWS_MAX) {
        let places = vec!["?"; names.len()].join(", ");
        // IMPORTANT: by the primary key. A scan of a small table would wait for the locks
        // of other rows.
        let delete = format!(
            "DELETE users FROM users FORCE INDEX (PRIMARY) WHERE name IN ({places}) \
             AND deleted_at IS NOT NULL AND version <= {through}"
        );
        let mut delete = diesel::sql_query(delete).into_boxed::<Mysql>();
        for name in names {
            delete = delete.bind::<Text, _>(*name);
        }
        let done = delete.execute(connection).await;
        removed += diagnosed(connection, done).await?;
    }
    Ok(removed)
}
