//! Write-behind while a row is locked.

use std::time::Duration;

use cache_core::engine::Engine;
use cache_core::engine::write_behind::WriteBehind;
use cache_core::error::Error;
use cache_core::model::record::Key;
use cache_core::model::version::Version;

use crate::holder::{Holder, Lock};
use crate::place::{EVENTUALLY, Kind, Place, eventually, write};

/// More than one batch.
const OTHERS: u8 = 120;

pub(crate) async fn depth(engine: &WriteBehind) -> u64 {
    let state = engine.journal_state().await.unwrap();
    state.shards.iter().map(|shard| shard.stats.depth).sum()
}

/// Writes the other names, and `x` between them; the newest version of `x`.
pub(crate) async fn write_all(engine: &WriteBehind, age: u8) -> Version {
    let mut newest = write(engine, "x", age).await;
    for other in 0..OTHERS {
        write(engine, &format!("other {other}"), age).await;
        if other % 40 == 0 {
            newest = write(engine, "x", age).await;
        }
    }
    newest
}

/// All but `x` is in the database.
pub(crate) async fn others_arrive(place: &Place, age: u8) {
    let name = |other| format!("other {other}");
    for other in 0..OTHERS {
        eventually("the other names are drained", async || {
            let stored = place.stored(&name(other)).await;
            stored.is_some_and(|stored| stored.body == crate::place::put(&name(other), age).body)
        })
        .await;
    }
}

async fn others_are_drained_while_x_waits(kind: Kind, lock: Lock) {
    let place = Place::new().await;
    let engine = place.write_behind(kind).await;
    // A lock at REPEATABLE READ is also on the gap before the row, for new names.
    for other in 0..OTHERS {
        write(&*engine, &format!("other {other}"), 1).await;
    }
    if lock.has_row() {
        write(&*engine, "x", 1).await;
    }
    assert!(engine.flush(EVENTUALLY).await.unwrap());
    let before = place.stored("x").await;
    let holder = Holder::lock(&place.url(), lock).await;
    let mut newest = Version::ZERO;
    for age in 2..5 {
        newest = write_all(&engine, age).await;
        others_arrive(&place, age).await;
    }
    assert_eq!(place.stored("x").await, before, "{lock:?}");
    assert!(depth(&engine).await > 0, "x waits in the journal");
    let other = write(&*engine, "other 0", 9).await;
    let key = Key::from("other 0");
    engine.persisted(&key, other, EVENTUALLY).await.unwrap();
    let short = Duration::from_millis(300);
    let persisted = engine.persisted(&Key::from("x"), newest, short).await;
    assert!(
        matches!(persisted, Err(Error::NotPersisted)),
        "{persisted:?}"
    );
    assert!(!engine.flush(short).await.unwrap());
    holder.release().await;
    engine
        .persisted(&Key::from("x"), newest, EVENTUALLY)
        .await
        .unwrap();
    assert!(engine.flush(EVENTUALLY).await.unwrap());
    assert_eq!(place.stored("x").await.unwrap().version, newest);
    assert_eq!(engine.dead_letters(10).await.unwrap(), []);
    assert_eq!(depth(&engine).await, 0);
    // It is like any other name again.
    write(&*engine, "x", 99).await;
    assert!(engine.flush(EVENTUALLY).await.unwrap());
    engine.stop(EVENTUALLY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_row_locked_for_update_holds_up_no_other_name() {
    others_are_drained_while_x_waits(Kind::File, Lock::ForUpdate).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_locked_row_holds_up_no_other_name_of_a_redis_shard() {
    others_are_drained_while_x_waits(Kind::Redis, Lock::ForUpdate).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_uncommitted_insert_holds_up_no_other_name() {
    others_are_drained_while_x_waits(Kind::File, Lock::Insert).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_uncommitted_delete_holds_up_no_other_name() {
    others_are_drained_while_x_waits(Kind::Redis, Lock::Delete).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_locked_gap_holds_up_no_other_name() {
    others_are_drained_while_x_waits(Kind::File, Lock::Gap).await;
}
