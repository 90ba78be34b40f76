//! One entry of a Redis stream holds a batch of writes: acknowledged in part, cut by conditions, damaged by another
//! program, and counted.

use bytes::Bytes;
use cache_core::cache::Lookup;
use cache_core::error::{Error, Part};
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Key, Record, Write};
use cache_core::model::shard::{Shard, ShardStats};
use cache_core::model::version::Version;
use testkit::servers::redis_url;

use crate::acknowledge;
use crate::page_through;
use crate::redis_process::{Crashed, Process, command, name_of, names_in_one_shard};
use crate::suite::{key, new_identity, put, remove, version};

/// A process on a Redis, and names of one shard.
struct Site {
    process: Process,
    url: String,
    identity: String,
    shard: Shard,
    names: Vec<String>,
}

type RawEntry = (String, Vec<Vec<u8>>);

impl Site {
    async fn new(names: usize) -> Site {
        let (url, identity) = (redis_url(), new_identity());
        let process = Process::start(&url, &identity).await;
        process.journal.raise(&Version::ZERO).await.unwrap();
        Site::of(process, url, identity, names)
    }

    fn of(process: Process, url: String, identity: String, names: usize) -> Site {
        let (shard, names) = names_in_one_shard(&*process.journal, names);
        Site {
            process,
            url,
            identity,
            shard,
            names,
        }
    }

    /// A batch that puts `body` under all names.
    fn batch(&self, body: &str) -> Vec<Write> {
        self.names.iter().map(|name| put(name, body)).collect()
    }

    fn name(&self, name: &str) -> String {
        name_of(&self.identity, self.shard, name)
    }

    async fn stats(&self) -> ShardStats {
        let stats = self.process.journal.stats().await.unwrap();
        stats[usize::from(self.shard.0)]
    }

    async fn entries(&self) -> Vec<RawEntry> {
        command(&self.url, &["XRANGE", &self.name("journal"), "-", "+"]).await
    }

