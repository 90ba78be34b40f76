//! Which Redis the database is bound to: the row of `cache_binding`.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use super::Connection;
use super::queries::make_binding;
use super::transactions::{begin, end};
use crate::binding::new_token;
use crate::store::binding::{BindingRow, cache_binding};
use crate::store::members::{cache_epoch, cache_members};
use crate::store::row::users_identity;
use crate::store::transaction::Tried;

pub(in crate::store) async fn identity(connection: &mut Connection) -> Tried<String> {
    Ok(users_identity::table
        .select(users_identity::identity)
        .first(connection)
        .await?)
}

/// The row, which is made where it is missing.
pub(in crate::store) async fn binding_row(connection: &mut Connection) -> Tried<BindingRow> {
    let row = || {
        cache_binding::table.select((
            cache_binding::token,
            cache_binding::previous,
            cache_binding::newest,
            cache_binding::served_by,
            cache_binding::shards,
        ))
    };
    let found: Option<BindingRow> = row().first(connection).await.optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    make_binding(connection).await?;
    Ok(row().first(connection).await?)
}

pub(in crate::store) async fn exchange(
    connection: &mut Connection,
    from: &str,
    to: &str,
) -> Tried<bool> {
    let exchanged = diesel::update(cache_binding::table)
        .filter(cache_binding::token.eq(from))
        .set((
            cache_binding::previous.eq(from),
            cache_binding::token.eq(to),
        ))
        .execute(connection)
        .await?;
    Ok(exchanged == 1)
}

pub(in crate::store) async fn note_cache(
    connection: &mut Connection,
    from: &str,
    to: &str,
) -> Tried<bool> {
    if from == to {
        return Ok(true);
    }
    let noted = diesel::update(cache_binding::table)
        .filter(cache_binding::served_by.eq(from))
        .set(cache_binding::served_by.eq(to))
        .execute(connection)
        .await?;
    Ok(noted == 1)
}

pub(in crate::store) async fn note_newest(connection: &mut Connection, newest: i64) -> Tried<()> {
    diesel::update(cache_binding::table)
        .filter(cache_binding::newest.lt(newest))
        .set(cache_binding::newest.eq(newest))
        .execute(connection)
        .await?;
    Ok(())
}

pub(in crate::store) async fn renew_identity(connection: &mut Connection) -> Tried<()> {
    begin(connection).await?;
    let renewed = renewed(connection).await;
    end(connection, renewed).await
}

async fn renewed(connection: &mut Connection) -> Tried<()> {
    diesel::update(users_identity::table)
        .set(users_identity::identity.eq(new_token()))
        .execute(connection)
        .await?;
    diesel::update(cache_binding::table)
        .set((
            cache_binding::token.eq(new_token()),
            cache_binding::previous.eq(""),
            cache_binding::newest.eq(0),
            cache_binding::served_by.eq(""),
        ))
        .execute(connection)
        .await?;
    begun_after(connection, 0).await?;
    diesel::delete(cache_members::table)
        .execute(connection)
        .await?;
    Ok(())
}

pub(in crate::store) async fn begin_epoch_after(
    connection: &mut Connection,
    epoch: i64,
) -> Tried<()> {
    begin(connection).await?;
    let begun = begun_after(connection, epoch).await;
    end(connection, begun).await
}

async fn begun_after(connection: &mut Connection, epoch: i64) -> Tried<()> {
    let before: i64 = cache_epoch::table
        .select(cache_epoch::epoch)
        .first(connection)
        .await?;
    diesel::update(cache_epoch::table)
        .set((
            cache_epoch::epoch.eq(before.max(epoch) + 1),
            cache_epoch::bypassed.eq(0),
            cache_epoch::run.eq(""),
        ))
        .execute(connection)
        .await?;
    diesel::delete(cache_members::table)
        .filter(cache_members::for_good.eq(0))
        .execute(connection)
        .await?;
    Ok(())
}
