//! What every store promises of purged tombstones, and of writes that come after that.

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Record, Write};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Proposal, Purge, Purged, Store, versions_of};

use crate::ceilings::expect_newest;
use crate::suite::{key, tombstone, version};
use crate::{Database, Implementation, apply, load, numbered};

const ISSUED: Origin = Origin::Issued(None);
/// More than one statement takes.
const MANY: u64 = 1_500;

fn up_to(floor: u64, through: u64, rows_max: usize) -> Purge {
    Purge {
        floor: version(floor),
        through: version(through),
        rows_max,
        unless_relied_on_by: None,
    }
}

/// Purges all that is that old; how many tombstones were removed.
async fn purge(store: &dyn Store, through: u64) -> usize {
    let floor = store.purged_through().await.unwrap().get();
    match store.purge(up_to(floor, through, 10_000)).await.unwrap() {
        Purged::Through {
            removed, is_all, ..
        } => {
            assert!(is_all);
            removed
        }
        other => panic!("there is no other process: {other:?}"),
    }
}

/// A database in which `gone` was deleted at 20 and purged, and `here` is at 10; the floor
/// is at 20.
async fn purged(database: &Database) -> std::sync::Arc<dyn Store> {
    let store = database.open().await;
    apply(&*store, &numbered("here", 10)).await;
    apply(&*store, &numbered("gone", 11)).await;
    apply(&*store, &tombstone(&key("gone"), version(20))).await;
    assert_eq!(purge(&*store, 20).await, 1);
    assert_eq!(load(&*store, "gone").await, None);
    assert_eq!(store.purged_through().await.unwrap(), version(20));
    store
}

async fn only_old_tombstones_are_purged(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for (name, at) in [("a", 10), ("b", 20), ("c", 31)] {
        apply(&*store, &tombstone(&key(name), version(at))).await;
        apply(&*store, &numbered(&format!("live {name}"), at)).await;
    }
    assert_eq!(purge(&*store, 30).await, 2);
    let left: Vec<String> = database.ids().into_keys().collect();
    assert_eq!(left, ["c", "live a", "live b", "live c"]);
    assert_eq!(purge(&*store, 30).await, 0);
    assert_eq!(purge(&*store, 31).await, 1);
}

async fn purging_goes_on_in_steps_of_old_rows(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for at in 1..=7 {
        // Two of one version are never parted.
        for name in [format!("a{at}"), format!("b{at}")] {
            apply(&*store, &tombstone(&key(&name), version(at))).await;
        }
    }
    let (mut floor, mut steps) = (Version::ZERO, Vec::new());
    loop {
        let step = up_to(floor.get(), 6, 3);
        let Purged::Through {
            floor: next,
            removed,
            is_all,
        } = store.purge(step).await.unwrap()
        else {
            panic!("there is no other process");
        };
        assert!(next >= floor, "the floor was lowered");
        floor = next;
        steps.push((next.get(), removed));
        assert_eq!(store.purged_through().await.unwrap(), next);
        if is_all {
            break;
        }
    }
    assert_eq!(steps, [(2, 4), (4, 4), (6, 4), (6, 0)]);
    assert_eq!(database.ids().len(), 2);
}

async fn a_step_from_an_outdated_floor_does_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    apply(&*store, &tombstone(&key("other"), version(25))).await;
    for floor in [0, 19, 21] {
        let late = store.purge(up_to(floor, 30, 10)).await.unwrap();
        assert_eq!(late, Purged::Elsewhere);
    }
    assert_eq!(database.ids().len(), 2);
    assert_eq!(store.purged_through().await.unwrap(), version(20));
}

async fn a_step_beside_a_journal_does_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open_with_members().await;
    apply(&*store, &tombstone(&key("a"), version(5))).await;
    let unless = Purge {
        unless_relied_on_by: Some("journals"),
        ..up_to(0, 9, 10)
    };
    store.rely("others", true).await.unwrap();
    store.rely("journals", true).await.unwrap();
    assert_eq!(store.purge(unless).await.unwrap(), Purged::Elsewhere);
    assert_eq!(database.ids().len(), 1);
    store.leave("journals").await.unwrap();
    assert!(matches!(
        store.purge(unless).await.unwrap(),
        Purged::Through { removed: 1, .. }
    ));
}

