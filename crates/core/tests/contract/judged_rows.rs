//! What every store promises of writes that meet a newer row which was written on a
//! condition.

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Write};
use cache_core::store::{Origin, Proposal};

use crate::suite::{key, version};
use crate::{Implementation, apply, load, numbered};

const ISSUED: Origin = Origin::Issued(None);

/// Creates the user, on the condition that there was none, at this version.
async fn judge(store: &dyn cache_core::store::Store, name: &str, at: u64) {
    let mut write = Write::put(key(name), numbered(name, at).body.unwrap());
    write.condition = Condition::IsNot([version(1)].into());
    let proposal = Proposal {
        write,
        version: Some(version(at)),
        beside: None,
    };
    let verdicts = store.transact(&[proposal], None).await.unwrap();
    assert_eq!(verdicts, [Decision::Written(version(at))]);
}

/// The condition did not see it, so it cannot count as one that came before.
async fn an_older_write_that_was_issued_is_refused_with_all_its_batch(
    implementation: Implementation,
) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("old", 3)).await;
    for name in ["old", "new"] {
        judge(&*store, name, 50).await;
        for older in [4, 49] {
            let batch = [numbered("a", older), numbered(name, older)];
            let applied = store.apply(&batch, ISSUED).await;
            assert!(matches!(applied, Err(Error::Fenced)), "{applied:?}");
            assert_eq!(load(&*store, "a").await, None);
            assert_eq!(load(&*store, name).await, Some(numbered(name, 50)));
        }
    }
}

/// As when the first answer was lost.
async fn the_same_write_again_changes_nothing(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    judge(&*store, "a", 50).await;
    store.apply(&[numbered("a", 50)], ISSUED).await.unwrap();
    assert_eq!(load(&*store, "a").await, Some(numbered("a", 50)));
    let older = store.apply(&[numbered("a", 49)], ISSUED).await;
    assert!(matches!(older, Err(Error::Fenced)), "{older:?}");
}

/// What came before that one, came after the condition.
async fn an_older_write_counts_again_once_an_unconditional_one_has_replaced_the_row(
    implementation: Implementation,
) {
    let database = implementation.new_database();
    let store = database.open().await;
    judge(&*store, "a", 50).await;
    store.apply(&[numbered("a", 60)], ISSUED).await.unwrap();
    store.apply(&[numbered("a", 49)], ISSUED).await.unwrap();
    assert_eq!(load(&*store, "a").await, Some(numbered("a", 60)));
}

/// The journal knew the order of its conditions, and says nothing of others.
async fn what_is_drained_is_ordered_already(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    judge(&*store, "a", 50).await;
    store
        .apply(&[numbered("a", 49)], Origin::Drained)
        .await
        .unwrap();
    assert_eq!(load(&*store, "a").await, Some(numbered("a", 50)));
    store
        .apply(&[numbered("a", 60)], Origin::Drained)
        .await
        .unwrap();
    let older = store.apply(&[numbered("a", 49)], ISSUED).await;
    assert!(matches!(older, Err(Error::Fenced)), "{older:?}");
    assert_eq!(load(&*store, "a").await, Some(numbered("a", 60)));
}

on_every_store!([
    an_older_write_that_was_issued_is_refused_with_all_its_batch,
    the_same_write_again_changes_nothing,
    an_older_write_counts_again_once_an_unconditional_one_has_replaced_the_row,
    what_is_drained_is_ordered_already,
]);
