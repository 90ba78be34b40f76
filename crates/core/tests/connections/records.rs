//! What is written and read.

use std::future::Future;
use std::sync::Arc;

use cache_core::bypass::protocol::{Membership, Statement};
use cache_core::error::Result;
use cache_core::model::record::{Condition, Key, Record, Write};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::store::mysql::MysqlStore;
use cache_core::store::{Origin, Proposal, Store};

pub(crate) fn user(name: &str, version: u64) -> Record {
    let user = User {
        name: name.to_owned(),
        age: (version % 151) as u8,
        occupation: format!("at {version}"),
    };
    Record {
        key: Key::from(name),
        version: Version::new(version).unwrap(),
        body: Some(user.to_body()),
    }
}

/// More rows than one statement takes, so that they are in a transaction.
pub(crate) fn many(prefix: &str, version: u64) -> Vec<Record> {
    let names = (0..1_100).map(|number| user(&format!("{prefix} {number:04}"), version));
    names.collect()
}

/// A put on the condition that there is or is no such user.
pub(crate) fn proposal(name: &str, condition: Condition) -> Proposal {
    Proposal {
        write: Write {
            condition,
            ..Write::put(Key::from(name), user(name, 1).body.unwrap())
        },
        version: None,
        beside: None,
    }
}

pub(crate) fn says(process: &str, beats: u64) -> Statement {
    Statement {
        process: process.to_owned(),
        beats,
        cut_off: false,
        run: String::new(),
        trusts: true,
        lease_ms: 60_000,
        silent: Vec::new(),
    }
}

/// Every operation of a store.
pub(crate) const OPERATIONS: [&str; 9] = [
    "load",
    "versions",
    "page",
    "newest version",
    "apply",
    "apply many",
    "transact",
    "hear",
    "health",
];

/// Those that many callers may do at once: health has a timeout of its own, which is short.
pub(crate) fn calls() -> &'static [&'static str] {
    &OPERATIONS[..OPERATIONS.len() - 1]
}

/// Does an operation, in the round that is given.
pub(crate) fn operate(
    store: &Arc<MysqlStore>,
    operation: &'static str,
    round: u64,
) -> impl Future<Output = Result<()>> + Send + 'static {
    let store = store.clone();
    async move {
        let key = Key::from("a");
        match operation {
            "load" => store.load(&key).await.map(drop),
            "versions" => store.versions(&[key]).await.map(drop),
            "page" => store.page(None, 10).await.map(drop),
            "newest version" => store.newest_version().await.map(drop),
            "apply" => store.apply(&[user("a", round)], Origin::Drained).await,
            "apply many" => store.apply(&many("many", round), Origin::Drained).await,
            "transact" => {
                let proposals = [proposal(&format!("t {round}"), Condition::Absent)];
                store.transact(&proposals, None).await.map(drop)
            }
            "hear" => store.hear(&says("p", round)).await.map(drop),
            "health" => {
                let health = store.health().await;
                assert!(health.up, "{health:?}");
                Ok(())
            }
            other => panic!("{other}"),
        }
    }
}
