//! One statement for many rows, each guarded by its version: the newer wins.

use chrono::NaiveDateTime;
use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Integer, Nullable, Text, Timestamp};

use super::row::Row;
use crate::store::Origin;

/// Most rows in one statement: five placeholders each, of which SQLite takes
/// 32,766 and MySQL 65,535.
pub(super) const ROWS_MAX: usize = 1024;

/// Where the databases' SQL differs.
pub(super) trait Dialect: Backend {
    /// What to do with a row whose name is there already: take it over if its
    /// version is newer, else leave everything as it is. A version above the ceiling, which
    /// goes in each place of `?`, is another program's, and older than every write.
    const ON_CONFLICT: &'static str;
    /// The same, but refuse the statement where an older version meets a row that
    /// was judged, and let the row say whether it was.
    const ON_CONFLICT_STRICT: &'static str;
    /// What makes a statement that reads a row keep it as it is until the end of
    /// the transaction.
    const SHARED: &'static str;
}

/// Whether the row that is to be written is newer.
macro_rules! mysql_newer {
    () => {
        "VALUES(version) > version OR version > ?"
    };
}

impl Dialect for diesel::mysql::Mysql {
    // IMPORTANT: `version` is assigned last, since each assignment sees the ones
    // before it. VALUES() is deprecated in MySQL but there up to 9.x, and the
    // row alias that replaces it is unknown to MariaDB.
    //
    // IMPORTANT: `name` comes first. The clause is for a conflict in any unique
    // index, and one that an operator has added would change the row of another
    // name. No name can be NULL, so that is an error. A name that another program has
    // padded is the same name to MySQL, and loses its padding.
    const ON_CONFLICT: &'static str = concat!(
        " ON DUPLICATE KEY UPDATE \
        name = IF(VALUES(name) = name, VALUES(name), NULL), \
        age = IF(",
        mysql_newer!(),
        ", VALUES(age), age), \
        occupation = IF(",
        mysql_newer!(),
        ", VALUES(occupation), occupation), \
        deleted_at = IF(",
        mysql_newer!(),
        ", VALUES(deleted_at), deleted_at), \
        version = IF(",
        mysql_newer!(),
        ", VALUES(version), version)"
    );
    const ON_CONFLICT_STRICT: &'static str = concat!(
        " ON DUPLICATE KEY UPDATE \
        name = IF(VALUES(name) = name, VALUES(name), NULL), \
        age = IF(",
        mysql_newer!(),
        ", VALUES(age), age), \
        occupation = IF(",
        mysql_newer!(),
        ", VALUES(occupation), occupation), \
        deleted_at = IF(",
        mysql_newer!(),
        ", VALUES(deleted_at), deleted_at), \
        judged = IF(",
        mysql_newer!(),
        ", VALUES(judged), judged), \
        version = IF(",
        mysql_newer!(),
        ", VALUES(version), IF(VALUES(version) < version AND judged = 1, NULL, GREATEST(VALUES(version), version)))"
    );
    // MariaDB does not know FOR SHARE.
    const SHARED: &'static str = " LOCK IN SHARE MODE";
}

impl Dialect for diesel::sqlite::Sqlite {
    const ON_CONFLICT: &'static str = " ON CONFLICT (name) DO UPDATE SET \
        age = excluded.age, occupation = excluded.occupation, \
        deleted_at = excluded.deleted_at, version = excluded.version \
        WHERE excluded.version > users.version OR users.version > ?";
    const ON_CONFLICT_STRICT: &'static str = " ON CONFLICT (name) DO UPDATE SET \
        age = excluded.age, occupation = excluded.occupation, \
        deleted_at = excluded.deleted_at, judged = excluded.judged, \
        version = IIF(excluded.version > users.version OR users.version > ?, \
        excluded.version, NULL) \
        WHERE excluded.version > users.version OR users.version > ? \
        OR (excluded.version < users.version AND users.judged = 1)";
    // There is one writer at a time.
    const SHARED: &'static str = "";
}

/// The guarded upsert of 1 to [`ROWS_MAX`] rows.
///
/// A connection prepares a statement for each of a few sizes ([`size_of`]) and keeps it. The last
/// row is repeated to fill it up, which changes nothing, as a repeated version is not newer.
///
/// A guarded statement reads the first row's version off the row of the cache's
/// epoch. There is no such row in another epoch than the fence names, nor under another
/// ceiling, nor when the oldest row of the statement is at or below the floor. The version
/// is NULL then, so the database refuses the whole statement. That takes no further round
/// trip, nor a transaction.
#[derive(Debug)]
pub(super) struct Upsert<'a> {
    rows: &'a [Row],
    guard: Option<Guard>,
    order: Order,
    ceiling: i64,
}

/// What the row of the cache's epoch must say.
#[derive(Debug)]
struct Guard {
    /// The epoch, if it must be that one.
    fence: Option<i64>,
    /// What must be above all that may have been purged.
    oldest: i64,
}

/// What is done about a row that is newer than what is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Nothing: the write came before the row.
    Any,
    /// The same, unless the row was judged upon one that was older than the
    /// write: then the statement is refused as if its epoch had ended, and a write
    /// of a newer version may come after the row.
    Strict,
    /// As for [`Order::Strict`]; and these rows were judged.
    Judged,
}

impl Order {
    pub(super) fn of(origin: Origin) -> Order {
        match origin {
            Origin::Drained | Origin::Replayed => Order::Any,
            Origin::Issued(_) => Order::Strict,
        }
    }
}