async fn a_late_drained_record_stays_deleted(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    // With others, old and new, there and not.
    let batch = [
        tombstone(&key("gone"), version(20)),
        numbered("here", 9),
        numbered("new", 21),
        numbered("another", 20),
    ];
    // Whether a purged delete came after it is not known, so it is not skipped in silence.
    for batch in [&batch[..], &batch[3..], &[numbered("gone", 11)]] {
        let refused = store.apply(batch, Origin::Drained).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    }
    assert_eq!(load(&*store, "new").await, None);
    store.apply(&batch[..3], Origin::Drained).await.unwrap();
    assert_eq!(load(&*store, "gone").await, None);
    assert_eq!(load(&*store, "another").await, None);
    assert_eq!(load(&*store, "here").await, Some(numbered("here", 10)));
    assert_eq!(load(&*store, "new").await, Some(numbered("new", 21)));
    // The row itself is as old, and takes what is newer.
    apply(&*store, &numbered("here", 12)).await;
    assert_eq!(load(&*store, "here").await, Some(numbered("here", 12)));
}

async fn a_late_replayed_record_makes_its_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    let batch = [
        numbered("gone", 11),
        numbered("here", 9),
        tombstone(&key("another"), version(20)),
    ];
    store.apply(&batch, Origin::Replayed).await.unwrap();
    assert_eq!(load(&*store, "gone").await, Some(numbered("gone", 11)));
    assert_eq!(load(&*store, "here").await, Some(numbered("here", 10)));
    assert_eq!(database.ids().len(), 2);
}

async fn a_large_late_batch_is_applied_in_part(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    let mut batch: Vec<Record> = (0..MANY)
        .map(|number| numbered(&format!("{number:04}"), 21 + number))
        .collect();
    batch.push(tombstone(&key("gone"), version(20)));
    store.apply(&batch, Origin::Drained).await.unwrap();
    assert_eq!(database.ids().len(), 1 + MANY as usize);
    assert_eq!(load(&*store, "gone").await, None);
}

async fn a_late_issued_record_is_refused(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    for late in [numbered("gone", 20), numbered("here", 11)] {
        let batch = [numbered("new", 21), late.clone()];
        for batch in [&batch[..], &batch[1..]] {
            let applied = store.apply(batch, ISSUED).await;
            assert!(matches!(applied, Err(Error::Fenced)), "{applied:?}");
        }
    }
    assert_eq!(load(&*store, "new").await, None);
    assert_eq!(load(&*store, "here").await, Some(numbered("here", 10)));
    let newer = [numbered("gone", 21), numbered("here", 22)];
    store.apply(&newer, ISSUED).await.unwrap();
    assert_eq!(load(&*store, "gone").await, Some(numbered("gone", 21)));
}

async fn a_late_condition_is_not_judged(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    let proposal = |at| {
        let mut write = Write::put(key("gone"), numbered("gone", 20).body.unwrap());
        write.condition = Condition::Absent;
        Proposal {
            write,
            version: at,
            beside: None,
        }
    };
    let late = store.transact(&[proposal(Some(version(20)))], None).await;
    assert!(matches!(late, Err(Error::Fenced)), "{late:?}");
    assert_eq!(load(&*store, "gone").await, None);
    // The database itself issues none that is as old, whatever its clock says.
    let ahead = crate::suite::ahead_of_the_clock();
    apply(&*store, &tombstone(&key("ahead"), ahead)).await;
    assert_eq!(purge(&*store, ahead.get()).await, 1);
    let verdicts = store.transact(&[proposal(None)], None).await.unwrap();
    let [Decision::Written(issued)] = verdicts[..] else {
        panic!("{verdicts:?}");
    };
    assert!(issued > ahead);
}

