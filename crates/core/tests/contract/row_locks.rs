//! What MariaDB and MySQL promise while another transaction is in the way.

use std::time::{Duration, Instant};

use cache_core::bypass::protocol::{Statement, View};
use cache_core::error::{Error, Result};
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Condition, Write};
use cache_core::store::{Origin, Proposal, Purge, Purged, Store};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use testkit::servers::TestDatabase;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::members::says;
use crate::suite::{key, tombstone, version};
use crate::{Database, Implementation, StoreWithMembers, apply, load, numbered};

/// After a look at its list of transactions, the server brings the list up to date
/// only once a tenth of a second has passed without another one. So the tests take
/// turns.
const LOOK_AGAIN: Duration = Duration::from_millis(150);
static LOOKING: Mutex<()> = Mutex::const_new(());
const EVENTUALLY: Duration = Duration::from_secs(8);

/// A transaction on rows of a database.
struct Holder<'d> {
    connection: AsyncMysqlConnection,
    database: &'d TestDatabase,
}

impl Holder<'_> {
    async fn begin<'d>(database: &'d Database, statement: &str) -> Holder<'d> {
        let Database::Mysql(database) = database else {
            panic!("this is for MySQL");
        };
        let url = database.url();
        let connection = <AsyncMysqlConnection as AsyncConnection>::establish(&url);
        let mut connection = connection.await.unwrap();
        let begin = format!("START TRANSACTION; {statement}");
        connection.batch_execute(&begin).await.unwrap();
        Holder {
            connection,
            database,
        }
    }

    async fn end(mut self, statement: &str) {
        self.connection.batch_execute(statement).await.unwrap();
    }

    /// Waits until so many transactions of the database wait for a row.
    async fn is_waited_for_by(&self, count: usize) {
        assert!(self.is_waited_for_before(count, || false).await);
    }

    /// The same; `false` if something has `ended` before.
    async fn is_waited_for_before(&self, count: usize, ended: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + EVENTUALLY;
        loop {
            if ended() {
                return false;
            }
            let _alone = LOOKING.lock().await;
            tokio::time::sleep(LOOK_AGAIN).await;
            let waiting = self.database.connections_that_wait().len();
            if waiting == count {
                return true;
            }
            assert!(Instant::now() < deadline, "{waiting} wait");
        }
    }
}

fn proposal(name: &str, number: u64) -> Proposal {
    Proposal {
        write: Write {
            condition: Condition::Exists,
            ..Write::put(key(name), numbered(name, number).body.unwrap())
        },
        version: Some(version(number)),
        beside: None,
    }
}

/// Writes `b` in this epoch, in one of the three ways there are.
async fn write(store: &dyn Store, way: usize, epoch: u64) -> Result<()> {
    let fence = Some(Epoch::new(epoch));
    match way {
        0 => {
            store
                .apply(&[numbered("b", 9)], Origin::Issued(fence))
                .await
        }
        1 => {
            let batch: Vec<_> = (0..1_100)
                .map(|number| numbered(&format!("a {number:04}"), 9))
                .chain([numbered("b", 9)])
                .collect();
            store.apply(&batch, Origin::Issued(fence)).await
        }
        _ => {
            let verdicts = store.transact(&[proposal("b", 9)], fence).await?;
            assert_eq!(verdicts, [Decision::Written(version(9))]);
            Ok(())
        }
    }
}

const WAYS: std::ops::Range<usize> = 0..3;

/// The same, for however long it has to wait.
async fn write_after_all(store: &dyn Store, way: usize, epoch: u64) -> Result<()> {
    loop {
        match write(store, way, epoch).await {
            Err(Error::Locked) => {}
            written => return written,
        }
    }
}

