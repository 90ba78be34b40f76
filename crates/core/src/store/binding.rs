//! The row of `cache_binding`: the statements of `crate::binding`.

diesel::table! {
    cache_binding (id) {
        id -> Integer,
        token -> Text,
        previous -> Text,
        newest -> BigInt,
        served_by -> Text,
        shards -> Integer,
    }
}

/// Token, the one before, the newest version, the Redis, and the number of shards.
pub(super) type BindingRow = (String, String, i64, String, i32);

/// Defines the module-private queries for one connection type.
macro_rules! binding {
    ($connection:ty) => {
        use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
        use diesel_async::RunQueryDsl;

        use crate::binding::new_token;
        use crate::store::binding::{BindingRow, cache_binding};
        use crate::store::members::{cache_epoch, cache_members};
        use crate::store::row::users_identity;
        use crate::store::transaction::Tried;

        async fn identity(connection: &mut $connection) -> Tried<String> {
            Ok(users_identity::table
                .select(users_identity::identity)
                .first(connection)
                .await?)
        }

        /// The row, which is made where it is missing.
        async fn binding_row(connection: &mut $connection) -> Tried<BindingRow> {
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
            super::make_binding(connection).await?;
            Ok(row().first(connection).await?)
        }

        async fn exchange(connection: &mut $connection, from: &str, to: &str) -> Tried<bool> {
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

        async fn note_cache(connection: &mut $connection, from: &str, to: &str) -> Tried<bool> {
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

        async fn note_newest(connection: &mut $connection, newest: i64) -> Tried<()> {
            diesel::update(cache_binding::table)
                .filter(cache_binding::newest.lt(newest))
                .set(cache_binding::newest.eq(newest))
                .execute(connection)
                .await?;
            Ok(())
        }

        async fn renew_identity(connection: &mut $connection) -> Tried<()> {
            begin(connection).await?;
            let renewed = renewed(connection).await;
            end(connection, renewed).await
        }

        async fn renewed(connection: &mut $connection) -> Tried<()> {
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

        async fn begin_epoch_after(connection: &mut $connection, epoch: i64) -> Tried<()> {
            begin(connection).await?;
            let begun = begun_after(connection, epoch).await;
            end(connection, begun).await
        }

        async fn begun_after(connection: &mut $connection, epoch: i64) -> Tried<()> {
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
    };
}

pub(super) use binding;