impl<'a> Upsert<'a> {
    /// Takes place only where nothing that came after one of the rows can have been
    /// purged, in the epoch that `origin` names, and under this ceiling.
    pub(super) fn guarded(rows: &'a [Row], origin: Origin, ceiling: i64) -> Upsert<'a> {
        let versions = rows.iter().map(|row| row.version);
        let guard = Guard {
            fence: origin.fence().map(|epoch| epoch.get() as i64),
            oldest: versions.min().unwrap_or_default(),
        };
        Upsert {
            rows,
            guard: Some(guard),
            order: Order::of(origin),
            ceiling,
        }
    }

    /// In a transaction that holds the row of the cache's epoch, and has judged by it.
    pub(super) fn held(rows: &'a [Row], order: Order, ceiling: i64) -> Upsert<'a> {
        Upsert {
            rows,
            guard: None,
            order,
            ceiling,
        }
    }

    /// What holds of the rows of each statement that is meant to write. A row that no service has written
    /// has no version, and none is written by one.
    pub(super) fn check(&self) {
        let Upsert { rows, ceiling, .. } = self;
        debug_assert!(
            (1..=ROWS_MAX).contains(&rows.len()),
            "a statement is bounded"
        );
        debug_assert!(
            rows.is_sorted_by(|one, next| one.name < next.name),
            "each name is in a statement once, in the order in which all lock them"
        );
        debug_assert!(
            rows.iter()
                .all(|row| row.version > 0 && row.version <= *ceiling),
            "no version is above the ceiling"
        );
    }

    /// How many rows it writes, without what fills it up.
    pub(super) fn rows_written(&self) -> usize {
        self.rows.len()
    }

    /// The rows of the statement, in order. The last one is repeated to fill it up.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'a Row> + use<'a> {
        let padding = size_of(self.rows.len()) - self.rows.len();
        let last = self.rows.last().into_iter();
        let padding = last.flat_map(move |last| std::iter::repeat_n(last, padding));
        self.rows.iter().chain(padding)
    }
}

/// How many rows a statement for `rows` has. A row that fills it up costs as much as any, so
/// there are all sizes up to 8, four in each doubling up to 64, and eight from there on. A
/// lone row is never filled up.
fn size_of(rows: usize) -> usize {
    let in_a_doubling = if rows <= 64 { 4 } else { 8 };
    let step = rows.next_power_of_two() / 2 / in_a_doubling;
    rows.next_multiple_of(step.max(1))
}

impl QueryId for Upsert<'_> {
    type QueryId = ();
    // The text differs with the number of rows, so the text is the cache's key.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB> QueryFragment<DB> for Upsert<'_>
where
    DB: Dialect
        + HasSqlType<Text>
        + HasSqlType<Integer>
        + HasSqlType<BigInt>
        + HasSqlType<Timestamp>,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    Option<i32>: ToSql<Nullable<Integer>, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
    Option<NaiveDateTime>: ToSql<Nullable<Timestamp>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        out.push_sql(
            "INSERT INTO users (name, age, occupation, version, deleted_at, judged) VALUES ",
        );
        let last_column = match self.order {
            Order::Any | Order::Strict => ", 0)",
            Order::Judged => ", 1)",
        };
        for (index, row) in self.rows().enumerate() {
            out.push_sql(if index == 0 { "(" } else { ", (" });
            out.push_bind_param::<Text, _>(row.name.as_str())?;
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Integer>, _>(&row.age)?;
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(&row.occupation)?;
            out.push_sql(", ");
            match &self.guard {
                Some(guard) if index == 0 => {
                    out.push_sql("(SELECT ");
                    out.push_bind_param::<BigInt, _>(&row.version)?;
                    out.push_sql(" FROM cache_epoch WHERE id = 1 AND purged_through < ");
                    out.push_bind_param::<BigInt, _>(&guard.oldest)?;
                    out.push_sql(" AND reserved_through = ");
                    out.push_bind_param::<BigInt, _>(&self.ceiling)?;
                    if let Some(fence) = &guard.fence {
                        out.push_sql(" AND epoch = ");
                        out.push_bind_param::<BigInt, _>(fence)?;
                    }
                    out.push_sql(DB::SHARED);
                    out.push_sql(")");
                }
                _ => out.push_bind_param::<BigInt, _>(&row.version)?,
            }
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Timestamp>, _>(&row.deleted_at)?;
            out.push_sql(last_column);
        }
        let on_conflict = match self.order {
            Order::Any => DB::ON_CONFLICT,
            Order::Strict | Order::Judged => DB::ON_CONFLICT_STRICT,
        };
        for (place, part) in on_conflict.split('?').enumerate() {
            if place > 0 {
                out.push_bind_param::<BigInt, _>(&self.ceiling)?;
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_have_few_sizes_and_little_filling() {
        let sizes: std::collections::BTreeSet<usize> = (1..=ROWS_MAX).map(size_of).collect();
        assert_eq!(sizes.last(), Some(&ROWS_MAX));
        assert!(sizes.len() <= 52, "{}", sizes.len());
        for rows in 1..=ROWS_MAX {
            let filling = size_of(rows) - rows;
            let most = if rows <= 64 { rows / 4 } else { rows / 8 };
            assert!(filling <= most, "{rows} take {}", size_of(rows));
        }
        assert_eq!(
            [1, 8, 9, 17, 65, 1_000].map(size_of),
            [1, 8, 10, 20, 72, 1_024]
        );
    }
}
