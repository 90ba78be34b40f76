//! What a start does about tables that are not as the migrations make them: the classic
//! table of a demo, one of another program, one that was changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod changed;
mod classic;
mod half_recorded;
mod large;
mod mysql;
mod refused;
mod rights;
mod set_aside;
mod sqlite;

use std::collections::BTreeMap;
use std::sync::Arc;

use cache_core::error::{Error, Result};
use cache_core::model::record::{Key, Record};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::store::{Adoption, Origin, Store};

/// `migrate`, as it is, and with its options.
const MIGRATE: Kind = Kind(false, false);
const NEWEST: Kind = Kind(true, false);
const DRY_NEWEST: Kind = Kind(true, true);

#[derive(Clone, Copy)]
struct Kind(bool, bool);

impl Kind {
    fn adoption(self) -> Adoption {
        Adoption::by_migrate(self.0, self.1)
    }
}

/// A test's own database, which the tests can look into and change.
trait Database {
    async fn start(&self) -> Result<Arc<dyn Store>>;
    async fn migrate(&self, kind: Kind) -> Result<Vec<String>>;
    fn execute(&self, sql: &str);
    fn rows(&self, query: &str) -> Vec<Vec<String>>;
    /// Fails where there is no such index.
    fn drop_index_of_users(&self, index: &str);
    /// Everything that a refused start must leave as it is.
    fn everything(&self) -> Vec<Vec<String>>;
}

/// Runs a check on both databases.
macro_rules! on_both {
    ($($check:ident),+ $(,)?) => {
        mod on_mysql {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs servers"]
                async fn $check() {
                    super::$check(crate::mysql::Mysql::new()).await;
                }
            )+
        }
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $check() {
                    super::$check(crate::sqlite::Sqlite::new()).await;
                }
            )+
        }
    };
}
pub(crate) use on_both;

/// What the start says that ends with exit code 64.
#[track_caller]
fn refusal<T>(outcome: Result<T>) -> String {
    match outcome.map(drop) {
        Err(Error::BadSetting { key, reason }) => {
            assert_eq!(key, "DATABASE_URL");
            assert!(
                reason.contains("users") || reason.contains("cache_"),
                "{reason}"
            );
            reason.to_string()
        }
        other => panic!("{other:?}"),
    }
}

fn user(name: &str, age: u8, occupation: &str) -> User {
    User {
        name: name.to_owned(),
        age,
        occupation: occupation.to_owned(),
    }
}

async fn all(store: &dyn Store) -> BTreeMap<String, User> {
    let page = store.page(None, 1_000).await.unwrap();
    let users = page.records.iter().map(|record| {
        let user = User::from_body(record.key.as_str(), record.body.as_ref().unwrap()).unwrap();
        (user.name.clone(), user)
    });
    users.collect()
}

#[track_caller]
fn expect_users(found: &BTreeMap<String, User>, expected: &[User]) {
    let expected = expected
        .iter()
        .map(|user| (user.name.clone(), user.clone()));
    assert_eq!(*found, expected.collect());
}

/// Each adopted row is read, replaced and deleted by its name.
async fn expect_usable(store: &dyn Store, name: &str) {
    let key = Key::from(name);
    let found = store.load(&key).await.unwrap().unwrap();
    assert_eq!(found.version, Version::ZERO);
    let body = user(name, 77, "changed").to_body();
    let change = |version, body| Record {
        key: key.clone(),
        version: Version::new(version).unwrap(),
        body,
    };
    let changed = change(7, Some(body));
    store
        .apply(std::slice::from_ref(&changed), Origin::Drained)
        .await
        .unwrap();
    assert_eq!(store.load(&key).await.unwrap().unwrap(), changed);
    let deleted = change(8, None);
    store
        .apply(std::slice::from_ref(&deleted), Origin::Drained)
        .await
        .unwrap();
    assert_eq!(store.load(&key).await.unwrap().unwrap(), deleted);
}
