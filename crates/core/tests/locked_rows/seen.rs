//! What the store reports about locked rows.

use std::collections::HashSet;

use cache_core::error::Error;
use cache_core::model::record::Key;
use cache_core::model::version::Version;
use cache_core::store::{Locks, Origin, Store};

use crate::holder::{Holder, Lock};
use crate::place::{Place, put};

fn keys(names: &[&str]) -> HashSet<Key> {
    names.iter().map(|name| Key::from(*name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn each_kind_of_lock_is_seen_and_nothing_is_written() {
    for lock in [Lock::ForUpdate, Lock::Insert, Lock::Delete, Lock::Gap] {
        let place = Place::new().await;
        let at = |number| Version::new(number).unwrap();
        let row = |name, age| put(name, age).at(at(u64::from(age)));
        place
            .store
            .apply(&[row("a", 5)], Origin::Drained)
            .await
            .unwrap();
        if lock.has_row() {
            place
                .store
                .apply(&[row("x", 5)], Origin::Drained)
                .await
                .unwrap();
        }
        let holder = Holder::lock(&place.url(), lock).await;
        let batch = [row("a", 9), row("new", 9), row("x", 9)];
        let applied = place.store.apply(&batch, Origin::Drained).await;
        assert!(
            matches!(applied, Err(Error::Locked)),
            "{lock:?}: {applied:?}"
        );
        assert_eq!(place.stored("a").await, Some(row("a", 5)));
        let all: Vec<Key> = batch.iter().map(|record| record.key.clone()).collect();
        let seen = place.store.locks(&all).await.unwrap();
        let (locked, absent): (&[&str], &[&str]) = match lock {
            Lock::Gap => (&[], &["new", "x"]),
            _ => (&["x"], &["new"]),
        };
        let expected = Locks {
            locked: keys(locked),
            absent: keys(absent),
        };
        assert_eq!(seen, expected, "{lock:?}");
        holder.release().await;
        assert_eq!(place.store.locks(&all).await.unwrap().locked, keys(&[]));
        place.store.apply(&batch, Origin::Drained).await.unwrap();
        assert_eq!(place.stored("x").await, Some(row("x", 9)));
    }
}