/// What is said, after however many attempts.
async fn hear_after_all(store: &dyn StoreWithMembers, statement: Statement) -> View {
    let deadline = Instant::now() + EVENTUALLY;
    loop {
        match store.hear(&statement).await {
            Ok(view) => return view,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

/// Attempts of a test whose write timed out on the holder.
const TRIES_MAX: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn an_epoch_ends_after_the_writes_that_are_under_way_in_it() {
    for way in WAYS {
        let mut tries = 0;
        while !epoch_ends_after_a_write(way).await {
            tries += 1;
            assert!(tries < TRIES_MAX, "the write never waits for long enough");
        }
    }
}

/// `false` if the write gave up before the end of the epoch was seen to wait for it.
async fn epoch_ends_after_a_write(way: usize) -> bool {
    let database = Implementation::Mysql.new_database();
    let store = database.open_with_members().await;
    apply(&*store, &numbered("b", 5)).await;
    let hold = "SELECT * FROM users WHERE name = 'b' FOR UPDATE";
    let holder = Holder::begin(&database, hold).await;
    let writer = store.clone();
    let written = tokio::spawn(async move { write(&*writer, way, 0).await });
    let seen = async |count| {
        let ended = || written.is_finished();
        holder.is_waited_for_before(count, ended).await
    };
    if !seen(1).await {
        return false;
    }
    let speaker = store.clone();
    let heard = tokio::spawn(async move { hear_after_all(&*speaker, says("a", 1, true)).await });
    let waits = seen(2).await;
    let ended_early = heard.is_finished();
    holder.end("COMMIT").await;
    let heard = heard.await.unwrap();
    match written.await.unwrap() {
        Err(Error::Locked) => return false,
        written => written.unwrap(),
    }
    assert!(!ended_early);
    assert_eq!(heard.epoch, Epoch::new(1));
    assert_eq!(load(&*store, "b").await, Some(numbered("b", 9)));
    let late = write(&*store, way, 0).await;
    assert!(matches!(late, Err(Error::Fenced)), "{late:?}");
    waits
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_write_waits_for_the_end_of_its_epoch_that_is_under_way() {
    for way in WAYS {
        for (end, takes_place) in [("COMMIT", false), ("ROLLBACK", true)] {
            let database = Implementation::Mysql.new_database();
            let store = database.open_with_members().await;
            apply(&*store, &numbered("b", 5)).await;
            let next = "UPDATE cache_epoch SET epoch = 1, bypassed = 1";
            let holder = Holder::begin(&database, next).await;
            let writer = store.clone();
            let written: JoinHandle<_> =
                tokio::spawn(async move { write_after_all(&*writer, way, 0).await });
            holder.is_waited_for_by(1).await;
            holder.end(end).await;
            let written = written.await.unwrap();
            match takes_place {
                true => written.unwrap(),
                false => assert!(matches!(written, Err(Error::Fenced)), "{written:?}"),
            }
            let number = if takes_place { 9 } else { 5 };
            assert_eq!(load(&*store, "b").await, Some(numbered("b", number)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_reliant_process_waits_for_the_end_of_the_bypass() {
    let database = Implementation::Mysql.new_database();
    let store = database.open_with_members().await;
    let next = "UPDATE cache_epoch SET epoch = 1, bypassed = 1";
    let holder = Holder::begin(&database, next).await;
    let relying = store.clone();
    let relies = tokio::spawn(async move { relying.rely("journal", true).await });
    holder.is_waited_for_by(1).await;
    holder.end("COMMIT").await;
    relies.await.unwrap().unwrap_err();
    let view = store.hear(&says("a", 1, true)).await.unwrap();
    assert_eq!(view.members.len(), 1);
}

/// One that was silent says something while another says that it is: it trusts
/// the cache by that, so it must be waited for.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_process_that_is_silent_no_longer_is_not_removed() {
    let database = Implementation::Mysql.new_database();
    let store = database.open_with_members().await;
    store.hear(&says("was silent", 1, false)).await.unwrap();
    let speaks = "UPDATE cache_members SET beats = 2";
    let holder = Holder::begin(&database, speaks).await;
    let mut statement = says("a", 1, false);
    statement.silent = vec![("was silent".to_owned(), 1)];
    let other = store.clone();
    let heard = tokio::spawn(async move { hear_after_all(&*other, statement).await });
    holder.is_waited_for_by(1).await;
    holder.end("COMMIT").await;
    heard.await.unwrap();
    let view = store.hear(&says("a", 2, false)).await.unwrap();
    let member = view
        .members
        .iter()
        .find(|member| member.process == "was silent");
    assert_eq!(
        member.map(|member| (member.beats, member.trusts)),
        Some((2, true))
    );
}

/// A condition is judged upon what the transaction that was in the way has left.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_write_is_judged_upon_what_it_waited_for() {
    let database = Implementation::Mysql.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("b", 5)).await;
    let delete = "UPDATE users SET deleted_at = NOW(), version = 6 WHERE name = 'b'";
    let holder = Holder::begin(&database, delete).await;
    let writer = store.clone();
    let judged = tokio::spawn(async move {
        loop {
            match writer.transact(&[proposal("b", 9)], None).await {
                Err(Error::Locked) => {}
                judged => return judged,
            }
        }
    });
    holder.is_waited_for_by(1).await;
    holder.end("COMMIT").await;
    assert_eq!(judged.await.unwrap().unwrap(), [Decision::ConditionFailed]);
    assert_eq!(load(&*store, "b").await.unwrap().version, version(6));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_purge_step_waits_for_no_locked_row() {
    let database = Implementation::Mysql.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("live", 5)).await;
    for (name, at) in [("a", 10), ("b", 20), ("c", 30)] {
        apply(&*store, &tombstone(&key(name), version(at))).await;
    }
    let purge = |floor| Purge {
        floor: version(floor),
        through: version(40),
        rows_max: 10,
        unless_relied_on_by: None,
    };
    let live = Holder::begin(
        &database,
        "SELECT * FROM users WHERE name = 'live' FOR UPDATE",
    );
    let live = live.await;
    let b = Holder::begin(&database, "SELECT * FROM users WHERE name = 'b' FOR UPDATE");
    let b = b.await;
    let held_up = Purged::HeldUp {
        floor: version(19),
        removed: 1,
    };
    assert_eq!(store.purge(purge(0)).await.unwrap(), held_up);
    assert_eq!(store.purged_through().await.unwrap(), version(19));
    apply(&*store, &numbered("other", 41)).await;
    // Nothing at all can be removed.
    let nothing = Purged::HeldUp {
        floor: version(19),
        removed: 0,
    };
    assert_eq!(store.purge(purge(19)).await.unwrap(), nothing);
    let left: Vec<String> = database.ids().into_keys().collect();
    assert_eq!(left, ["b", "c", "live", "other"]);
    b.end("COMMIT").await;
    let all = Purged::Through {
        floor: version(30),
        removed: 2,
        is_all: true,
    };
    assert_eq!(store.purge(purge(19)).await.unwrap(), all);
    live.end("COMMIT").await;
    let left: Vec<String> = database.ids().into_keys().collect();
    assert_eq!(left, ["live", "other"]);
}
