//! What a journal promises beside that when cache and journal live in one
//! server: append and acknowledge change both in one step.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::cache::redis::RedisCache;
use cache_core::cache::{Cache, FillStart, Lifetimes, Lookup};
use cache_core::error::Error;
use cache_core::journal::Journal;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::version::Version;
use cache_core::redis::Redis;
use testkit::servers::redis_url;

use crate::conditional_appends::{self, NAMES};
use crate::redis_process::name_of;
use crate::suite::{
    ahead_of_the_clock, appended, connect_to_redis, eventually, for_random, issued, key,
    new_identity_with, redis_stream_journal, tombstone, value, version,
};
use crate::{acknowledge, append, names_in_one_shard, put, remove};

#[derive(Clone, Copy, Debug)]
pub(crate) enum WithCache {
    /// With so many shards.
    Redis(u16),
}

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(20);

impl WithCache {
    fn new_identity(self) -> String {
        let WithCache::Redis(shards) = self;
        new_identity_with(shards)
    }

    /// Both on one server, with nothing in them and the clock seeded.
    async fn open(self) -> (Arc<dyn Journal>, Arc<dyn Cache>) {
        self.open_with(LONG).await
    }

    /// The same with another lifetime of clean entries.
    async fn open_with(self, clean: Duration) -> (Arc<dyn Journal>, Arc<dyn Cache>) {
        let identity = self.new_identity();
        let (journal, cache) = self.open_again(&identity, clean).await;
        journal.raise(&Version::ZERO).await.unwrap();
        (journal, cache)
    }

    /// Another process on the same data.
    async fn open_again(
        self,
        identity: &str,
        clean: Duration,
    ) -> (Arc<dyn Journal>, Arc<dyn Cache>) {
        let lifetimes = Lifetimes {
            clean,
            absent: LONG,
            in_doubt: LONG,
            fill: LONG,
        };
        match self {
            WithCache::Redis(_) => {
                let redis: Arc<Redis> = connect_to_redis(identity).await;
                (
                    Arc::new(redis_stream_journal(redis.clone(), clean).await),
                    Arc::new(RedisCache::new(redis, lifetimes)),
                )
            }
        }
    }
}

fn delete(name: &str) -> Write {
    Write::delete(key(name))
}

/// A value that takes the place of one that exists.
fn replace(name: &str, body: &str) -> Write {
    Write {
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
        ..delete(name)
    }
}

async fn append_one(journal: &dyn Journal, write: Write) -> Decision {
    *journal.append(&[write]).await[0].as_ref().unwrap()
}

async fn fill(cache: &dyn Cache, record: &Record) {
    let FillStart::Granted(ticket) = cache.begin_fill(&record.key).await.unwrap() else {
        panic!("no ticket")
    };
    assert!(cache.fill(ticket, record).await.unwrap());
}

async fn waiting(journal: &dyn Journal, key: &Key) -> Vec<Record> {
    let waiting = journal
        .read(journal.shard_of(key), Version::ZERO, 1_000)
        .await
        .unwrap();
    waiting
        .into_iter()
        .filter(|record| record.key == *key)
        .collect()
}

pub(crate) async fn it_says_that_it_holds_the_cache(with_cache: WithCache) {
    let (journal, _) = with_cache.open().await;
    assert!(journal.holds_cache());
}

pub(crate) async fn an_appended_value_is_in_the_cache(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    let writes = [
        put("a", "first"),
        put("b", "x"),
        put("a", "second"),
        put("c", "x"),
        remove("c"),
    ];
    let appended = append(&*journal, &writes).await;
    for place in [1, 2, 4] {
        let newest = &appended[place];
        let lookup = cache.get(&newest.key).await.unwrap();
        assert_eq!(lookup, Lookup::Hit(newest.clone()));
    }
}

pub(crate) async fn an_append_voids_the_tickets_of_readers(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    let FillStart::Granted(ticket) = cache.begin_fill(&key("a")).await.unwrap() else {
        panic!("no ticket")
    };
    let appended = append(&*journal, &[put("a", "new")]).await;
    let old = value(&key("a"), version(7), "old");
    assert!(!cache.fill(ticket, &old).await.unwrap());
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::Hit(appended[0].clone()));
}