    /// Whether that many writes wait, as the statistics and a read say.
    async fn assert_waiting(&self, expected: &[Record]) {
        assert_eq!(self.process.waiting(self.shard).await, expected);
        let stats = self.stats().await;
        assert_eq!(stats.depth, expected.len() as u64);
        assert_eq!(stats.oldest, expected.first().map(|record| record.version));
        assert_eq!(stats.bytes > 0, stats.depth > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_rest_of_an_entry_waits_after_a_crash() {
    let mut crashed = Crashed::new().await;
    let url = crashed.server.url().to_owned();
    let other = crashed.another().await;
    let site = Site::of(other, url, crashed.identity.clone(), 5);
    let batch = site.process.append(&site.batch("x")).await;
    acknowledge(&*crashed.process.journal, site.shard, &batch[..2]).await;
    site.assert_waiting(&batch[2..]).await;
    assert_eq!(site.stats().await.oldest_held, Some(batch[0].version));
    crashed.crash().await;
    site.process.reconnect().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    site.assert_waiting(&batch[2..]).await;
    // Only what waits is brought back into the cache.
    for (place, record) in batch.iter().enumerate() {
        let held = site.process.get(record.key.as_str()).await;
        let expected = match place {
            0 | 1 => Lookup::Miss,
            _ => Lookup::Hit(record.clone()),
        };
        assert_eq!(held, expected, "{place}");
    }
    let after = site.process.append(&site.batch("y")).await;
    let all = [&batch[2..], &after].concat();
    site.assert_waiting(&all).await;
    // Across the border of two entries, then the rest.
    for through in [4, 3, 1] {
        let waiting = site.process.waiting(site.shard).await;
        acknowledge(&*site.process.journal, site.shard, &waiting[..through]).await;
        site.assert_waiting(&waiting[through..]).await;
    }
    assert_eq!(site.stats().await.oldest_held, None);
    assert_eq!(site.entries().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_entry_whose_mark_is_lost_waits_as_a_whole() {
    let site = Site::new(5).await;
    let batch = site.process.append(&site.batch("x")).await;
    acknowledge(&*site.process.journal, site.shard, &batch[..3]).await;
    let numbers = |numbers: [f64; 4]| numbers.map(f64::to_le_bytes).concat();
    for lost in [
        Vec::new(),
        b"1 2 3 4".to_vec(),
        numbers([1.0, 2.0, 90.0, 9_007_199_254_740_991.0]),
        numbers([1.0, 2.0, 90.0, f64::NAN]),
        numbers([1.0, 2.0, 90.0, -1.0]),
        numbers([1.0, 0.5, 90.0, batch[1].version.get() as f64]),
    ] {
        let name = site.name("waiting");
        let words = [b"SET".as_slice(), name.as_bytes(), &lost];
        command::<(), _>(&site.url, &words).await;
        assert_eq!(site.process.waiting(site.shard).await, batch, "{lost:?}");
    }
    command::<(), _>(&site.url, &["DEL", &site.name("waiting")]).await;
    site.assert_waiting(&batch).await;
    // What was clean stays so.
    acknowledge(&*site.process.journal, site.shard, &batch).await;
    site.assert_waiting(&[]).await;
    for record in &batch {
        let held = site.process.get(record.key.as_str()).await;
        assert_eq!(held, Lookup::Hit(record.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn conditions_cut_an_entry_in_its_middle() {
    let site = Site::new(8).await;
    let long = "x".repeat(300);
    let named = |place: usize| &*site.names[place];
    let tall = "n".repeat(200);
    let tall = (0..)
        .map(|number| format!("{tall}{number}"))
        .find(|name| site.process.journal.shard_of(&key(name)) == site.shard)
        .unwrap();
    let before = site.process.append(&[put(named(0), "0")]).await;
    let is = |write: Write, versions: &[Version]| Write {
        condition: Condition::Is(versions.into()),
        ..write
    };
    let batch = [
        is(put(named(0), "1"), &[before[0].version]),
        is(put(named(0), "never"), &[before[0].version]),
        put(named(1), &long),
        Write {
            condition: Condition::Exists,
            ..put(named(2), "unknown")
        },
        Write {
            condition: Condition::Absent,
            ..put(named(1), "never")
        },
        remove(named(1)),
        put(&tall, &long),
        is(put(named(0), "never"), &[]),
    ];
    let answers = site.process.journal.append(&batch).await;
    let answers: Vec<Decision> = answers.into_iter().map(Result::unwrap).collect();
    let Decision::Written(first) = answers[0] else {
        panic!("{answers:?}")
    };
    let at = |more: u64| version(first.get() + more);
    let (failed, unknown) = (Decision::ConditionFailed, Decision::Retry);
    assert_eq!(
        answers,
        [
            Decision::Written(first),
            failed,
            Decision::Written(at(1)),
            unknown,
            failed,
            Decision::Written(at(2)),
            Decision::Written(at(3)),
            failed,
        ]
    );
    let written = [(0, 0), (2, 1), (5, 2), (6, 3)];
    let written = written.map(|(place, more): (usize, u64)| batch[place].at(at(more)));
    site.assert_waiting(&[&before[..], &written].concat()).await;
    assert_eq!(site.entries().await.len(), 2);
    for record in [&written[0], &written[2], &written[3]] {
        let held = site.process.get(record.key.as_str()).await;
        assert_eq!(held, Lookup::Hit(record.clone()));
    }
    // Where none takes place there is no entry.
    let none = [
        is(put(named(0), "never"), &[]),
        Write::delete(key(named(1))),
    ];
    let answers = site.process.journal.append(&none).await;
    let answers: Vec<Decision> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, [failed; 2]);
    assert_eq!(site.entries().await.len(), 2);
    site.assert_waiting(&[&before[..], &written].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_damaged_entry_is_one_dead_letter() {
    let site = Site::new(3).await;
    let mut good = site.process.append(&site.batch("body")).await;
    let field = site.entries().await[0].1[1].clone();
    let changed = |place: usize, byte: u8| {
        let mut changed = field.clone();
        changed[place] = byte;
        changed
    };
    let damaged: Vec<Vec<Vec<u8>>> = vec![
        vec![b"w".to_vec(), field[..field.len() - 1].to_vec()],
        vec![b"w".to_vec(), field[..5].to_vec()],
        vec![b"w".to_vec(), [&field[..], b"x"].concat()],
        // Another form, no write, a write too few, one too many, another length.
        vec![b"w".to_vec(), changed(0, 2)],
        vec![b"w".to_vec(), changed(1, 0)],
        vec![b"w".to_vec(), changed(1, 2)],
        vec![b"w".to_vec(), changed(1, 4)],
        vec![b"w".to_vec(), changed(3, 200)],
        vec![b"w".to_vec(), field.clone(), b"x".to_vec(), b"y".to_vec()],
        // As an older version wrote it.
        vec![
            b"k".to_vec(),
            b"Jane".to_vec(),
            b"b".to_vec(),
            b"{}".to_vec(),
        ],
        vec![b"k".to_vec(), b"Jane".to_vec()],
    ];
    for fields in &damaged {
        let next = good.last().unwrap().version.get() + 5;
        let (stream, id) = (site.name("journal"), format!("{next}-0"));
        let mut words: Vec<&[u8]> = vec![b"XADD", stream.as_bytes(), id.as_bytes()];
        words.extend(fields.iter().map(Vec::as_slice));
        command::<(), _>(&site.url, &words).await;
        site.process.journal.raise(&version(next)).await.unwrap();
        good.extend(site.process.append(&site.batch("body")).await);
    }
    let read = site
        .process
        .journal
        .read(site.shard, Version::ZERO, 1_000)
        .await;
    let is_corrupt = |error: &Error| {
        matches!(
            error,
            Error::Corrupt {
                part: Part::Journal,
                ..
            }
        )
    };
    assert!(read.as_ref().is_err_and(is_corrupt), "{read:?}");
    assert!(site.stats().await.depth >= (good.len() + damaged.len()) as u64);
    let set_aside = site.process.journal.set_aside_undecodable(site.shard).await;
    assert_eq!(set_aside.unwrap(), damaged.len() as u64);
    site.assert_waiting(&good).await;
    let letters = site.process.journal.dead_letters(99).await.unwrap();
    let mut bodies: Vec<Bytes> = letters
        .into_iter()
        .filter_map(|letter| letter.record.body)
        .collect();
    let mut expected: Vec<Bytes> = damaged
        .iter()
        .map(|fields| fields.join(&b' ').into())
        .collect();
    bodies.sort();
    expected.sort();
    assert_eq!(bodies, expected);
    acknowledge(&*site.process.journal, site.shard, &good).await;
    site.assert_waiting(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_depth_is_right_after_other_programs() {
    let site = Site::new(4).await;
    let mut all = Vec::new();
    for body in ["1", "2", "3", "4", "5"] {
        all.extend(site.process.append(&site.batch(body)).await);
    }
    let stream = site.name("journal");
    let foreign = async |words: &[&str]| command::<(), _>(&site.url, words).await;
    foreign(&["XTRIM", &stream, "MAXLEN", "4"]).await;
    all.drain(..4);
    site.assert_waiting(&all).await;
    // In the middle, and noticed by an append.
    foreign(&["XDEL", &stream, &format!("{}-0", all[7].version)]).await;
    all.drain(4..8);
    all.extend(site.process.append(&site.batch("6")).await);
    assert_eq!(site.process.journal.depth(), all.len() as u64);
    site.assert_waiting(&all).await;
    // Noticed by an acknowledgement.
    foreign(&["XTRIM", &stream, "MAXLEN", "3"]).await;
    all.drain(..4);
    acknowledge(&*site.process.journal, site.shard, &all[..2]).await;
    all.drain(..2);
    assert_eq!(site.process.journal.depth(), all.len() as u64);
    site.assert_waiting(&all).await;
    // Another program's entry counts as one write.
    foreign(&["XADD", &stream, "*", "x", "y"]).await;
    assert_eq!(site.stats().await.depth, all.len() as u64 + 1);
    foreign(&["DEL", &site.name("waiting")]).await;
    // The mark is lost with the counts.
    assert_eq!(site.stats().await.depth, all.len() as u64 + 3);
    let set_aside = site.process.journal.set_aside_undecodable(site.shard).await;
    assert_eq!(set_aside.unwrap(), 1);
    assert_eq!(site.stats().await.depth, all.len() as u64 + 2);
    foreign(&["XTRIM", &stream, "MAXLEN", "0"]).await;
    site.assert_waiting(&[]).await;
    let batch = site.process.append(&site.batch("7")).await;
    site.assert_waiting(&batch).await;
    // What the cache has of a lost stream is brought back.
    foreign(&["DEL", &stream]).await;
    let lost = site
        .process
        .journal
        .read(site.shard, Version::ZERO, 9)
        .await;
    assert!(matches!(lost, Err(Error::Unseeded(_))), "{lost:?}");
    site.process.journal.raise(&Version::ZERO).await.unwrap();
    site.assert_waiting(&batch).await;
    assert_eq!(site.entries().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_full_batch_is_one_entry() {
    let mut crashed = Crashed::new().await;
    let url = crashed.server.url().to_owned();
    let other = crashed.another().await;
    let site = Site::of(other, url, crashed.identity.clone(), 512);
    let mut all = Vec::new();
    for body in ["1", "2", "3"] {
        all.extend(site.process.append(&site.batch(body)).await);
    }
    assert_eq!(site.entries().await.len(), 3);
    site.assert_waiting(&all).await;
    for max in [1_024, 500] {
        assert_eq!(
            page_through(&*site.process.journal, site.shard, max).await,
            all
        );
    }
    acknowledge(&*site.process.journal, site.shard, &all[..700]).await;
    all.drain(..700);
    crashed.crash().await;
    site.process.reconnect().await;
    crashed.process.journal.raise(&Version::ZERO).await.unwrap();
    site.assert_waiting(&all).await;
    for record in &all[324..] {
        let held = site.process.get(record.key.as_str()).await;
        assert_eq!(held, Lookup::Hit(record.clone()));
    }
    let flushed: Vec<(Key, Version)> = all[324..]
        .iter()
        .map(|record| (record.key.clone(), record.version))
        .collect();
    let through = all.last().unwrap().version;
    let journal = &site.process.journal;
    // What waits was read before the crash.
    journal
        .read(site.shard, Version::ZERO, 2_000)
        .await
        .unwrap();
    journal
        .acknowledge(site.shard, through, &flushed)
        .await
        .unwrap();
    site.assert_waiting(&[]).await;
    assert_eq!(site.stats().await.drained, 1_536);
}
