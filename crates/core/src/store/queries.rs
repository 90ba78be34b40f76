//! The queries, once for every database: diesel's types differ by connection,
//! the text does not.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};

/// The newest version of some rows in the order of their names, and the last name.
#[derive(Debug, QueryableByName)]
pub(super) struct Newest {
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) version: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) last: Option<String>,
}

/// Rows of one statement that looks for the newest version.
pub(super) const NEWEST_OF: u32 = 50_000;

/// A walk over all rows, part by part, for their newest version.
#[derive(Debug)]
pub(super) struct NewestOfAll {
    /// Of the parts so far; at least 0.
    pub(super) version: i64,
    /// The last name of the last part; none at the end.
    after: Option<String>,
}

impl NewestOfAll {
    pub(super) fn begin() -> NewestOfAll {
        NewestOfAll {
            version: 0,
            after: Some(String::new()),
        }
    }

    /// The name after which the next part begins.
    pub(super) fn wants(&self) -> Option<String> {
        self.after.clone()
    }

    pub(super) fn take(&mut self, part: Newest) {
        self.version = self.version.max(part.version.unwrap_or_default());
        self.after = part.last.filter(|last| Some(last) > self.after.as_ref());
    }
}

/// Defines the module-private queries for one connection type.
macro_rules! queries {
    ($connection:ty) => {
        use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, QueryResult};
        use diesel_async::RunQueryDsl;

        use crate::binding::new_token;
        use crate::store::binding::cache_binding;
        use crate::store::headroom::NEWEST_MAX;
        use crate::store::page::{Page, Paging};
        use crate::store::queries::{NEWEST_OF, Newest, NewestOfAll};
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

        async fn load(
            connection: &mut $connection,
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

        async fn load_many(
            connection: &mut $connection,
            ceiling: &Ceiling,
            keys: &[Key],
        ) -> QueryResult<Vec<Selected>> {
            let mut found = load_rows(connection, keys).await?;
            disown(connection, ceiling, &mut found).await?;
            Ok(found)
        }

        /// Versions above the ceiling are no service's.
        async fn disown(
            connection: &mut $connection,
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
        async fn load_rows(
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

        /// The ceiling, as far as it is known.
        async fn reserved_through(connection: &mut $connection) -> QueryResult<Option<i64>> {
            cache_epoch::table
                .find(1)
                .select(cache_epoch::reserved_through)
                .first(connection)
                .await
        }

        /// At or above every version that the database has or has had: what was purged, and
        /// what is there.
        async fn newest_version(
            connection: &mut $connection,
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

        /// The newest version up to `to` of a part of the rows.
        async fn newest_after(
            connection: &mut $connection,
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

        /// Sets a ceiling that is not known yet: above all rows that a service can have
        /// written. Returns it.
        async fn begin_ceiling(connection: &mut $connection) -> QueryResult<i64> {
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