async fn a_condition_that_fails_leaves_no_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("here", 10)).await;
    let write = |name: &str, condition| Proposal {
        write: Write {
            condition,
            ..Write::put(key(name), numbered(name, 20).body.unwrap())
        },
        version: Some(version(20)),
        beside: None,
    };
    let proposals = [
        write("absent", Condition::Exists),
        write("new", Condition::Absent),
        write("here", Condition::Absent),
    ];
    let verdicts = store.transact(&proposals, None).await.unwrap();
    let expected = [
        Decision::ConditionFailed,
        Decision::Written(version(20)),
        Decision::ConditionFailed,
    ];
    assert_eq!(verdicts, expected);
    let left: Vec<String> = database.ids().into_keys().collect();
    assert_eq!(left, ["here", "new"]);
}

async fn what_was_purged_counts_as_the_newest(implementation: Implementation) {
    let database = implementation.new_database();
    let store = purged(&database).await;
    expect_newest(&*store, version(20)).await;
    drop(store);
    let store = database.open().await;
    expect_newest(&*store, version(20)).await;
    let keys = ["here", "gone"].map(key);
    let versions = versions_of(&*store, &keys).await.unwrap();
    assert_eq!(versions[&keys[0]], version(10));
    assert_eq!(versions[&keys[1]], version(20));
    apply(&*store, &numbered("new", 30)).await;
    expect_newest(&*store, version(30)).await;
}

async fn two_purgers_at_once_remove_each_row_once(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let tombstones: Vec<Record> = (1..=100)
        .map(|at| tombstone(&key(&format!("{at:03}")), version(at)))
        .collect();
    store.apply(&tombstones, Origin::Drained).await.unwrap();
    apply(&*store, &numbered("live", 50)).await;
    let work = || {
        let store = store.clone();
        tokio::spawn(async move {
            let mut all = 0;
            loop {
                let floor = store.purged_through().await.unwrap();
                match store.purge(up_to(floor.get(), 90, 4)).await {
                    Ok(Purged::Through {
                        removed, is_all, ..
                    }) => {
                        all += removed;
                        if is_all {
                            return all;
                        }
                    }
                    Ok(Purged::Elsewhere | Purged::HeldUp { .. }) => {}
                    // One waits for the other, and no longer than a second.
                    Err(Error::Unavailable { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    };
    let (one, other) = (work(), work());
    assert_eq!(one.await.unwrap() + other.await.unwrap(), 90);
    assert_eq!(database.ids().len(), 11);
}

/// A writer that the purge waits for, and that waits for the purge.
async fn writes_and_purges_at_once_lose_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for at in 1..=60 {
                let batch = [
                    tombstone(&key(&format!("gone {at}")), version(at * 10)),
                    numbered(&format!("kept {}", at % 5), at * 10 + 1),
                ];
                store.apply(&batch, ISSUED).await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let newest = store.newest_version().await.unwrap().get();
        let floor = store.purged_through().await.unwrap().get();
        let through = newest.saturating_sub(1).max(floor);
        match store.purge(up_to(floor, through, 3)).await {
            Ok(_) | Err(Error::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writer.await.unwrap();
    purge(&*store, 600).await;
    for number in 0..5 {
        let at = (56..=60).find(|at| at % 5 == number).unwrap();
        let name = format!("kept {number}");
        assert_eq!(
            load(&*store, &name).await,
            Some(numbered(&name, at * 10 + 1))
        );
    }
    assert_eq!(database.ids().len(), 5);
}

on_every_store!([
    only_old_tombstones_are_purged,
    purging_goes_on_in_steps_of_old_rows,
    a_step_from_an_outdated_floor_does_nothing,
    a_step_beside_a_journal_does_nothing,
    a_late_drained_record_stays_deleted,
    a_late_replayed_record_makes_its_row,
    a_large_late_batch_is_applied_in_part,
    a_late_issued_record_is_refused,
    a_late_condition_is_not_judged,
    a_condition_that_fails_leaves_no_row,
    what_was_purged_counts_as_the_newest,
    two_purgers_at_once_remove_each_row_once,
    writes_and_purges_at_once_lose_nothing,
]);