pub(crate) async fn an_append_ends_an_older_doubt(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    append(&*journal, &[put("dirty", "x")]).await;
    for name in ["missing", "dirty"] {
        let doubt = issued(cache.begin_write(&[key(name)]).await).unwrap()[0];
        let appended = append(&*journal, &[put(name, "new")]).await;
        assert!(appended[0].version > doubt);
        let lookup = cache.get(&key(name)).await.unwrap();
        assert_eq!(lookup, Lookup::Hit(appended[0].clone()));
        // The write that was in flight comes home late.
        cache
            .settle(&[value(&key(name), doubt, "late")])
            .await
            .unwrap();
        let lookup = cache.get(&key(name)).await.unwrap();
        assert_eq!(lookup, Lookup::Hit(appended[0].clone()));
    }
}

pub(crate) async fn a_condition_is_judged_by_what_the_cache_holds(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    append(
        &*journal,
        &[put("dirty", "x"), put("gone", "x"), remove("gone")],
    )
    .await;
    fill(&*cache, &value(&key("clean"), version(7), "x")).await;
    fill(&*cache, &tombstone(&key("clean and gone"), version(7))).await;
    fill(&*cache, &Record::absent(key("absent"))).await;

    for name in ["gone", "clean and gone", "absent"] {
        let held = cache.get(&key(name)).await.unwrap();
        let before = waiting(&*journal, &key(name)).await;
        for write in [delete(name), replace(name, "y")] {
            assert_eq!(
                append_one(&*journal, write).await,
                Decision::ConditionFailed
            );
        }
        assert_eq!(cache.get(&key(name)).await.unwrap(), held);
        assert_eq!(waiting(&*journal, &key(name)).await, before);
    }
    for name in ["dirty", "clean"] {
        for (write, then) in [
            (replace(name, "y"), Some(Bytes::from("y"))),
            (delete(name), None),
        ] {
            let Decision::Written(version) = append_one(&*journal, write).await else {
                panic!("{name} has a value")
            };
            let record = Record {
                key: key(name),
                version,
                body: then,
            };
            let lookup = cache.get(&key(name)).await.unwrap();
            assert_eq!(lookup, Lookup::Hit(record.clone()));
            assert_eq!(waiting(&*journal, &key(name)).await.last(), Some(&record));
        }
        assert_eq!(
            append_one(&*journal, delete(name)).await,
            Decision::ConditionFailed
        );
    }
}

pub(crate) async fn a_condition_is_unknown_where_the_cache_cannot_tell(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    let FillStart::Granted(ticket) = cache.begin_fill(&key("filling")).await.unwrap() else {
        panic!("no ticket")
    };
    let dirty = append(&*journal, &[put("dirty in doubt", "x")]).await;
    issued(
        cache
            .begin_write(&[key("in doubt"), key("dirty in doubt")])
            .await,
    )
    .unwrap();
    for name in ["missing", "filling", "in doubt", "dirty in doubt"] {
        let held = cache.get(&key(name)).await.unwrap();
        for write in [delete(name), replace(name, "y")] {
            assert_eq!(
                append_one(&*journal, write).await,
                Decision::Retry,
                "{name}"
            );
        }
        assert_eq!(cache.get(&key(name)).await.unwrap(), held);
    }
    assert_eq!(waiting(&*journal, &key("missing")).await, []);
    assert_eq!(waiting(&*journal, &key("dirty in doubt")).await, dirty);
    // Nothing was written, so the reader's ticket is still good.
    let read = value(&key("filling"), version(7), "x");
    assert!(cache.fill(ticket, &read).await.unwrap());
    let deleted = append_one(&*journal, delete("filling")).await;
    assert!(matches!(deleted, Decision::Written(_)), "{deleted:?}");
}

