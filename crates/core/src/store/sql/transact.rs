//! Conditional writes: the rows are held, judged and written by one transaction.

use std::collections::HashSet;

use super::apply::upsert;
use super::ceiling::at_or_above;
use super::members::epoch;
use super::queries::load_many;
use super::transactions::{begin, commit, roll_back};
use super::{Connection, hold, release};
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::store::ceiling::{self, Ceiling};
use crate::store::judge::{Proposal, judge};
use crate::store::row::{self, Row};
use crate::store::tombstones::to_floor;
use crate::store::transaction::{Lock, TransactionError, Tried};
use crate::store::upsert::{Order, ROWS_MAX, Upsert};
use crate::telemetry::statements;

pub(in crate::store) async fn transact(
    connection: &mut Connection,
    ceiling: &Ceiling,
    proposals: &[Proposal],
    fence: Option<Epoch>,
) -> Tried<Vec<Decision>> {
    let versions = proposals.iter().map(|proposal| proposal.version);
    let versions = versions.map(|version| version.unwrap_or_else(Version::now));
    let mut newest = versions.max().unwrap_or_default().to_i64();
    for _ in 1..ceiling::ATTEMPTS_MAX {
        // IMPORTANT: before the transaction, which holds the row that this changes.
        at_or_above(connection, ceiling, newest).await?;
        match transact_below(connection, ceiling, proposals, fence).await {
            Err(TransactionError::Beyond(version)) => newest = version,
            done => return done,
        }
    }
    Err(TransactionError::broken(
        "the versions are ahead of the ceiling again and again",
    ))
}

async fn transact_below(
    connection: &mut Connection,
    ceiling: &Ceiling,
    proposals: &[Proposal],
    fence: Option<Epoch>,
) -> Tried<Vec<Decision>> {
    begin(connection).await?;
    match judged(connection, ceiling, proposals, fence).await {
        Ok((decisions, rows)) => match commit(connection).await {
            Ok(()) => {
                let written = decisions.iter().filter_map(|decision| decision.version());
                if let Some(newest) = written.max() {
                    ceiling.wrote(newest.to_i64());
                    statements::committed(rows);
                }
                Ok(decisions)
            }
            Err(TransactionError::Broken(reason)) => Err(TransactionError::Uncertain(reason)),
            Err(failed) => Err(failed),
        },
        Err(failed) => roll_back(connection, failed).await,
    }
}

/// Returns how many rows it wrote as well.
async fn judged(
    connection: &mut Connection,
    ceiling: &Ceiling,
    proposals: &[Proposal],
    fence: Option<Epoch>,
) -> Tried<(Vec<Decision>, usize)> {
    statements::read();
    // IMPORTANT: held until the end, so that nothing is purged meanwhile.
    let epoch = epoch(connection, Lock::Shared).await?;
    let floor = to_floor(epoch.purged_through).map_err(TransactionError::broken)?;
    // It stays that as well.
    let at = epoch.reserved_through.unwrap_or(-1);
    ceiling.learn(at);
    let is_late = |proposal: &Proposal| proposal.version.is_some_and(|version| version <= floor);
    if fence.is_some_and(|fence| epoch.number() != fence) || proposals.iter().any(is_late) {
        return Err(TransactionError::Fenced);
    }
    // A row that was purged may have been as new as that.
    let now = floor
        .next()
        .map_or(Version::MAX, |next| next.max(Version::now()));
    let mut keys: Vec<Key> = proposals
        .iter()
        .map(|proposal| proposal.write.key.clone())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    hold(connection, &keys).await?;
    let rows = load_many(connection, ceiling, &keys).await?;
    let rows: Vec<Record> = rows.iter().map(row::judged).collect();
    let made = rows.iter().filter(|row| row.version == Version::ZERO);
    let mut made: Vec<Key> = made
        .filter(|row| row.body.is_none())
        .map(|row| row.key.clone())
        .collect();
    let (decisions, records) = judge(proposals, rows, now);
    let rows = records.iter().map(Row::from_record);
    let rows: Vec<Row> = rows
        .collect::<crate::error::Result<_>>()
        .map_err(|error| TransactionError::Refused(error.to_string()))?;
    let newest = rows.iter().map(|row| row.version).max();
    if let Some(version) = newest.filter(|version| *version > at) {
        return Err(TransactionError::Beyond(version));
    }
    for rows in rows.chunks(ROWS_MAX) {
        upsert(connection, Upsert::held(rows, Order::Judged, at)).await?;
    }
    let written: HashSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    made.retain(|key| !written.contains(key.as_str()));
    release(connection, &made).await?;
    Ok((decisions, rows.len()))
}
