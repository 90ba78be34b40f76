//! Entries of a Redis stream that none of us has written: they become dead
//! letters, and nothing else does.

use cache_core::error::{Error, Part};
use cache_core::journal::Journal;
use cache_core::journal::dead_letters::DeadLetters;
use cache_core::model::dead_letter::DeadLetter;
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;
use testkit::servers::redis_url;

use crate::redis_process::{Process, command, just_before, name_of, names_in_one_shard};
use crate::suite::{new_identity, put, remove, version};

struct Strange {
    process: Process,
    identity: String,
    shard: Shard,
    names: Vec<String>,
}

impl Strange {
    async fn new() -> Strange {
        let identity = new_identity();
        let process = Process::start(&redis_url(), &identity).await;
        process.journal.raise(&Version::ZERO).await.unwrap();
        let (shard, names) = names_in_one_shard(&*process.journal, 4);
        Strange {
            process,
            identity,
            shard,
            names,
        }
    }

    /// XADD by hand; returns the entry's id.
    async fn add(&self, id: &str, fields: &[&[u8]]) -> String {
        let stream = name_of(&self.identity, self.shard, "journal");
        let mut words: Vec<&[u8]> = vec![b"XADD", stream.as_bytes(), id.as_bytes()];
        words.extend(fields);
        command(&redis_url(), &words).await
    }

    async fn set_aside(&self) -> u64 {
        let set_aside = self.process.journal.set_aside_undecodable(self.shard);
        set_aside.await.unwrap()
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        self.process.journal.dead_letters(usize::MAX).await.unwrap()
    }

    async fn assert_corrupt(&self) {
        let read = self.process.journal.read(self.shard, Version::ZERO, 1_000);
        match read.await {
            Err(Error::Corrupt {
                part: Part::Journal,
                ..
            }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn each_of_them_becomes_a_dead_letter_and_the_good_ones_stay_in_order() {
    let strange = Strange::new().await;
    let name = |place: usize| strange.names[place].as_bytes();
    let mut good = strange.process.append(&[put(&strange.names[0], "x")]).await;
    // As Redis itself numbers an entry in a stream whose ids are ahead of its time.
    let by_redis = strange.add("*", &[b"k", name(1), b"b", b"{}"]).await;
    assert_eq!(by_redis, format!("{}-1", good[0].version));
    let mut expected = vec![(by_redis, [b"k", name(1), b"b", b"{}"].join(&b' '))];
    let no_key: Vec<Vec<&[u8]>> = vec![
        vec![b"b", b"{}"],
        vec![b"K", b"x"],
        vec![b"key", b"x", b"body", b"y"],
        vec![b"k", b"\xff\xfe", b"b", b"{}"],
        vec![b"", b""],
        vec![b"\xff", b"\0"],
        vec![b"b", b"k", b"x", b"k"],
    ];
    for fields in no_key {
        let next = good.last().unwrap().version.get() + 5;
        let id = strange.add(&format!("{next}-0"), &fields).await;
        expected.push((id, fields.join(&b' ')));
        // The clock of the server is ahead of that id before long.
        let last = version(next);
        strange.process.journal.raise(&last).await.unwrap();
        let names = &strange.names;
        good.extend(
            strange
                .process
                .append(&[put(&names[2], "y"), remove(&names[3])])
                .await,
        );
    }
    strange.assert_corrupt().await;
    assert_eq!(strange.set_aside().await, expected.len() as u64);
    assert_eq!(strange.process.waiting(strange.shard).await, good);
    assert_eq!(strange.set_aside().await, 0, "once");
    assert_eq!(strange.process.waiting(strange.shard).await, good);

    let letters = strange.letters().await;
    assert_eq!(letters.len(), expected.len());
    for (id, bytes) in &expected {
        let letter = letters
            .iter()
            .find(|letter| letter.record.key.as_str().contains(id))
            .unwrap();
        assert!(letter.is_undecodable());
        assert!(letter.record.key.as_str().starts_with(' '));
        let shard = format!("shard {}", strange.shard.0);
        assert!(letter.record.key.as_str().ends_with(&shard));
        assert_eq!(letter.record.body.as_deref(), Some(&bytes[..]));
        let version = id.split('-').next().unwrap();
        assert_eq!(letter.record.version.to_string(), version);
    }
    // In the right shard.
    let stats = strange.process.journal.stats().await.unwrap();
    for of_shard in stats {
        let is_it = of_shard.shard == strange.shard;
        let dead = if is_it { expected.len() } else { 0 };
        assert_eq!(of_shard.dead, dead as u64);
        assert_eq!(of_shard.depth, if is_it { good.len() as u64 } else { 0 });
    }
    // Found and forgotten by their keys, one by one.
    for (place, letter) in letters.iter().enumerate() {
        let journal = &strange.process.journal;
        let (key, version) = (&letter.record.key, letter.record.version);
        let found = journal.dead_letter(key).await.unwrap();
        assert_eq!(found.as_ref(), Some(letter));
        let before = just_before(&letter.record);
        assert!(!journal.forget_dead_letter(key, before).await.unwrap());
        assert!(journal.forget_dead_letter(key, version).await.unwrap());
        assert_eq!(journal.dead_letter(key).await.unwrap(), None);
        assert_eq!(strange.letters().await, letters[place + 1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn more_of_them_than_a_round_trip_takes_are_all_set_aside() {
    let strange = Strange::new().await;
    let good = strange.process.append(&[put(&strange.names[0], "x")]).await;
    let stream = name_of(&strange.identity, strange.shard, "journal");
    let script = "for i = 1, 2500 do redis.call('XADD', KEYS[1], '*', 'x', i) end";
    let words = ["EVAL", script, "1", &stream];
    command::<(), _>(&redis_url(), &words).await;
    let newest = Version::now().get() + 1_000_000;
    strange
        .process
        .journal
        .raise(&version(newest))
        .await
        .unwrap();
    let after = strange.process.append(&[put(&strange.names[0], "y")]).await;
    assert_eq!(strange.set_aside().await, 2_500);
    assert_eq!(strange.letters().await.len(), 2_500);
    let waiting = strange.process.waiting(strange.shard).await;
    assert_eq!(waiting, [good, after].concat());
}

/// A page ends with the entry that the strange one comes right after.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn acknowledging_takes_none_that_was_not_read() {
    let strange = Strange::new().await;
    let good = strange.process.append(&[put(&strange.names[0], "x")]).await;
    strange.add("*", &[b"k", b"a", b"b", b"{}"]).await;
    let page = strange
        .process
        .journal
        .read(strange.shard, Version::ZERO, 1);
    assert_eq!(page.await.unwrap(), good);
    let journal = &strange.process.journal;
    let flushed = [(good[0].key.clone(), good[0].version)];
    journal
        .acknowledge(strange.shard, good[0].version, &flushed)
        .await
        .unwrap();
    assert_eq!(journal.depth(), 1, "the strange one waits");
    // Nor does a reader that reads on skip it.
    let on = journal.read(strange.shard, good[0].version, 9).await;
    assert!(matches!(on, Err(Error::Corrupt { .. })), "{on:?}");
    strange.assert_corrupt().await;
    assert_eq!(strange.set_aside().await, 1);
    assert_eq!(strange.process.waiting(strange.shard).await, []);
}

/// Before every version there is.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_first_id_there_can_be_is_found() {
    let strange = Strange::new().await;
    strange.add("0-1", &[b"k", b"a", b"b", b"{}"]).await;
    strange.assert_corrupt().await;
    assert_eq!(strange.set_aside().await, 1);
    assert_eq!(strange.letters().await[0].record.version, Version::ZERO);
}
