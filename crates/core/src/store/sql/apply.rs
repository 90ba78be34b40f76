//! Applying records: one statement for many rows, or a transaction where some are late.

use std::collections::HashSet;

use diesel_async::RunQueryDsl;

use super::ceiling::{at_or_above, reread};
use super::members::epoch;
use super::queries::load_rows;
use super::transactions::{begin, end};
use super::{Connection, diagnosed};
use crate::model::record::Key;
use crate::store::Origin;
use crate::store::ceiling::{self, Ceiling};
use crate::store::row::Row;
use crate::store::tombstones::NOT_KNOWN;
use crate::store::transaction::{Lock, TransactionError, Tried};
use crate::store::upsert::{Order, ROWS_MAX, Upsert};
use crate::telemetry::statements;

pub(in crate::store) async fn apply(
    connection: &mut Connection,
    ceiling: &Ceiling,
    rows: &[Row],
    origin: Origin,
) -> Tried<()> {
    let newest = rows.iter().map(|row| row.version).max();
    let newest = newest.unwrap_or_default();
    let mut attempts = 0;
    let done = loop {
        let at = at_or_above(connection, ceiling, newest).await?;
        let done = apply_below(connection, rows, origin, at).await;
        attempts += 1;
        if !matches!(done, Err(TransactionError::Fenced))
            || attempts == ceiling::ATTEMPTS_MAX
            || reread(connection, ceiling).await? == at
        {
            break done;
        }
    };
    let done = match done {
        // No epoch fences these off, so some of them are that old.
        Err(TransactionError::Fenced) if matches!(origin, Origin::Drained | Origin::Replayed) => {
            apply_late(connection, rows, origin).await
        }
        done => done,
    };
    done.inspect(|()| {
        ceiling.wrote(newest);
        statements::committed(rows.len());
    })
}

/// Applies rows if the ceiling is `at`, which is above them.
async fn apply_below(
    connection: &mut Connection,
    rows: &[Row],
    origin: Origin,
    at: i64,
) -> Tried<()> {
    if rows.len() <= ROWS_MAX {
        // One statement is a transaction by itself.
        return upsert(connection, Upsert::guarded(rows, origin, at)).await;
    }
    begin(connection).await?;
    let mut done = Ok(());
    for rows in rows.chunks(ROWS_MAX) {
        done = upsert(connection, Upsert::guarded(rows, origin, at)).await;
        if done.is_err() {
            break;
        }
    }
    end(connection, done).await
}

/// Applies rows of which some are so old that what came after them may have been
/// purged. A delete of a name without a row has nothing to do. A user without a
/// row is refused, unless an operator replays it: whether a purged delete came
/// after it is not known.
async fn apply_late(connection: &mut Connection, rows: &[Row], origin: Origin) -> Tried<()> {
    begin(connection).await?;
    let done = applied_late(connection, rows, origin).await;
    end(connection, done).await
}

async fn applied_late(connection: &mut Connection, rows: &[Row], origin: Origin) -> Tried<()> {
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
    if origin != Origin::Replayed && rows.iter().any(|row| is_missing(row) && is_user(row)) {
        return Err(TransactionError::Refused(NOT_KNOWN.to_owned()));
    }
    let rows = rows.iter().filter(|row| !is_missing(row) || is_user(row));
    let rows: Vec<Row> = rows.cloned().collect();
    for rows in rows.chunks(ROWS_MAX) {
        upsert(connection, Upsert::held(rows, Order::Any, at)).await?;
    }
    Ok(())
}

pub(super) async fn upsert(connection: &mut Connection, upsert: Upsert<'_>) -> Tried<()> {
    upsert.check();
    statements::write(upsert.rows_written());
    let done = upsert.execute(connection).await;
    diagnosed(connection, done).await.map(drop)
}
