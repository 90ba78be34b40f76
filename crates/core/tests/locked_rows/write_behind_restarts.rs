//! Write-behind that ends while a row is locked, and refusals beside a locked row.

use std::time::Duration;

use cache_core::engine::Engine;
use cache_core::model::record::Key;

use crate::holder::{Holder, Lock};
use crate::place::{EVENTUALLY, Kind, Place, eventually, put, write};
use crate::write_behind::{depth, others_arrive, write_all};

async fn what_waits_is_drained_after_a_restart(kind: Kind) {
    let place = Place::new().await;
    let engine = place.write_behind(kind).await;
    let holder = Holder::lock(&place.url(), Lock::Insert).await;
    write_all(&engine, 2).await;
    others_arrive(&place, 2).await;
    engine.stop(Duration::from_millis(500)).await;
    drop(engine);
    let engine = place.write_behind(kind).await;
    assert!(depth(&engine).await > 0);
    assert_eq!(place.stored("x").await, None);
    // Also what is newer than what was applied already.
    let newest = write_all(&engine, 3).await;
    others_arrive(&place, 3).await;
    let read = engine.read(&Key::from("x")).await.unwrap().record;
    assert_eq!(read, put("x", 3).at(newest));
    holder.release().await;
    assert!(engine.flush(EVENTUALLY).await.unwrap());
    assert_eq!(place.stored("x").await, Some(put("x", 3).at(newest)));
    assert_eq!(depth(&engine).await, 0);
    engine.stop(EVENTUALLY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_waits_in_a_file_is_drained_after_a_restart() {
    what_waits_is_drained_after_a_restart(Kind::File).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_waits_in_redis_is_drained_after_a_restart() {
    what_waits_is_drained_after_a_restart(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_refused_record_is_set_aside_while_another_waits() {
    let place = Place::new().await;
    place.sql("ALTER TABLE users ADD CONSTRAINT of_age CHECK (age <> 13)");
    let engine = place.write_behind(Kind::File).await;
    let holder = Holder::lock(&place.url(), Lock::Insert).await;
    let older = write(&*engine, "x", 2).await;
    let refused = write(&*engine, "x", 13).await;
    let bad = write(&*engine, "bad", 13).await;
    write(&*engine, "good", 4).await;
    eventually("the others are drained", async || {
        place.stored("good").await.is_some() && !engine.dead_letters(10).await.unwrap().is_empty()
    })
    .await;
    holder.release().await;
    assert!(engine.flush(EVENTUALLY).await.unwrap());
    let letters = engine.dead_letters(10).await.unwrap();
    let letters = letters.iter().map(|letter| letter.record.version);
    assert_eq!(letters.collect::<Vec<_>>(), [bad, refused]);
    assert_eq!(place.stored("x").await, Some(put("x", 2).at(older)));
    engine.stop(EVENTUALLY).await;
}
