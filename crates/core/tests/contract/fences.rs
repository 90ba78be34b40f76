//! What every store promises of writes that must be committed in one epoch of the
//! cache.

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Condition, Record, Write};
use cache_core::store::{Origin, Proposal, Store};

use crate::ceilings::expect_newest;
use crate::members::says;
use crate::suite::{eventually, key, tombstone, version};
use crate::{Database, Implementation, apply, load, numbered, user};

/// More than one statement takes.
const MANY: usize = 1_500;

impl Database {
    /// Begins this epoch past the store.
    fn begin_epoch(&self, epoch: u64) {
        self.execute(&format!("UPDATE cache_epoch SET epoch = {epoch}"));
    }

    /// Has a row that has this occupation already and lets no other have it, or
    /// none at all.
    pub(crate) fn refuse_occupation(&self, occupation: &str) {
        match self {
            Database::Sqlite(_) => {
                self.execute(&format!(
                    "CREATE UNIQUE INDEX once ON users (occupation) WHERE occupation = '{occupation}'"
                ));
                self.execute(&format!(
                    "INSERT INTO users (name, age, occupation) VALUES ('has it', 1, '{occupation}')"
                ));
            }
            Database::Mysql(_) => self.execute(&format!(
                "ALTER TABLE users ADD CONSTRAINT never CHECK (occupation <> '{occupation}')"
            )),
        }
    }
}

fn in_epoch(number: u64) -> Option<Epoch> {
    Some(Epoch::new(number))
}

/// Batches of one, several and many records, of names that no other has.
fn batches() -> [Vec<Record>; 4] {
    [1, 2, 5, MANY].map(|count| {
        let names = (0..count).map(|place| format!("{count}: {place:04}"));
        names.map(|name| numbered(&name, 7)).collect()
    })
}

async fn rows(store: &dyn Store, records: &[Record]) -> Vec<Record> {
    let mut rows = Vec::new();
    for record in records {
        rows.extend(store.load(&record.key).await.unwrap());
    }
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    rows
}

fn assert_fenced<T: std::fmt::Debug>(done: Result<T, Error>) {
    assert!(matches!(done, Err(Error::Fenced)), "{done:?}");
}

async fn writes_of_the_epoch_that_it_is_are_applied(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for epoch in [0, 3] {
        database.begin_epoch(epoch);
        for batch in batches() {
            let newer: Vec<Record> = batch
                .iter()
                .map(|record| numbered(record.key.as_str(), 8 + epoch))
                .collect();
            // New rows, then rows that are there.
            store
                .apply(&batch, Origin::Issued(in_epoch(epoch)))
                .await
                .unwrap();
            store
                .apply(&newer, Origin::Issued(in_epoch(epoch)))
                .await
                .unwrap();
            assert!(rows(&*store, &newer).await == newer, "{}", newer.len());
            // What is older changes nothing, in the first row as in the others.
            store
                .apply(&batch, Origin::Issued(in_epoch(epoch)))
                .await
                .unwrap();
            assert!(rows(&*store, &newer).await == newer, "{}", newer.len());
        }
    }
}

async fn writes_of_another_epoch_are_not(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    database.begin_epoch(3);
    for batch in batches() {
        for other in [0, 2, 4] {
            assert_fenced(store.apply(&batch, Origin::Issued(in_epoch(other))).await);
            assert_eq!(rows(&*store, &batch).await, []);
        }
        // Nor where the rows are there already, be they older, the same, or
        // newer.
        let held: Vec<Record> = batch
            .iter()
            .zip(6..)
            .map(|(record, number)| numbered(record.key.as_str(), 6 + number % 3))
            .collect();
        store.apply(&held, Origin::Issued(None)).await.unwrap();
        for other in [0, 2, 4] {
            assert_fenced(store.apply(&batch, Origin::Issued(in_epoch(other))).await);
            assert!(rows(&*store, &held).await == held, "{}", held.len());
        }
    }
    store.apply(&[], Origin::Issued(in_epoch(0))).await.unwrap();
}

/// Some of a batch is there and some is not, and some are tombstones.
async fn a_batch_of_another_epoch_is_left_whole(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("b", 5)).await;
    apply(&*store, &tombstone(&key("d"), version(5))).await;
    let batch = [
        numbered("a", 7),
        numbered("b", 7),
        tombstone(&key("c"), version(7)),
        numbered("d", 7),
    ];
    for first in 0..batch.len() {
        let mut batch = batch.clone();
        batch.swap(0, first);
        assert_fenced(store.apply(&batch, Origin::Issued(in_epoch(1))).await);
    }
    assert_eq!(load(&*store, "a").await, None);
    assert_eq!(load(&*store, "b").await, Some(numbered("b", 5)));
    assert_eq!(load(&*store, "c").await, None);
    let held = load(&*store, "d").await;
    assert_eq!(held, Some(tombstone(&key("d"), version(5))));
    expect_newest(&*store, version(5)).await;
}