pub(crate) async fn writes_of_one_batch_are_judged_one_upon_the_other(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    let batch = [
        put("a", "x"),
        delete("a"),
        delete("a"),
        replace("a", "no"),
        put("a", "again"),
        replace("a", "yes"),
        delete("new"),
        put("new", "x"),
        delete("new"),
    ];
    let answers = appended(journal.append(&batch).await).unwrap();
    use Decision::{ConditionFailed, Retry, Written};
    let [
        Written(first),
        Written(second),
        ConditionFailed,
        ConditionFailed,
        Written(third),
        Written(fourth),
        Retry,
        Written(put),
        Written(deleted),
    ] = answers[..]
    else {
        panic!("{answers:?}")
    };
    assert!(first < second && second < third && third < fourth && put < deleted);
    let of_a = waiting(&*journal, &key("a")).await;
    let expected = [
        value(&key("a"), first, "x"),
        tombstone(&key("a"), second),
        value(&key("a"), third, "again"),
        value(&key("a"), fourth, "yes"),
    ];
    assert_eq!(of_a, expected);
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::Hit(expected[3].clone()));
    let lookup = cache.get(&key("new")).await.unwrap();
    assert_eq!(lookup, Lookup::Hit(tombstone(&key("new"), deleted)));
}

pub(crate) async fn any_conditions_are_judged_one_upon_the_other(with_cache: WithCache) {
    for_random(60, conditional_appends::batches(), async |batches| {
        let (journal, cache) = with_cache.open().await;
        let (_, names) = names_in_one_shard(&*journal, NAMES);
        for record in conditional_appends::before(&names) {
            fill(&*cache, &record).await;
        }
        conditional_appends::run(&*journal, &names, batches).await;
    })
    .await;
}

pub(crate) async fn a_failed_condition_holds_up_no_other_write(with_cache: WithCache) {
    let (journal, _) = with_cache.open().await;
    let (shard, names) = names_in_one_shard(&*journal, 20);
    let batch: Vec<Write> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            if place % 2 == 0 {
                delete(name)
            } else {
                put(name, "x")
            }
        })
        .collect();
    let answers = appended(journal.append(&batch).await).unwrap();
    for (place, answer) in answers.iter().enumerate() {
        assert_eq!(
            matches!(answer, Decision::Written(_)),
            place % 2 == 1,
            "{place}: {answer:?}"
        );
    }
    let waiting = journal.read(shard, Version::ZERO, 99).await.unwrap();
    assert_eq!(waiting.len(), 10);
    assert!(waiting.iter().all(|record| record.body.is_some()));

    // A batch in which every condition fails appends nothing.
    let deletes: Vec<Write> = names.iter().step_by(2).map(|name| delete(name)).collect();
    let answers = appended(journal.append(&deletes).await).unwrap();
    assert!(answers.iter().all(|answer| *answer == Decision::Retry));
    let still = journal.read(shard, Version::ZERO, 99).await.unwrap();
    assert_eq!(still, waiting);
}

pub(crate) async fn acknowledging_marks_what_was_flushed_clean(with_cache: WithCache) {
    let (journal, cache) = with_cache.open_with(SHORT).await;
    let (shard, names) = names_in_one_shard(&*journal, 3);
    let writes = [
        put(&names[0], "x"),
        put(&names[1], "x"),
        remove(&names[1]),
        put(&names[2], "x"),
    ];
    let appended = append(&*journal, &writes).await;
    acknowledge(&*journal, shard, &appended[..3]).await;
    for name in &names[..2] {
        eventually("the flushed one expires", async || {
            cache.get(&key(name)).await.unwrap() == Lookup::Miss
        })
        .await;
    }
    let lookup = cache.get(&key(&names[2])).await.unwrap();
    assert_eq!(lookup, Lookup::Hit(appended[3].clone()));
}

pub(crate) async fn acknowledging_leaves_what_was_written_again_dirty(with_cache: WithCache) {
    let (journal, cache) = with_cache.open_with(SHORT).await;
    let (shard, names) = names_in_one_shard(&*journal, 3);
    let writes = [
        put(&names[0], "x"),
        put(&names[1], "x"),
        put(&names[2], "x"),
    ];
    let flushed = append(&*journal, &writes).await;
    let again = append(&*journal, &[put(&names[0], "y"), remove(&names[1])]).await;
    acknowledge(&*journal, shard, &flushed).await;
    eventually("the one that was not written again expires", async || {
        cache.get(&key(&names[2])).await.unwrap() == Lookup::Miss
    })
    .await;
    for record in &again {
        let lookup = cache.get(&record.key).await.unwrap();
        assert_eq!(lookup, Lookup::Hit(record.clone()));
    }
    assert_eq!(journal.read(shard, Version::ZERO, 9).await.unwrap(), again);
}

