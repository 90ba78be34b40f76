//! Telling a record that the database refuses, which is set aside, from a
//! database that cannot just now, which is tried again: on the real servers,
//! whose numbers and states are what it is told by.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod at_commit;
mod durability;
mod in_the_record;
mod in_the_server;
mod server;
mod sqlite;

use cache_core::error::{Error, Part, Result};
use cache_core::model::record::{Key, Record};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::store::{Origin, Store};

fn user(name: &str, age: u8, occupation: &str) -> Record {
    let user = User {
        name: name.to_owned(),
        age,
        occupation: occupation.to_owned(),
    };
    Record {
        key: Key::from(name),
        version: Version::new(7).unwrap(),
        body: Some(user.to_body()),
    }
}

fn good(name: &str) -> Record {
    user(name, 7, &format!("as {name}"))
}

fn tombstone(name: &str) -> Record {
    Record {
        body: None,
        ..good(name)
    }
}

fn is_refused(applied: &Result<()>) -> bool {
    let part = Part::Database;
    matches!(applied, Err(Error::Refused { part: of, .. }) if *of == part)
}

fn is_unavailable(applied: &Result<()>) -> bool {
    let part = Part::Database;
    matches!(applied, Err(Error::Unavailable { part: of, .. }) if *of == part)
}

fn is_locked(applied: &Result<()>) -> bool {
    matches!(applied, Err(Error::Locked))
}

/// The record is refused, alone and among others, of which nothing is committed
/// and which are taken without it, over a connection that is in step.
async fn expect_refused(store: &dyn Store, bad: Record) {
    let batch = [good("before"), bad.clone(), good("zz after")];
    for refused in [&batch[..], &batch[1..2]] {
        let applied = store.apply(refused, Origin::Drained).await;
        assert!(is_refused(&applied), "{applied:?}");
        for record in refused {
            assert_eq!(store.load(&record.key).await.unwrap(), None);
        }
    }
    for record in [&batch[0], &batch[2]] {
        store
            .apply(std::slice::from_ref(record), Origin::Drained)
            .await
            .unwrap();
        assert_eq!(
            store.load(&record.key).await.unwrap().as_ref(),
            Some(record)
        );
    }
}
