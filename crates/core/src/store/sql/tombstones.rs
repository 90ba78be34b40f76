//! One step of a purge of tombstones.

use diesel::{ExpressionMethods, QueryDsl, QueryResult};
use diesel_async::RunQueryDsl;

use super::members::view;
use super::transactions::{begin, end};
use super::{Connection, hold_free, oldest_tombstones, remove};
use crate::process::fault_point;
use crate::store::members::cache_epoch;
use crate::store::tombstones::{Purge, Purged, Removed, to_floor};
use crate::store::transaction::{Lock, TransactionError, Tried};

pub(in crate::store) async fn purged_through(connection: &mut Connection) -> QueryResult<i64> {
    cache_epoch::table
        .find(1)
        .select(cache_epoch::purged_through)
        .first(connection)
        .await
}

pub(in crate::store) async fn purge(connection: &mut Connection, purge: Purge) -> Tried<Purged> {
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
async fn removed(connection: &mut Connection, purge: Purge, last: i64) -> Tried<Option<Removed>> {
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
