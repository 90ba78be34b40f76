//! What every store promises of the ceiling: no service has written a version above it, and a
//! row above it is another program's.

use std::sync::Arc;

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Write};
use cache_core::model::version::Version;
use cache_core::store::{Origin, Proposal, Store};
use tokio::task::JoinSet;

use crate::suite::{key, version};
use crate::{Database, Implementation, apply, load, numbered, user};

const ISSUED: Origin = Origin::Issued(None);
const YEAR: u64 = 365 * 24 * 3_600 * 1_000_000;
/// The most that the ceiling is ahead of a version that was written.
const AHEAD: u64 = 2_000_000;

/// That `written` is the newest version of a service.
pub(crate) async fn expect_newest(store: &dyn Store, written: Version) {
    let newest = store.newest_version().await.unwrap().get();
    let ahead = newest.checked_sub(written.get());
    let ahead = ahead.unwrap_or_else(|| panic!("{newest} is below {written}"));
    assert!(ahead <= AHEAD, "{newest} is {ahead} above {written}");
}

impl Database {
    /// Inserts a row, or changes it, as another program may.
    fn put(&self, name: &str, at: u64) {
        self.execute(&format!("DELETE FROM users WHERE name = '{name}'"));
        self.execute(&format!(
            "INSERT INTO users (name, age, occupation, version) VALUES ('{name}', 40, 'x', {at})"
        ));
    }

    /// As another process of the services raises it.
    fn raise_ceiling(&self, to: u64) {
        self.execute(&format!("UPDATE cache_epoch SET reserved_through = {to}"));
    }
}

fn proposal(name: &str, at: Option<Version>) -> Proposal {
    let mut write = Write::put(key(name), numbered(name, 3).body.unwrap());
    write.condition = Condition::Exists;
    Proposal {
        write,
        version: at,
        beside: None,
    }
}

async fn a_row_above_the_ceiling_is_older_than_every_write(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let now = Version::now().get();
    apply(&*store, &numbered("fine", now)).await;
    let mut newest = version(now);
    for far in [now + YEAR, Version::MAX.get() - 5, Version::MAX.get()] {
        for origin in [Origin::Drained, ISSUED] {
            database.put("far", far);
            assert_eq!(load(&*store, "far").await, Some(user("far", 0, 40, "x")));
            let versions = store.versions(&[key("far")]).await.unwrap();
            assert_eq!(versions[&key("far")], Version::ZERO);
            let page = store.page(None, 10).await.unwrap();
            assert_eq!(page.records[0], user("far", 0, 40, "x"));
            expect_newest(&*store, newest).await;
            let write = numbered("far", newest.get() + 1);
            newest = write.version;
            store
                .apply(std::slice::from_ref(&write), origin)
                .await
                .unwrap();
            assert_eq!(load(&*store, "far").await, Some(write));
        }
        database.put("far", far);
        let verdicts = store.transact(&[proposal("far", None)], None).await;
        let [Decision::Written(at)] = verdicts.unwrap()[..] else {
            panic!("it is a value");
        };
        assert!(at.get() < now + YEAR, "{at} comes after the row of {far}");
        expect_newest(&*store, at).await;
        newest = at;
    }
}

/// Also in the process that starts next.
async fn a_row_next_to_the_largest_version_ends_no_start(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("fine", 50)).await;
    drop(store);
    for number in [Version::MAX.get(), Version::MAX.get() - 1_000_000] {
        database.put("last", number);
        let store = database.open().await;
        expect_newest(&*store, version(50)).await;
        apply(&*store, &numbered("last", 60)).await;
        assert_eq!(load(&*store, "last").await, Some(numbered("last", 60)));
    }
}

async fn a_ceiling_next_to_the_largest_version_ends_the_start(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("fine", 50)).await;
    drop(store);
    for number in [Version::MAX.get(), Version::MAX.get() - 1_000_000] {
        database.raise_ceiling(number);
        let Err(Error::BadSetting {
            key: setting,
            reason,
        }) = database.try_open().await.map(drop)
        else {
            panic!("it was opened");
        };
        assert_eq!(setting, "DATABASE_URL");
        assert!(reason.contains(&number.to_string()), "{reason}");
        // What the sentence says.
        database.execute("UPDATE cache_epoch SET reserved_through = NULL");
        let store = database.open().await;
        expect_newest(&*store, version(50)).await;
    }
}

