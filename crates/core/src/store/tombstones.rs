//! Removing tombstones, and writes that come after that.
//!
//! `cache_epoch.purged_through` is the floor: each tombstone of a version up to it may
//! have been removed. It is raised by the transaction that removes them, which holds
//! that row exclusively. Every write holds it shared and has read it.

use crate::error::{Error, Part, Result};
use crate::model::version::Version;

/// Which tombstones to remove.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// What the floor has to be, since another process may be at it too.
    pub floor: Version,
    /// Up to which version.
    pub through: Version,
    /// How many tombstones to look at, the oldest first.
    pub rows_max: usize,
    /// A holder that must not rely on the cache for good, by its name in `cache_members`.
    pub unless_relied_on_by: Option<&'static str>,
}

/// What was done of a [`Purge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// The floor is at `floor` now.
    Through {
        /// Where it is.
        floor: Version,
        /// How many tombstones were removed.
        removed: usize,
        /// Whether there is nothing left to look at.
        is_all: bool,
    },
    /// Another transaction has locked a tombstone, which stays, as do all above it.
    HeldUp {
        /// Where the floor is.
        floor: Version,
        /// How many tombstones were removed.
        removed: usize,
    },
    /// Nothing: another process has raised the floor, or must do so.
    Elsewhere,
}

/// What a transaction of a purge step did: up to which version, and how many tombstones
/// were removed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Removed {
    pub(super) through: i64,
    pub(super) count: usize,
}

/// A tombstone: its name, and its place in the order in which they are removed. That is its
/// version where a service has written it.
pub(super) type Tombstone = (String, i64);

/// Why a drained write is refused that is at or below the floor and has no row.
pub(super) const NOT_KNOWN: &str = "it waited in a journal while tombstones as new as it were \
    removed; whether a newer delete of this name came is not known";

/// The floor as the database has it.
pub(super) fn to_floor(number: i64) -> Result<Version> {
    let out_of_range = || Error::corrupt(Part::Database, "cache_epoch has a floor out of range");
    Version::from_i64(number).ok_or_else(out_of_range)
}

/// Defines the module-private transactions for one connection type.
macro_rules! tombstones {
    ($connection:ty) => {
        use crate::process::fault_point;
        use crate::store::tombstones::{NOT_KNOWN, Purge, Purged, Removed, to_floor};

        async fn purged_through(connection: &mut $connection) -> QueryResult<i64> {
            cache_epoch::table
                .find(1)
                .select(cache_epoch::purged_through)
                .first(connection)
                .await
        }

        async fn purge(connection: &mut $connection, purge: Purge) -> Tried<Purged> {
            let Purge { floor, through, .. } = purge;
            // IMPORTANT: without the lock, for which all writes wait. This brings what is
            // looked at into the server's memory.
            let rows_max = i64::try_from(purge.rows_max).unwrap_or(i64::MAX);
            let (from, to) = (floor.to_i64(), through.to_i64());
            let looked_at = oldest_tombstones(connection, from, to, rows_max).await?;
            let Some((_, last)) = looked_at.last() else {
                return Ok(Purged::Through {
                    floor,
                    removed: 0,
                    is_all: true,
                });
            };
            begin(connection).await?;
            let done = removed(connection, purge, *last).await;
            let Some(Removed { through, count }) = end(connection, done).await? else {
                return Ok(Purged::Elsewhere);
            };
            let floor = to_floor(through).map_err(TransactionError::broken)?;
            Ok(match through < *last {
                true => Purged::HeldUp {
                    floor,
                    removed: count,
                },
                false => Purged::Through {
                    floor,
                    removed: count,
                    is_all: looked_at.len() < purge.rows_max,
                },
            })
        }

        /// Removes the tombstones above the floor up to `last`, or up to before the oldest
        /// one that another transaction has locked. Nothing when another process is at it.
        async fn removed(
            connection: &mut $connection,
            purge: Purge,
            last: i64,
        ) -> Tried<Option<Removed>> {
            let view = view(connection, Lock::Exclusive).await?;
            let is_relied_on = |holder: &str| {
                let mut members = view.members.iter();
                members.any(|member| member.for_good && member.process == holder)
            };
            if purged_through(connection).await? != purge.floor.to_i64()
                || purge.unless_relied_on_by.is_some_and(is_relied_on)
            {
                return Ok(None);
            }
            let floor = purge.floor.to_i64();
            // IMPORTANT: a plain read, which waits for no row. No service writes meanwhile.
            let tombstones = oldest_tombstones(connection, floor, last, i64::MAX).await?;
            let names: Vec<&str> = tombstones.iter().map(|(name, _)| name.as_str()).collect();
            let free = hold_free(connection, &names).await?;
            let locked = tombstones.iter().filter(|(name, _)| !free.contains(name));
            let oldest_locked = locked.map(|(_, version)| *version).min();
            let through = oldest_locked.map_or(last, |oldest| last.min(oldest - 1));
            let old = tombstones.iter().filter(|(_, version)| *version <= through);
            let names: Vec<&str> = old.map(|(name, _)| name.as_str()).collect();
            let count = remove(connection, &names, through).await?;
            fault_point::point("purge.removed").await;
            if through > floor {
                diesel::update(cache_epoch::table.find(1))
                    .set(cache_epoch::purged_through.eq(through))
                    .execute(connection)
                    .await?;
            }
            Ok(Some(Removed { through, count }))
        }

        /// Applies rows of which some are so old that what came after them may have been
        /// purged. A delete of a name without a row has nothing to do. A user without a
        /// row is refused, unless an operator replays it: whether a purged delete came
        /// after it is not known.
        async fn apply_late(
            connection: &mut $connection,
            rows: &[Row],
            origin: Origin,
        ) -> Tried<()> {
            begin(connection).await?;
            let done = applied_late(connection, rows, origin).await;
            end(connection, done).await
        }

        async fn applied_late(
            connection: &mut $connection,
            rows: &[Row],
            origin: Origin,
        ) -> Tried<()> {
            // IMPORTANT: first, and held until the end: what is there now stays there.
            let epoch = epoch(connection, Lock::Shared).await?;
            let floor = epoch.purged_through;
            let at = epoch.reserved_through.unwrap_or(-1);
            if rows.iter().any(|row| row.version > at) {
                return Err(TransactionError::broken("the ceiling was lowered"));
            }
            let late = rows.iter().filter(|row| row.version <= floor);
            let names: Vec<Key> = late.map(|row| row.name.clone()).collect();
            let known = load_rows(connection, &names).await?;
            let known: HashSet<String> = known.into_iter().map(|row| row.name).collect();
            let is_missing = |row: &Row| row.version <= floor && !known.contains(row.name.as_str());
            let is_user = |row: &Row| row.deleted_at.is_none();
            if origin != Origin::Replayed && rows.iter().any(|row| is_missing(row) && is_user(row))
            {
                return Err(TransactionError::Refused(NOT_KNOWN.to_owned()));
            }
            let rows = rows.iter().filter(|row| !is_missing(row) || is_user(row));
            let rows: Vec<Row> = rows.cloned().collect();
            for rows in rows.chunks(ROWS_MAX) {
                upsert(connection, Upsert::held(rows, Order::Any, at)).await?;
            }
            Ok(())
        }
    };
}

pub(super) use tombstones;