pub(crate) async fn acknowledging_in_doubt_leaves_the_doubt(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    let appended = append(&*journal, &[put("a", "x")]).await;
    let doubt = issued(cache.begin_write(&[key("a")]).await).unwrap()[0];
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::InDoubt(Some(appended[0].clone())));
    acknowledge(&*journal, journal.shard_of(&key("a")), &appended).await;
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::InDoubt(None));
    let written = value(&key("a"), doubt, "y");
    cache.settle(std::slice::from_ref(&written)).await.unwrap();
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::Hit(written));
}

pub(crate) async fn cache_and_journal_share_one_clock(with_cache: WithCache) {
    let (journal, cache) = with_cache.open().await;
    let mut newest = Version::ZERO;
    for _ in 0..30 {
        let begun = issued(cache.begin_write(&[key("a")]).await).unwrap()[0];
        let appended = append(&*journal, &[put("a", "x")]).await[0].version;
        assert!(
            newest < begun && begun < appended,
            "{newest} {begun} {appended}"
        );
        newest = appended;
    }
    // Also where the value came from the database.
    let ahead = version(newest.get() + 3_600_000_000);
    fill(&*cache, &value(&key("b"), ahead, "x")).await;
    let Decision::Written(after) = append_one(&*journal, replace("b", "y")).await else {
        panic!("b has a value")
    };
    assert!(after > ahead);
}

pub(crate) async fn two_processes_share_one_sequence(with_cache: WithCache) {
    let identity = with_cache.new_identity();
    let (one, _) = with_cache.open_again(&identity, LONG).await;
    let (other, cache) = with_cache.open_again(&identity, LONG).await;
    // One of them seeds the clock for both.
    one.raise(&Version::ZERO).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for journal in [one.clone(), other.clone()] {
        writers.spawn(async move {
            let mut appended = Vec::new();
            for number in 0..50 {
                appended.extend(append(&*journal, &[put("a", &number.to_string())]).await);
            }
            appended
        });
    }
    let appended = writers.join_all().await;
    for of_one in &appended {
        assert!(of_one.is_sorted_by(|one, next| one.version < next.version));
    }
    let mut all = appended.concat();
    all.sort_by_key(|record| record.version);
    assert_eq!(waiting(&*one, &key("a")).await, all);
    assert_eq!(waiting(&*other, &key("a")).await, all);
    let lookup = cache.get(&key("a")).await.unwrap();
    assert_eq!(lookup, Lookup::Hit(all[99].clone()));
}

/// As when an operator deletes it, or an eviction policy takes it.
pub(crate) async fn a_lost_clock_goes_on_above_all_that_was_ever_appended(of: WithCache) {
    let identity = of.new_identity();
    let (journal, _) = of.open_again(&identity, LONG).await;
    journal.raise(&ahead_of_the_clock()).await.unwrap();
    let Decision::Written(first) = append_one(&*journal, put("lost", "1")).await else {
        panic!("not appended");
    };
    let shard = journal.shard_of(&key("lost"));
    journal.acknowledge(shard, first, &[]).await.unwrap();
    let client = deadpool_redis::redis::Client::open(redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let clock = name_of(&identity, shard, "*.clock");
    let clocks: Vec<String> = deadpool_redis::redis::cmd("KEYS")
        .arg(clock)
        .query_async(&mut connection)
        .await
        .unwrap();
    let deleted: u32 = deadpool_redis::redis::cmd("DEL")
        .arg(clocks)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(deleted, 1, "the clock was there");
    let unseeded = appended(journal.append(&[put("lost", "2")]).await);
    assert!(matches!(unseeded, Err(Error::Unseeded(_))), "{unseeded:?}");
    journal.raise(&Version::ZERO).await.unwrap();
    let Decision::Written(second) = append_one(&*journal, put("lost", "2")).await else {
        panic!("not appended");
    };
    assert!(second > first);
}
