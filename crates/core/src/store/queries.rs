//! The queries, once for every database: diesel's types differ by connection,
//! the text does not.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable};

/// The newest version that the database has or has had.
pub(super) const NEWEST: &str = "SELECT MAX(version) AS version FROM (\
    SELECT MAX(version) AS version FROM users WHERE version <= 9007199254740991 \
    UNION ALL SELECT purged_through FROM cache_epoch) AS versions";

#[derive(Debug, QueryableByName)]
pub(super) struct Newest {
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) version: Option<i64>,
}

/// Defines the module-private queries for one connection type.
macro_rules! queries {
    ($connection:ty) => {
        use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
        use diesel_async::RunQueryDsl;

        use crate::binding::new_token;
        use crate::store::binding::cache_binding;
        use crate::store::page::{Page, Paging};
        use crate::store::queries::{NEWEST, Newest};
        use crate::store::row::{Row, Selected, users, users_identity};
        use crate::store::upsert::{Order, ROWS_MAX, Upsert};
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

        async fn load(connection: &mut $connection, name: &str) -> QueryResult<Option<Selected>> {
            statements::read();
            users::table
                .filter(users::name.eq(name))
                .select(selected())
                .first(connection)
                .await
                .optional()
        }

        async fn load_many(
            connection: &mut $connection,
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

        async fn page(
            connection: &mut $connection,
            after: Option<&Key>,
            limit: u32,
        ) -> QueryResult<Page> {
            let mut paging = Paging::new(after, limit);
            while let Some((after, rows)) = paging.wants() {
                let rows = scan(connection, after, rows).await?;
                paging.take(rows);
            }
            Ok(paging.finish())
        }

        /// Rows in the order of their names, tombstones included.
        async fn scan(
            connection: &mut $connection,
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

        async fn newest_version(connection: &mut $connection) -> QueryResult<Option<i64>> {
            statements::read();
            newest_uncounted(connection).await
        }

        /// The same, where it says only whether the database answers. The newest row may
        /// have been purged.
        async fn newest_uncounted(connection: &mut $connection) -> QueryResult<Option<i64>> {
            let newest: Newest = diesel::sql_query(NEWEST).get_result(connection).await?;
            Ok(newest.version)
        }

        /// The id and version of the newest row.
        async fn newest_row(connection: &mut $connection) -> QueryResult<Option<(i64, i64)>> {
            users::table
                .filter(users::version.le(crate::version::Version::MAX.to_i64()))
                .order(users::version.desc())
                .select((users::id, users::version))
                .first(connection)
                .await
                .optional()
        }

        /// Gives a new database its name and a token; keeps those of one that has them. Returns
        /// the name and the number of shards.
        async fn identify(connection: &mut $connection) -> QueryResult<(String, i32)> {
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
        async fn make_binding(connection: &mut $connection) -> QueryResult<()> {
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
    };
}

pub(super) use queries;
