//! What the contract suites share.

#![allow(
    dead_code,
    unused_macros,
    reason = "each suite uses its own part of this"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::cache::Begun;
use cache_core::error::Result;
use cache_core::journal::Journal;
use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::lease::Held;
use cache_core::model::dataset::Dataset;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::version::Version;
use cache_core::redis::Redis;
use cache_core::settings::CacheUrl;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestError, TestRunner};
use testkit::servers::redis_url;
use tokio::runtime::Handle;

/// Runs every test of a suite for every implementation, as `module::test`. A
/// test is an `async fn` that takes the implementation; one that is not listed
/// is dead code, which the lints refuse. Attributes of an implementation are
/// those of its tests.
macro_rules! contract {
    ([$($(#[$mark:meta])? $module:ident: $implementation:expr),+ $(,)?], $tests:tt) => {
        $( contract!(@module [$(#[$mark])?] $module, $implementation, $tests); )+
    };
    (@module $marks:tt $module:ident, $implementation:expr, [$($test:ident),+ $(,)?]) => {
        mod $module {
            use super::*;

            $( contract!(@test $marks $test, $implementation); )+
        }
    };
    (@test [$($mark:tt)*] $test:ident, $implementation:expr) => {
        $($mark)*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            super::$test($implementation).await;
        }
    };
}

/// The versions of writes that began.
pub(crate) fn issued(begun: Result<Vec<Begun>>) -> Result<Vec<Version>> {
    Ok(begun?.iter().map(|begun| begun.version).collect())
}

/// How long something that must come true may take.
const EVENTUALLY: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

pub(crate) fn key(name: &str) -> Key {
    Key::from(name)
}

pub(crate) fn version(microseconds: u64) -> Version {
    Version::new(microseconds).unwrap()
}

/// A version that the wall clock reaches in an hour.
pub(crate) fn ahead_of_the_clock() -> Version {
    version(Version::now().get() + 3_600_000_000)
}

pub(crate) fn value(key: &Key, version: Version, body: &str) -> Record {
    Record {
        key: key.clone(),
        version,
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
    }
}

pub(crate) fn tombstone(key: &Key, version: Version) -> Record {
    Record {
        key: key.clone(),
        version,
        body: None,
    }
}

/// Several shards, and no power of two.
pub(crate) const SEVERAL: u16 = 3;

/// The identity of data that no other test uses: in several shards, or in one in a suite whose name says so.
pub(crate) fn new_identity() -> String {
    match env!("CARGO_CRATE_NAME").ends_with("on_one_shard") {
        true => new_identity_with(1),
        false => new_identity_with(SEVERAL),
    }
}

/// The same with so many shards, at most 15. There is no database that could be asked for their
/// number, so the last digit of a test's identity says it.
pub(crate) fn new_identity_with(shards: u16) -> String {
    format!("{:015x}{shards:x}", fastrand::u64(..1 << 60))
}

/// The data of such an identity.
pub(crate) fn dataset_of(identity: &str) -> Dataset {
    let last = identity.chars().last().unwrap();
    let shards = last.to_digit(16).unwrap();
    Dataset::new(identity.to_owned(), shards as i32).unwrap()
}

/// A connection of its own to the tests' Redis.
pub(crate) async fn connect_to_redis(identity: &str) -> Arc<Redis> {
    connect_to(&redis_url(), identity).await
}

/// A connection of its own to the Redis at `url`.
pub(crate) async fn connect_to(url: &str, identity: &str) -> Arc<Redis> {
    connect_for(url, &dataset_of(identity)).await
}

/// The same for data whose number of shards a database says.
pub(crate) async fn connect_for(url: &str, dataset: &Dataset) -> Arc<Redis> {
    let Ok(CacheUrl::Redis(url)) = CacheUrl::parse(url) else {
        panic!("this is no Redis URL");
    };
    Redis::connect(url, EVENTUALLY, dataset).await.unwrap()
}

/// What became of the writes, where nothing failed.
pub(crate) fn appended(answers: Vec<Result<Decision>>) -> Result<Vec<Decision>> {
    answers.into_iter().collect()
}

pub(crate) fn put(name: &str, body: &str) -> Write {
    Write::put(key(name), Bytes::copy_from_slice(body.as_bytes()))
}

/// A tombstone, whatever there is.
pub(crate) fn remove(name: &str) -> Write {
    Write {
        body: None,
        ..put(name, "")
    }
}

/// Appends writes that have no condition; returns the records that they became.
pub(crate) async fn append(journal: &dyn Journal, writes: &[Write]) -> Vec<Record> {
    let appended = appended(journal.append(writes).await).unwrap();
    assert_eq!(appended.len(), writes.len());
    let records = writes
        .iter()
        .zip(appended)
        .map(|(write, appended)| match appended {
            Decision::Written(version) => write.at(version),
            other => panic!("{other:?}"),
        });
    records.collect()
}

/// A journal on `redis` whose clean entries stay for `clean`, and which drains
/// every shard itself.
pub(crate) async fn redis_stream_journal(redis: Arc<Redis>, clean: Duration) -> RedisStreamJournal {
    let held = Arc::new(Held::all(15));
    let wait_for = WaitFor::default();
    RedisStreamJournal::open(redis.clone(), redis, wait_for, clean, held)
        .await
        .unwrap()
}

/// Looks until `holds`.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + EVENTUALLY;
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Runs a property on `cases` inputs; shrinks the one that fails.
pub(crate) async fn for_random<S: Strategy>(cases: u32, inputs: S, test: impl AsyncFn(S::Value)) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&inputs, |input| {
            Handle::current().block_on(test(input));
            Ok(())
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => panic!("{reason} for {input:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}
