//! The ceiling as the database has it: read, raised, and set where there is none yet.

use diesel::{ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;

use super::{Connection, diagnosed};
use crate::model::version::Version;
use crate::store::ceiling::{self, Ceiling};
use crate::store::headroom::NEWEST_MAX;
use crate::store::members::cache_epoch;
use crate::store::newest::{NEWEST_OF, Newest, NewestOfAll};
use crate::store::transaction::{TransactionError, Tried};

/// The ceiling, as far as it is known.
pub(in crate::store) async fn reserved_through(
    connection: &mut Connection,
) -> QueryResult<Option<i64>> {
    cache_epoch::table
        .find(1)
        .select(cache_epoch::reserved_through)
        .first(connection)
        .await
}

/// The ceiling as the database has it now.
pub(super) async fn reread(connection: &mut Connection, ceiling: &Ceiling) -> QueryResult<i64> {
    let at = reserved_through(connection).await?.unwrap_or(-1);
    ceiling.learn(at);
    Ok(at)
}

/// The ceiling, which is raised where it is below `newest`.
pub(super) async fn at_or_above(
    connection: &mut Connection,
    ceiling: &Ceiling,
    newest: i64,
) -> Tried<i64> {
    if ceiling.known() >= newest {
        return Ok(ceiling.known());
    }
    // Another process may have raised it.
    if reread(connection, ceiling).await? < newest {
        let above = ceiling::above(newest, Version::now().to_i64());
        let raise = diesel::update(cache_epoch::table.find(1))
            .filter(cache_epoch::reserved_through.lt(newest))
            .set(cache_epoch::reserved_through.eq(above));
        let raised = raise.execute(connection).await;
        diagnosed(connection, raised).await?;
    }
    match reread(connection, ceiling).await? {
        at if at >= newest => Ok(at),
        _ => Err(TransactionError::broken(
            "cache_epoch has no ceiling: restart the service",
        )),
    }
}

/// Sets a ceiling that is not known yet: above all rows that a service can have
/// written. Returns it.
pub(in crate::store) async fn begin_ceiling(connection: &mut Connection) -> QueryResult<i64> {
    if let Some(at) = reserved_through(connection).await? {
        return Ok(at);
    }
    let mut newest = NewestOfAll::begin();
    while let Some(after) = newest.wants() {
        newest.take(newest_after(connection, &after, NEWEST_MAX).await?);
    }
    let newest = newest.version;
    diesel::update(cache_epoch::table.find(1))
        .filter(cache_epoch::reserved_through.is_null())
        .set(cache_epoch::reserved_through.eq(newest))
        .execute(connection)
        .await?;
    Ok(reserved_through(connection).await?.unwrap_or(newest))
}

/// The newest version up to `to` of a part of the rows.
pub(in crate::store) async fn newest_after(
    connection: &mut Connection,
    after: &str,
    to: i64,
) -> QueryResult<Newest> {
    diesel::sql_query(format!(
        "SELECT MAX(CASE WHEN version <= ? THEN version END) AS version, MAX(name) AS last \
         FROM (SELECT name, version FROM users WHERE name > ? ORDER BY name \
         LIMIT {NEWEST_OF}) AS part"
    ))
    .bind::<diesel::sql_types::BigInt, _>(to)
    .bind::<diesel::sql_types::Text, _>(after)
    .get_result(connection)
    .await
}
