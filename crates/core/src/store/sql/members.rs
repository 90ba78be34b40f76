//! The processes that use the cache, and the epoch: each heartbeat is one transaction.

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::transactions::{begin, end};
use super::{Connection, EXCLUSIVE, SHARED, diagnosed};
use crate::bypass::protocol::{Member, Statement, View};
use crate::store::members::{EpochRow, MemberRow, cache_epoch, cache_members};
use crate::store::transaction::{Lock, TransactionError, Tried};

/// The row of the epoch, held as `lock` says.
pub(super) async fn epoch(connection: &mut Connection, lock: Lock) -> Tried<EpochRow> {
    let text = match lock {
        Lock::Shared => SHARED,
        Lock::Exclusive => EXCLUSIVE,
    };
    let query = format!(
        "SELECT epoch, bypassed, run, purged_through, reserved_through \
         FROM cache_epoch WHERE id = 1{text}"
    );
    let row = diesel::sql_query(query).get_result(connection).await;
    diagnosed(connection, row).await
}

pub(in crate::store) async fn hear(
    connection: &mut Connection,
    statement: &Statement,
) -> Tried<View> {
    let mut lock = Lock::Shared;
    loop {
        begin(connection).await?;
        let heard = heard(connection, statement, lock).await;
        if let Some(view) = end(connection, heard).await? {
            return Ok(view);
        }
        // The epoch ends with this: no fenced write may be under way.
        lock = Lock::Exclusive;
    }
}

/// Nothing when it needs an exclusive lock.
async fn heard(
    connection: &mut Connection,
    statement: &Statement,
    lock: Lock,
) -> Tried<Option<View>> {
    let view = view(connection, lock).await?;
    let next = view.after(statement);
    let stays = |member: &&Member| {
        next.members
            .iter()
            .any(|left| left.process == member.process)
    };
    let gone: Vec<&Member> = view
        .members
        .iter()
        .filter(|member| !stays(member))
        .collect();
    let changes = (next.epoch, &next.run) != (view.epoch, &view.run);
    // IMPORTANT: one that is silent may be speaking just now.
    if lock == Lock::Shared && (changes || !gone.is_empty()) {
        return Ok(None);
    }
    if changes {
        diesel::update(cache_epoch::table.find(1))
            .set((
                cache_epoch::epoch.eq(next.epoch.get() as i64),
                cache_epoch::bypassed.eq(i32::from(next.bypassed)),
                cache_epoch::run.eq(&next.run),
            ))
            .execute(connection)
            .await?;
    }
    for gone in gone {
        let silent = cache_members::beats.eq(gone.beats as i64);
        diesel::delete(cache_members::table.find(&gone.process).filter(silent))
            .execute(connection)
            .await?;
    }
    let mut members = next.members.iter();
    if let Some(me) = members.rfind(|member| member.process == statement.process)
        && next != view
    {
        put(connection, me).await?;
    }
    Ok(Some(next))
}

pub(super) async fn view(connection: &mut Connection, lock: Lock) -> Tried<View> {
    let row = epoch(connection, lock).await?;
    let rows: Vec<MemberRow> = cache_members::table.load(connection).await?;
    let members =
        rows.into_iter().map(
            |(process, trusts, cut_off, for_good, lease_ms, beats)| Member {
                process,
                trusts: trusts != 0,
                cut_off: cut_off != 0,
                for_good: for_good != 0,
                lease_ms: lease_ms.try_into().unwrap_or_default(),
                beats: beats.try_into().unwrap_or_default(),
            },
        );
    Ok(View {
        epoch: row.number(),
        bypassed: row.bypassed != 0,
        run: row.run,
        members: members.collect(),
    })
}

async fn put(connection: &mut Connection, member: &Member) -> Tried<()> {
    diesel::replace_into(cache_members::table)
        .values((
            cache_members::process.eq(&member.process),
            cache_members::trusts.eq(i32::from(member.trusts)),
            cache_members::cut_off.eq(i32::from(member.cut_off)),
            cache_members::for_good.eq(i32::from(member.for_good)),
            cache_members::lease_ms.eq(member.lease_ms as i64),
            cache_members::beats.eq(member.beats as i64),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

pub(in crate::store) async fn rely(
    connection: &mut Connection,
    holder: &str,
    all_have_heard: bool,
) -> Tried<View> {
    begin(connection).await?;
    let relied = relied(connection, holder, all_have_heard).await;
    end(connection, relied).await
}

async fn relied(connection: &mut Connection, holder: &str, all_have_heard: bool) -> Tried<View> {
    let view = view(connection, Lock::Exclusive).await?;
    if view.bypassed {
        let reason = "write-through services bypass the cache";
        return Err(TransactionError::broken(reason));
    }
    let had_heard = |member: &Member| member.process == holder && member.trusts;
    let member = Member {
        process: holder.to_owned(),
        trusts: all_have_heard || view.members.iter().any(had_heard),
        cut_off: false,
        for_good: true,
        lease_ms: 0,
        beats: 0,
    };
    put(connection, &member).await?;
    Ok(view)
}

pub(in crate::store) async fn leave(connection: &mut Connection, process: &str) -> Tried<bool> {
    let deleted = diesel::delete(cache_members::table.find(process))
        .execute(connection)
        .await?;
    Ok(deleted > 0)
}
