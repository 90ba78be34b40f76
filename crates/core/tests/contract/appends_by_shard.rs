//! Appends on Redis fail shard by shard, and the journal knows how much waits.

use cache_core::error::{Error, Part, Result};
use cache_core::journal::Journal;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Record, Write};
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::servers::redis_url;

use crate::redis_process::{
    Process, a_name_in_each_shard, command, keys, name_of, names_in_one_shard,
};
use crate::suite::{new_identity, new_identity_with, put};

async fn take_clocks(identity: &str, shards: &[u16]) {
    for shard in shards {
        let pattern = name_of(identity, Shard(*shard), "*.clock");
        let mut words = vec!["DEL".to_owned()];
        words.extend(keys(&redis_url(), &pattern).await);
        let deleted: u32 = command(&redis_url(), &words).await;
        assert_eq!(deleted, 1, "the clock was there");
    }
}

fn appended_at(writes: &[Write], answers: &[Result<Decision>]) -> Vec<Record> {
    let records = writes.iter().zip(answers);
    let mut records: Vec<Record> = records
        .filter_map(|(write, answer)| match answer {
            Ok(Decision::Written(version)) => Some(write.at(*version)),
            _ => None,
        })
        .collect();
    records.sort_by_key(|record| record.version);
    records
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn writes_of_an_unseeded_shard_fail_and_the_others_do_not() {
    let identity = new_identity_with(15);
    let process = Process::start(&redis_url(), &identity).await;
    let journal = &process.journal;
    journal.raise(&Version::ZERO).await.unwrap();
    let names = a_name_in_each_shard(&**journal);
    take_clocks(&identity, &[3, 7, 14]).await;
    // Not in the order of the shards, and twice each.
    let writes: Vec<Write> = names
        .iter()
        .rev()
        .chain(&names)
        .map(|name| put(name, "x"))
        .collect();
    let answers = journal.append(&writes).await;
    assert_eq!(answers.len(), writes.len());
    for (write, answer) in writes.iter().zip(&answers) {
        let shard = journal.shard_of(&write.key);
        match answer {
            Err(Error::Unseeded(Part::Journal)) => assert!([3, 7, 14].contains(&shard.0)),
            Ok(Decision::Written(_)) => assert!(![3, 7, 14].contains(&shard.0)),
            other => panic!("{shard:?}: {other:?}"),
        }
    }
    let mut expected = appended_at(&writes, &answers);
    assert_eq!(expected.len(), 24);
    let sorted = |mut records: Vec<Record>| {
        records.sort_by(|one, other| (one.version, &one.key).cmp(&(other.version, &other.key)));
        records
    };
    assert_eq!(
        sorted(process.all_waiting().await),
        sorted(expected.clone())
    );
    assert_eq!(journal.depth(), 24);

    // Only those that failed are repeated, and all are there once.
    journal.raise(&Version::ZERO).await.unwrap();
    let failed: Vec<Write> = writes
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer.is_err())
        .map(|(write, _)| write.clone())
        .collect();
    expected.extend(process.append(&failed).await);
    assert_eq!(sorted(process.all_waiting().await), sorted(expected));
    assert_eq!(journal.depth(), 30);
}

/// As after a restart, or when an operator says SCRIPT FLUSH.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn nothing_is_appended_twice_when_the_server_has_forgotten_the_scripts() {
    let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let process = Process::start(server.url(), &new_identity()).await;
    let journal = &process.journal;
    journal.raise(&Version::ZERO).await.unwrap();
    let names = a_name_in_each_shard(&**journal);
    let writes: Vec<Write> = names.iter().map(|name| put(name, "x")).collect();
    for round in 1..4_usize {
        command::<(), _>(server.url(), &["SCRIPT", "FLUSH"]).await;
        process.append(&writes).await;
        assert_eq!(process.all_waiting().await.len(), round * names.len());
        assert_eq!(journal.depth(), (round * names.len()) as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_depth_follows_appends_acknowledgements_and_stats() {
    let identity = new_identity();
    let one = Process::start(&redis_url(), &identity).await;
    let other = Process::start(&redis_url(), &identity).await;
    one.journal.raise(&Version::ZERO).await.unwrap();
    assert_eq!((one.journal.depth(), other.journal.depth()), (0, 0));
    let (shard, names) = names_in_one_shard(&*one.journal, 3);
    let writes: Vec<Write> = names.iter().map(|name| put(name, "x")).collect();
    let appended = one.append(&writes).await;
    assert_eq!(one.journal.depth(), 3, "at once");
    assert_eq!(other.journal.depth(), 0, "not yet heard of");
    other.append(&writes[..1]).await;
    assert_eq!(other.journal.depth(), 4, "those of others too");
    assert_eq!(one.journal.depth(), 3);
    one.journal.stats().await.unwrap();
    assert_eq!(one.journal.depth(), 4);
    one.journal
        .acknowledge(shard, appended[1].version, &[])
        .await
        .unwrap();
    assert_eq!(one.journal.depth(), 2, "at once");
    // In another shard.
    let elsewhere = a_name_in_each_shard(&*one.journal)
        .into_iter()
        .find(|name| one.journal.shard_of(&crate::suite::key(name)) != shard)
        .unwrap();
    one.append(&[put(&elsewhere, "x")]).await;
    assert_eq!(one.journal.depth(), 3);
    other.drain().await;
    assert_eq!(other.journal.depth(), 0);
    one.journal.stats().await.unwrap();
    assert_eq!(one.journal.depth(), 0);
}