/// A statement that was built with the ceiling before would take the row for another program's.
async fn what_another_process_wrote_is_no_foreign_row(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let now = Version::now().get();
    apply(&*store, &numbered("a", now)).await;
    let mut at = now;
    for origin in [Origin::Drained, ISSUED] {
        at += 60_000_000;
        database.raise_ceiling(at + 5);
        database.put("a", at);
        let older = numbered("a", at - 1);
        store
            .apply(std::slice::from_ref(&older), origin)
            .await
            .unwrap();
        assert_eq!(load(&*store, "a").await, Some(user("a", at, 40, "x")));
        at += 60_000_000;
        database.raise_ceiling(at + 5);
        database.put("a", at);
        let many: Vec<_> = (0..1_100)
            .map(|number| numbered(&format!("b {number:04}"), at - 1))
            .chain([numbered("a", at - 1)])
            .collect();
        store.apply(&many, origin).await.unwrap();
        assert_eq!(load(&*store, "a").await, Some(user("a", at, 40, "x")));
    }
    at += 60_000_000;
    database.raise_ceiling(at + 5);
    database.put("a", at);
    let older = [proposal("a", Some(version(at - 1)))];
    let verdicts = store.transact(&older, None).await.unwrap();
    assert_eq!(verdicts, [Decision::Retry]);
    at += 60_000_000;
    database.raise_ceiling(at + 5);
    database.put("a", at);
    let versions = store.versions(&[key("a")]).await.unwrap();
    assert_eq!(versions[&key("a")], version(at));
}

/// As of a database that an earlier release has made, or that was restored without it.
async fn a_ceiling_that_is_missing_is_found_at_the_start(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let now = Version::now().get();
    apply(&*store, &numbered("a", now)).await;
    drop(store);
    database.put("far", Version::MAX.get());
    database.execute("UPDATE cache_epoch SET reserved_through = NULL");
    let store = database.open().await;
    assert_eq!(store.newest_version().await.unwrap(), version(now));
    apply(&*store, &numbered("a", now - 1)).await;
    assert_eq!(load(&*store, "a").await, Some(numbered("a", now)));
}

async fn a_lowered_ceiling_is_raised_again(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("a", 100_000_000)).await;
    database.raise_ceiling(50);
    for (number, origin) in [(100_000_001, Origin::Drained), (100_000_002, ISSUED)] {
        let record = numbered("a", number);
        store
            .apply(std::slice::from_ref(&record), origin)
            .await
            .unwrap();
        assert_eq!(load(&*store, "a").await, Some(record));
        expect_newest(&*store, version(number)).await;
        database.raise_ceiling(50);
    }
    let judged = [proposal("a", Some(version(100_000_003)))];
    let verdicts = store.transact(&judged, None).await.unwrap();
    assert_eq!(verdicts, [Decision::Written(version(100_000_003))]);
    expect_newest(&*store, version(100_000_003)).await;
}

/// A purged row counts, and one that the ceiling is reserved for does not.
async fn it_is_known_whether_a_version_was_written(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    assert_eq!(store.newest_written(), Version::ZERO);
    for number in 0..5 {
        apply(&*store, &numbered(&format!("{number}"), 10 + number)).await;
    }
    assert_eq!(store.newest_written(), version(14));
    let bound = store.newest_version().await.unwrap();
    for (from, expected) in [(0, true), (14, true), (15, false)] {
        let found = store.has_between(version(from), bound).await.unwrap();
        assert_eq!(found, expected, "{from}");
    }
    database.put("far", bound.get() + 1);
    assert!(!store.has_between(version(15), bound).await.unwrap());
}

on_every_store!([
    a_row_above_the_ceiling_is_older_than_every_write,
    a_row_next_to_the_largest_version_ends_no_start,
    a_ceiling_next_to_the_largest_version_ends_the_start,
    what_another_process_wrote_is_no_foreign_row,
    a_ceiling_that_is_missing_is_found_at_the_start,
    a_lowered_ceiling_is_raised_again,
    it_is_known_whether_a_version_was_written,
]);

/// Each raises the ceiling again and again, since each version is far above the one before.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn processes_that_raise_the_ceiling_at_once_lose_nothing() {
    let database = Implementation::Mysql.new_database();
    let mut writers = JoinSet::new();
    for process in 0..3u64 {
        let store: Arc<dyn Store> = database.open().await;
        writers.spawn(async move {
            for step in 1..=40u64 {
                let at = step * 50_000_000 + process;
                let batch = [
                    numbered("shared", at),
                    numbered(&format!("own {process}"), at),
                ];
                let origin = if step % 2 == 0 {
                    ISSUED
                } else {
                    Origin::Drained
                };
                store.apply(&batch, origin).await.unwrap();
                let newest = store.newest_version().await.unwrap();
                assert!(newest >= version(at), "{newest} is below {at}");
                let held = load(&*store, "shared").await.unwrap().version;
                assert!(held >= version(at), "{held} is below {at}");
            }
        });
    }
    writers.join_all().await;
    let store = database.open().await;
    let last = 40 * 50_000_000 + 2;
    assert_eq!(
        load(&*store, "shared").await,
        Some(numbered("shared", last))
    );
    expect_newest(&*store, version(last)).await;
}
