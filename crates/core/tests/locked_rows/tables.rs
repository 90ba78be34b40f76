//! A lock on the whole table is an outage, and no batch is taken apart for it.

use std::sync::Arc;

use cache_core::engine::Engine;
use cache_core::error::{Error, Part};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Store};

use tokio::sync::mpsc;

use crate::holder::Holder;
use crate::place::{EVENTUALLY, Kind, LONG, Place, put, write};

/// The second locks the row that each write reads first.
const LOCKS: [&str; 2] = [
    "LOCK TABLES users WRITE",
    "BEGIN; SELECT * FROM cache_epoch FOR UPDATE",
];

/// New names need the end of the ids, and no others do.
const END_OF_IDS: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; BEGIN; \
     SELECT id FROM users WHERE id > 1000000 FOR UPDATE";

const WRITES: usize = 40;

fn is_outage(error: &Error) -> bool {
    let part = Part::Database;
    matches!(error, Error::Unavailable { part: of, .. } if *of == part)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_through_answers_an_outage_for_a_locked_table() {
    for lock in LOCKS {
        let place = Place::new().await;
        let engine = place.write_through(LONG).await;
        for other in 0..WRITES {
            write(&*engine, &format!("other {other}"), 1).await;
        }
        let holder = Holder::execute(&place.url(), lock).await;
        let (sender, mut answers) = mpsc::channel(WRITES);
        for other in 0..WRITES {
            let (engine, sender) = (engine.clone(), sender.clone());
            tokio::spawn(async move {
                let answer = engine.write(put(&format!("other {other}"), 2)).await;
                sender.send(answer).await.unwrap();
            });
        }
        drop(sender);
        let first = tokio::time::timeout(EVENTUALLY, answers.recv()).await;
        let first = first.expect("the outage is noticed").unwrap().unwrap_err();
        assert!(is_outage(&first), "{first:?}");
        holder.release().await;
        // What was alone in its batch has waited by itself.
        while let Some(answer) = answers.recv().await {
            assert!(answer.as_ref().err().is_none_or(is_outage), "{answer:?}");
        }
        write(&*engine, "other 0", 3).await;
        engine.stop(EVENTUALLY).await;
        assert_eq!(
            place.stored("other 0").await.unwrap().body,
            put("other 0", 3).body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_lock_behind_the_last_id_holds_up_no_update() {
    let place = Place::new().await;
    let engine = place.write_through(LONG).await;
    for other in 0..WRITES {
        write(&*engine, &format!("other {other}"), 1).await;
    }
    let holder = Holder::execute(&place.url(), END_OF_IDS).await;
    for other in 0..WRITES {
        write(&*engine, &format!("other {other}"), 2).await;
    }
    holder.release().await;
    write(&*engine, "new", 1).await;
    engine.stop(EVENTUALLY).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_behind_drains_after_the_lock_of_a_table() {
    let place = Place::new().await;
    let engine = place.write_behind(Kind::File).await;
    let holder = Holder::execute(&place.url(), LOCKS[0]).await;
    let applied = {
        let store: Arc<dyn Store> = place.store.clone();
        let batch = [put("a", 1), put("b", 1)].map(|write| write.at(Version::now()));
        tokio::spawn(async move { store.apply(&batch, Origin::Drained).await })
    };
    for other in 0..40 {
        write(&*engine, &format!("other {other}"), 1).await;
    }
    let applied = applied.await.unwrap();
    assert!(matches!(applied, Err(Error::Locked)), "{applied:?}");
    holder.release().await;
    assert!(engine.flush(EVENTUALLY).await.unwrap());
    assert_eq!(engine.dead_letters(10).await.unwrap(), []);
    assert!(place.stored("other 39").await.is_some());
    engine.stop(EVENTUALLY).await;
}
