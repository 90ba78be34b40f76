//! Reading rows of users, and the identity of the database.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;

use super::Connection;
use super::ceiling::reread;
use crate::binding::new_token;
use crate::model::record::Key;
use crate::store::binding::cache_binding;
use crate::store::ceiling::Ceiling;
use crate::store::members::cache_epoch;
use crate::store::page::{Page, Paging};
use crate::store::row::{Selected, users, users_identity};
use crate::store::upsert::ROWS_MAX;
use crate::telemetry::statements;

/// The columns of [`Selected`].
#[diesel::dsl::auto_type(no_type_alias)]
fn selected() -> _ {
    (
        users::id,
        users::name,
        users::age,
        users::occupation,
        users::version,
        users::deleted_at.is_not_null(),
    )
}

pub(in crate::store) async fn load(
    connection: &mut Connection,
    ceiling: &Ceiling,
    name: &str,
) -> QueryResult<Option<Selected>> {
    statements::read();
    let mut found: Option<Selected> = users::table
        .filter(users::name.eq(name))
        .select(selected())
        .first(connection)
        .await
        .optional()?;
    disown(connection, ceiling, found.as_mut_slice()).await?;
    Ok(found)
}

pub(in crate::store) async fn load_many(
    connection: &mut Connection,
    ceiling: &Ceiling,
    keys: &[Key],
) -> QueryResult<Vec<Selected>> {
    let mut found = load_rows(connection, keys).await?;
    disown(connection, ceiling, &mut found).await?;
    Ok(found)
}

/// Versions above the ceiling are no service's.
async fn disown(
    connection: &mut Connection,
    ceiling: &Ceiling,
    rows: &mut [Selected],
) -> QueryResult<()> {
    let known = ceiling.known();
    if rows.iter().all(|row| row.version() <= known) {
        return Ok(());
    }
    // IMPORTANT: read after the rows, so that it is above all that services have
    // written of them.
    let at = reread(connection, ceiling).await?;
    let foreign = rows.iter_mut().filter(|row| row.version() > at);
    foreign.for_each(Selected::disown_version);
    Ok(())
}

/// The rows of `keys`, with their versions as they are there.
pub(super) async fn load_rows(
    connection: &mut Connection,
    keys: &[Key],
) -> QueryResult<Vec<Selected>> {
    let mut all = Vec::with_capacity(keys.len());
    for keys in keys.chunks(ROWS_MAX) {
        let names = keys.iter().map(Key::as_str);
        statements::read();
        let found: Vec<Selected> = users::table
            .filter(users::name.eq_any(names))
            .select(selected())
            .load(connection)
            .await?;
        all.extend(found);
    }
    Ok(all)
}

pub(in crate::store) async fn page(
    connection: &mut Connection,
    ceiling: &Ceiling,
    after: Option<&Key>,
    limit: u32,
) -> QueryResult<Page> {
    let mut paging = Paging::new(after, limit);
    while let Some((after, rows)) = paging.wants() {
        let mut rows = scan(connection, after, rows).await?;
        disown(connection, ceiling, &mut rows).await?;
        paging.take(rows);
    }
    Ok(paging.finish())
}

/// Rows in the order of their names, tombstones included.
async fn scan(
    connection: &mut Connection,
    after: Option<&str>,
    rows: i64,
) -> QueryResult<Vec<Selected>> {
    statements::read();
    let scan = users::table
        .order(users::name)
        .limit(rows)
        .select(selected());
    // IMPORTANT: a lower bound always. Without one MariaDB reads and sorts the whole
    // table once the limit is a few hundred. (What sorts before the empty name is
    // no user's: it begins with a control character.)
    match after {
        Some(after) => scan.filter(users::name.gt(after)).load(connection).await,
        None => scan.filter(users::name.ge("")).load(connection).await,
    }
}

/// At or above every version that the database has or has had: what was purged, and
/// what is there.
pub(in crate::store) async fn newest_version(
    connection: &mut Connection,
    ceiling: &Ceiling,
) -> QueryResult<i64> {
    statements::read();
    let (purged, at): (i64, Option<i64>) = cache_epoch::table
        .find(1)
        .select((cache_epoch::purged_through, cache_epoch::reserved_through))
        .first(connection)
        .await?;
    let at = at.unwrap_or(-1);
    ceiling.learn(at);
    Ok(at.max(purged))
}

/// Gives a new database its name and a token; keeps those of one that has them. Returns
/// the name and the number of shards.
pub(in crate::store) async fn identify(connection: &mut Connection) -> QueryResult<(String, i32)> {
    let proposed = format!("{:016x}", fastrand::u64(..));
    diesel::insert_or_ignore_into(users_identity::table)
        .values((
            users_identity::id.eq(1),
            users_identity::identity.eq(proposed),
        ))
        .execute(connection)
        .await?;
    make_binding(connection).await?;
    let identity = users_identity::table
        .select(users_identity::identity)
        .first(connection)
        .await?;
    let shards = cache_binding::table
        .select(cache_binding::shards)
        .first(connection)
        .await?;
    Ok((identity, shards))
}

/// Makes the row of the binding if it is missing.
pub(in crate::store) async fn make_binding(connection: &mut Connection) -> QueryResult<()> {
    diesel::insert_or_ignore_into(cache_binding::table)
        .values((
            cache_binding::id.eq(1),
            cache_binding::token.eq(new_token()),
            cache_binding::previous.eq(""),
            cache_binding::newest.eq(0),
        ))
        .execute(connection)
        .await?;
    Ok(())
}