/// It can be told from one that was fenced, wherever it stands.
async fn a_refused_record_is_refused_in_its_epoch(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    database.refuse_occupation("forbidden");
    for place in [0, 3, 1_100] {
        let mut batch: Vec<Record> = (0..place + 1)
            .map(|number| numbered(&format!("{place}: {number:04}"), 7))
            .collect();
        batch[place] = user(&format!("{place}: {place:04}"), 7, 30, "forbidden");
        let refused = store.apply(&batch, Origin::Issued(in_epoch(0))).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
        assert_eq!(rows(&*store, &batch).await, []);
        let done = store.apply(&batch, Origin::Issued(in_epoch(1))).await;
        // Which of both reasons it is given is no matter, so it is tried once
        // more without the record.
        assert!(
            matches!(done, Err(Error::Fenced | Error::Refused { .. })),
            "{done:?}"
        );
        assert_eq!(rows(&*store, &batch).await, []);
        batch.remove(place);
        if !batch.is_empty() {
            assert_fenced(store.apply(&batch, Origin::Issued(in_epoch(1))).await);
            store
                .apply(&batch, Origin::Issued(in_epoch(0)))
                .await
                .unwrap();
        }
    }
}

async fn a_transaction_of_another_epoch_does_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("b", 5)).await;
    let proposals = ["a", "b"].map(|name| Proposal {
        write: Write {
            condition: Condition::Always,
            ..Write::put(key(name), numbered(name, 9).body.unwrap())
        },
        version: Some(version(9)),
        beside: None,
    });
    assert_fenced(store.transact(&proposals, in_epoch(1)).await);
    assert_fenced(store.transact(&[], in_epoch(1)).await);
    assert_eq!(load(&*store, "a").await, None);
    assert_eq!(load(&*store, "b").await, Some(numbered("b", 5)));
    let verdicts = store.transact(&proposals, in_epoch(0)).await.unwrap();
    assert_eq!(verdicts, [Decision::Written(version(9)); 2]);
}

/// All that was fenced by an epoch is there when the next one has begun.
async fn nothing_of_an_epoch_comes_after_its_end(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open_with_members().await;
    let mut fenced = 0;
    for epoch in 0..12 {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = store.clone();
                let name = format!("{epoch} by {writer}");
                tokio::spawn(async move {
                    for number in 1.. {
                        let record = numbered(&name, number);
                        let done = match number % 2 {
                            0 => {
                                store
                                    .apply(&[record], Origin::Issued(in_epoch(epoch)))
                                    .await
                            }
                            _ => {
                                let proposal = Proposal {
                                    write: Write::put(record.key, record.body.unwrap()),
                                    version: Some(record.version),
                                    beside: None,
                                };
                                let done = store.transact(&[proposal], in_epoch(epoch)).await;
                                done.map(drop)
                            }
                        };
                        match done {
                            Ok(()) => {}
                            Err(Error::Fenced) => return number - 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    0
                })
            })
            .collect();
        eventually("some are written", async || {
            load(&*store, &format!("{epoch} by 0")).await.is_some()
        })
        .await;
        let ends = says("a", epoch + 1, epoch % 2 == 0);
        let view = store.hear(&ends).await.unwrap();
        assert_eq!(view.epoch.get(), epoch + 1);
        let names: Vec<Record> = (0..4)
            .map(|writer| numbered(&format!("{epoch} by {writer}"), 1))
            .collect();
        let at_the_end = rows(&*store, &names).await;
        for (writer, task) in writers.into_iter().enumerate() {
            let acknowledged = task.await.unwrap();
            fenced += acknowledged;
            let name = format!("{epoch} by {writer}");
            let row = at_the_end.iter().find(|row| row.key == key(&name));
            let number = row.map_or(0, |row| row.version.get());
            assert_eq!(number, acknowledged, "{name}");
        }
        assert!(rows(&*store, &names).await == at_the_end);
    }
    assert!(fenced > 12, "{fenced}");
}

on_every_store!([
    writes_of_the_epoch_that_it_is_are_applied,
    writes_of_another_epoch_are_not,
    a_batch_of_another_epoch_is_left_whole,
    a_refused_record_is_refused_in_its_epoch,
    a_transaction_of_another_epoch_does_nothing,
    nothing_of_an_epoch_comes_after_its_end,
]);
