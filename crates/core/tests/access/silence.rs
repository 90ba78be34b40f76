//! Processes that send no heartbeats any more, and a database that gets none.

use std::sync::Arc;
use std::time::Duration;

use cache_core::bypass::Mode;
use cache_core::bypass::protocol::View;
use cache_core::error::Part;
use tokio::time::Instant;

use crate::fakes::{Database, FakeCache, Line, Passage, Travel};
use crate::processes::{BEAT, CLOSING, LEASE, Process, assert_safe, eventually, three, throughout};

fn lost() -> Travel {
    Travel {
        passage: Passage::Lost,
        ..Travel::AT_ONCE
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_process_is_waited_for_as_long_as_its_lease_and_no_longer() {
    let (_, [a, b, c]) = three().await;
    // Its last heartbeat is at most so old, and others read it as late.
    b.line.freeze(true);
    let frozen = Instant::now();
    a.is_cut_off().await.unwrap();
    // Its clock may go a little slower than this one.
    let waited = frozen.elapsed();
    assert!(waited >= LEASE, "{waited:?}");
    assert!(
        waited <= LEASE.mul_f64(1.1) + 2 * BEAT + 2 * CLOSING,
        "{waited:?}"
    );
    assert_eq!(a.bypasses(), Some(1));
    assert_safe(&[a.clone(), b.clone(), c.clone()]);
    // It goes on as if nothing had been.
    b.line.freeze(false);
    eventually(|| b.bypasses() == Some(1)).await;
    a.cache.answers(true);
    eventually(|| a.trusts_in(2) && b.trusts_in(2) && c.trusts_in(2)).await;
}

#[tokio::test(start_paused = true)]
async fn each_process_is_waited_for_by_its_own_lease() {
    let (database, [a, ..]) = three().await;
    let (line, cache) = (Line::new(database.clone()), FakeCache::new());
    let long = Process::join_by(line, cache, "long", 2 * LEASE)
        .await
        .unwrap();
    eventually(|| database.view().members.len() == 4).await;
    // Until all have read its heartbeat.
    tokio::time::sleep(2 * BEAT).await;
    long.line.freeze(true);
    let frozen = Instant::now();
    a.is_cut_off().await.unwrap();
    let waited = frozen.elapsed();
    assert!(waited >= 2 * LEASE - 2 * BEAT, "{waited:?}");
    assert!(waited <= 2 * LEASE.mul_f64(1.1) + 3 * BEAT, "{waited:?}");
    assert!(!long.trusts());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_it_bypasses_is_given_up() {
    let (_, [a, b, c]) = three().await;
    a.is_cut_off().await.unwrap();
    eventually(|| b.bypasses() == Some(1) && c.bypasses() == Some(1)).await;
    a.line.freeze(true);
    let all = [a, b, c];
    let waited = eventually(|| {
        assert_safe(&all);
        all[1].trusts_in(2) && all[2].trusts_in(2)
    });
    let waited = waited.await;
    assert!(waited >= LEASE, "{waited:?}");
    assert!(waited <= LEASE.mul_f64(1.1) + 3 * BEAT, "{waited:?}");
    // Its clients are told by the fence, not by it.
    assert_eq!(all[0].bypasses(), Some(1));
}

/// The process that was cut off is gone before all others know that they must not
/// trust the cache. They would not see what is written in the next epoch.
#[tokio::test(start_paused = true)]
async fn no_epoch_begins_while_an_older_one_is_trusted() {
    let (database, [a, b, c]) = three().await;
    let long = Process::join_by(Line::new(database), FakeCache::new(), "long", 4 * LEASE);
    let long = long.await.unwrap();
    tokio::time::sleep(2 * BEAT).await;
    long.line.freeze(true);
    let frozen = Instant::now();
    let cut_off = {
        let a = a.clone();
        tokio::spawn(async move { a.is_cut_off().await })
    };
    eventually(|| !a.trusts() && !b.trusts() && !c.trusts()).await;
    a.access.leave().await;
    cut_off.await.unwrap().unwrap_err();
    let all = [a, b, c, long];
    eventually(|| {
        assert_safe(&all);
        all[1].trusts_in(2) && all[2].trusts_in(2)
    })
    .await;
    assert!(
        frozen.elapsed() >= 4 * LEASE - BEAT,
        "{:?}",
        frozen.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_database_trust_ends_with_the_lease_and_comes_back_with_it() {
    let (database, all) = three().await;
    for process in &all {
        process.line.fares(lost);
    }
    let began = Instant::now();
    throughout(LEASE - 2 * BEAT, || all.iter().all(Process::trusts)).await;
    eventually(|| !all.iter().any(Process::trusts)).await;
    assert!(began.elapsed() <= LEASE + BEAT, "{:?}", began.elapsed());
    throughout(5 * LEASE, || {
        all.iter()
            .all(|process| matches!(process.access.mode(), Mode::Neither(_)))
    })
    .await;
    let began = Instant::now();
    let error = all[0].access.writable(None).await.unwrap_err();
    assert_eq!(error.part(), Some(Part::Database), "{error}");
    assert!(error.to_string().contains("it does not answer"), "{error}");
    assert_eq!(began.elapsed(), Duration::from_secs(3));

    let writer = all[0].access.clone();
    let write = tokio::spawn(async move { writer.writable(None).await });
    for process in &all {
        process.line.fares(|| Travel::AT_ONCE);
    }
    eventually(|| all.iter().all(|process| process.trusts_in(0))).await;
    write.await.unwrap().unwrap();
    assert_eq!(database.view().epoch.get(), 0);
}

/// A lease counts from the request: others count from when the heartbeat arrived,
/// and the answer may take long.
#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_when_it_was_asked_for() {
    let database = Arc::new(Database::default());
    let line = Line::new(database.clone());
    let mut first = true;
    line.fares(move || match std::mem::take(&mut first) {
        true => Travel {
            there: LEASE / 4,
            back: LEASE / 2,
            ..Travel::AT_ONCE
        },
        false => lost(),
    });
    let asked = Instant::now();
    let a = Process::join_by(line, FakeCache::new(), "a", LEASE)
        .await
        .unwrap();
    assert!(a.trusts());
    eventually(|| !a.trusts()).await;
    assert_eq!(asked.elapsed(), LEASE);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_took_longer_than_the_lease_gives_nothing() {
    let database = Arc::new(Database::default());
    let line = Line::new(database.clone());
    line.fares(|| Travel {
        back: LEASE,
        ..Travel::AT_ONCE
    });
    let a = Process::join_by(line, FakeCache::new(), "a", LEASE)
        .await
        .unwrap();
    throughout(10 * LEASE, || !a.trusts()).await;
}

/// Others may conclude from the heartbeat that it does not trust the cache, long
/// before it gets the answer.
#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_trusts_nothing_from_when_it_says_so() {
    let (database, [a, ..]) = three().await;
    a.line.fares(|| Travel {
        back: 3 * LEASE,
        ..Travel::AT_ONCE
    });
    let cut_off = {
        let a = a.clone();
        tokio::spawn(async move { a.is_cut_off().await })
    };
    let said = |process: &str, view: &View| {
        let mut members = view.members.iter();
        members.any(|member| member.process == process && member.cut_off)
    };
    eventually(|| said("a", &database.view())).await;
    assert!(!a.trusts());
    let view = database.view();
    let me = view.members.iter().find(|member| member.process == "a");
    assert!(!me.unwrap().trusts);
    cut_off.await.unwrap().unwrap_err();
}

/// An earlier heartbeat arrives after a later one.
#[tokio::test(start_paused = true)]
async fn a_statement_that_comes_late_changes_nothing() {
    let (_, [a, b, c]) = three().await;
    a.is_cut_off().await.unwrap();
    let mut late = true;
    a.line.fares(move || match std::mem::take(&mut late) {
        true => Travel {
            passage: Passage::Late(3 * LEASE),
            ..Travel::AT_ONCE
        },
        false => Travel::AT_ONCE,
    });
    a.cache.answers(true);
    eventually(|| a.trusts_in(2) && b.trusts_in(2) && c.trusts_in(2)).await;
    throughout(5 * LEASE, || {
        a.trusts_in(2) && b.trusts_in(2) && c.trusts_in(2)
    })
    .await;
}
