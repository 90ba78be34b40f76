//! What every store promises of writes that it judges upon the rows that they
//! would replace.

use std::sync::Arc;

use cache_core::error::Error;
use cache_core::model::decision::Decision;
use cache_core::model::record::{Condition, Record, Write};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::store::{Origin, Proposal, Store};
use tokio::task::JoinSet;

use crate::suite::{ahead_of_the_clock, key, tombstone, version};
use crate::{Database, Implementation, apply, load, numbered, user};

/// A write of a user whose occupation is `text`; its version, where it has one.
fn put(name: &str, condition: Condition, text: &str, at: Option<u64>) -> Proposal {
    let body = user(name, 0, 30, text).body.unwrap();
    Proposal {
        write: Write {
            condition,
            ..Write::put(key(name), body)
        },
        version: at.map(version),
        beside: None,
    }
}

fn delete(name: &str, at: Option<u64>) -> Proposal {
    Proposal {
        write: Write::delete(key(name)),
        version: at.map(version),
        beside: None,
    }
}

fn is(numbers: &[u64]) -> Condition {
    Condition::Is(numbers.iter().copied().map(version).collect())
}

fn is_not(numbers: &[u64]) -> Condition {
    Condition::IsNot(numbers.iter().copied().map(version).collect())
}

fn written(at: u64) -> Decision {
    Decision::Written(version(at))
}

/// What is there, as the engines take it: what never was is older than all.
async fn current(store: &dyn Store, name: &str) -> Record {
    let record = load(store, name).await;
    record.unwrap_or_else(|| Record::absent(key(name)))
}

async fn transact(store: &dyn Store, proposals: &[Proposal]) -> Vec<Decision> {
    store.transact(proposals, None).await.unwrap()
}

impl Database {
    /// A row that no service has written.
    fn insert_unversioned(&self, name: &str) {
        self.execute(&format!(
            "INSERT INTO users (name, age, occupation) VALUES ('{name}', 30, 'unversioned')"
        ));
    }
}

async fn each_condition_holds_for_the_rows_that_it_names(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    // Of: a name that never was, a live one, a tombstone, a row of no service.
    let cases = [
        (Condition::Always, [true, true, true, true]),
        (Condition::Exists, [false, true, false, true]),
        (Condition::Absent, [true, false, true, false]),
        (is(&[]), [false, false, false, false]),
        (is(&[50]), [false, true, false, false]),
        (is(&[51, 50, 49]), [false, true, false, false]),
        (is(&[49, 51]), [false, false, false, false]),
        (is(&[0]), [false, false, false, true]),
        (is_not(&[]), [true, true, true, true]),
        (is_not(&[50]), [true, false, true, true]),
        (is_not(&[51, 50, 49]), [true, false, true, true]),
        (is_not(&[0]), [true, true, true, false]),
    ];
    for (case, (condition, expected)) in cases.into_iter().enumerate() {
        for given in [Some(60), None] {
            let names = ["never", "live", "dead", "unversioned"]
                .map(|kind| format!("{kind} {case} {given:?}"));
            apply(&*store, &numbered(&names[1], 50)).await;
            apply(&*store, &tombstone(&key(&names[2]), version(50))).await;
            database.insert_unversioned(&names[3]);
            let mut before = Vec::new();
            for name in &names {
                before.push(current(&*store, name).await);
            }
            let proposals: Vec<Proposal> = names
                .iter()
                .map(|name| put(name, condition.clone(), "new", given))
                .collect();
            let verdicts = transact(&*store, &proposals).await;
            for place in 0..names.len() {
                let after = current(&*store, &names[place]).await;
                match verdicts[place] {
                    Decision::Written(at) if expected[place] => {
                        assert!(given.is_none_or(|given| given == at.get()));
                        assert_eq!(after, proposals[place].write.at(at));
                    }
                    Decision::ConditionFailed if !expected[place] => {
                        assert_eq!(after, before[place]);
                    }
                    verdict => panic!("{verdict:?} of {} by {condition:?}", names[place]),
                }
            }
        }
    }
}

async fn each_is_judged_upon_what_those_before_it_left(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    apply(&*store, &numbered("b", 5)).await;
    let failed = Decision::ConditionFailed;
    let proposals = [
        (put("a", Condition::Exists, "1", Some(10)), failed),
        (put("a", Condition::Absent, "2", Some(11)), written(11)),
        (put("b", is(&[5]), "3", Some(12)), written(12)),
        (put("a", Condition::Absent, "4", Some(13)), failed),
        (put("b", is(&[5]), "5", Some(14)), failed),
        (delete("a", Some(15)), written(15)),
        (delete("a", Some(16)), failed),
        (put("b", is(&[12]), "6", Some(17)), written(17)),
        (put("a", is_not(&[11]), "7", Some(18)), written(18)),
        (delete("c", Some(19)), failed),
        (put("c", Condition::Always, "8", Some(20)), written(20)),
        (delete("c", Some(21)), written(21)),
    ];
    let (proposals, expected): (Vec<_>, Vec<_>) = proposals.into_iter().unzip();
    assert_eq!(transact(&*store, &proposals).await, expected);
    for (name, number, occupation) in [("a", 18, "7"), ("b", 17, "6")] {
        let expected = user(name, number, 30, occupation);
        assert_eq!(current(&*store, name).await, expected);
    }
    let deleted = tombstone(&key("c"), version(21));
    assert_eq!(current(&*store, "c").await, deleted);
    assert_eq!(transact(&*store, &[]).await, []);
}

async fn a_given_version_that_is_not_newer_takes_no_effect(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    for (name, held) in [
        ("live", numbered("live", 50)),
        ("dead", tombstone(&key("dead"), version(50))),
    ] {
        apply(&*store, &held).await;
        for given in [1, 49, 50] {
            // What is newer may have been judged without it.
            let unconditional = put(name, Condition::Always, "new", Some(given));
            assert_eq!(transact(&*store, &[unconditional]).await, [Decision::Retry]);
            assert_eq!(current(&*store, name).await, held);
            // It holds of what is newer than itself.
            let conditional = put(name, is_not(&[7]), "new", Some(given));
            assert_eq!(transact(&*store, &[conditional]).await, [Decision::Retry]);
            let fails = put(name, is(&[7]), "new", Some(given));
            assert_eq!(
                transact(&*store, &[fails]).await,
                [Decision::ConditionFailed]
            );
            assert_eq!(current(&*store, name).await, held);
        }
        // One that is old leaves the others as they are.
        let proposals = [
            put(name, Condition::Always, "1", Some(51)),
            put(name, Condition::Always, "2", Some(49)),
            put(name, is(&[51]), "3", Some(51)),
            put(name, is(&[51]), "4", Some(52)),
        ];
        let superseded = Decision::Retry;
        let expected = [written(51), superseded, superseded, written(52)];
        assert_eq!(transact(&*store, &proposals).await, expected);
        assert_eq!(current(&*store, name).await, user(name, 52, 30, "4"));
    }
}

async fn versions_are_issued_above_the_row_and_the_clock(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let ahead = ahead_of_the_clock();
    apply(&*store, &numbered("behind", 50)).await;
    apply(&*store, &numbered("ahead", ahead.get())).await;
    apply(&*store, &numbered("last", Version::MAX.get())).await;
    let proposals = ["never", "behind", "ahead", "ahead", "last"]
        .map(|name| put(name, Condition::Always, "new", None));
    let before = Version::now();
    let verdicts = transact(&*store, &proposals).await;
    let after = Version::now();
    for verdict in &verdicts[..2] {
        let Decision::Written(at) = verdict else {
            panic!("{verdict:?}");
        };
        assert!((before..=after).contains(at), "{at}");
    }
    assert_eq!(
        verdicts[2..4],
        [written(ahead.get() + 1), written(ahead.get() + 2)]
    );
    // There is no newer one.
    assert_eq!(verdicts[4], Decision::Retry);
    let held = current(&*store, "ahead").await;
    assert_eq!(held, user("ahead", ahead.get() + 2, 30, "new"));
}

async fn what_only_a_cache_has_counts_where_it_is_newer(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let beside = |record: Record, proposal: Proposal| Proposal {
        beside: Some(record),
        ..proposal
    };
    let dead = |name: &str| tombstone(&key(name), version(60));
    apply(&*store, &numbered("live", 50)).await;
    apply(&*store, &numbered("newer", 61)).await;
    let proposals = [
        beside(
            numbered("never", 60),
            put("never", Condition::Exists, "1", Some(70)),
        ),
        beside(dead("live"), put("live", Condition::Exists, "2", Some(70))),
        beside(
            dead("newer"),
            put("newer", Condition::Exists, "3", Some(70)),
        ),
        // It is no newer than that.
        beside(
            numbered("other", 60),
            put("other", Condition::Exists, "4", Some(59)),
        ),
        beside(
            numbered("issued", 1 << 52),
            put("issued", Condition::Exists, "5", None),
        ),
    ];
    let expected = [
        written(70),
        Decision::ConditionFailed,
        written(70),
        Decision::Retry,
        written((1 << 52) + 1),
    ];
    assert_eq!(transact(&*store, &proposals).await, expected);
    assert_eq!(current(&*store, "never").await, user("never", 70, 30, "1"));
    // What the cache has is written by its journal, not by this.
    assert_eq!(current(&*store, "live").await, numbered("live", 50));
    assert_eq!(current(&*store, "newer").await, user("newer", 70, 30, "3"));
    assert_eq!(
        current(&*store, "other").await,
        Record::absent(key("other"))
    );
}

async fn of_what_is_refused_nothing_takes_place(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    database.refuse_occupation("forbidden");
    apply(&*store, &numbered("held", 5)).await;
    for place in 0..3 {
        let mut proposals = vec![
            put("held", Condition::Exists, "fine", None),
            put("new", Condition::Absent, "fine", Some(9)),
        ];
        proposals.insert(place, put("bad", Condition::Always, "forbidden", None));
        let refused = store.transact(&proposals, None).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
        assert_eq!(current(&*store, "held").await, numbered("held", 5));
        for name in ["new", "bad"] {
            assert_eq!(current(&*store, name).await, Record::absent(key(name)));
        }
    }
    // One that is no user at all.
    let mut proposals = [
        put("held", Condition::Always, "fine", None),
        put("bad", Condition::Always, "fine", None),
    ];
    proposals[1].write.body = Some("{}".into());
    let refused = store.transact(&proposals, None).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(current(&*store, "held").await, numbered("held", 5));
    // What another write of its name replaces is never tried.
    let replaced = [
        put("bad", Condition::Always, "forbidden", None),
        put("bad", Condition::Exists, "fine", None),
    ];
    transact(&*store, &replaced).await;
    assert!(current(&*store, "bad").await.body.is_some());
}

/// More than one statement takes, of those that take place too.
async fn many_are_judged_together(implementation: Implementation) {
    let database = implementation.new_database();
    let store = database.open().await;
    let names: Vec<String> = (0..2_400).map(|number| format!("{number:04}")).collect();
    let held: Vec<Record> = names
        .iter()
        .step_by(2)
        .map(|name| numbered(name, 5))
        .collect();
    store.apply(&held, Origin::Issued(None)).await.unwrap();
    let proposals: Vec<Proposal> = names
        .iter()
        .map(|name| put(name, Condition::Exists, "new", Some(9)))
        .collect();
    let verdicts = transact(&*store, &proposals).await;
    for (place, verdict) in verdicts.iter().enumerate() {
        let expected = match place % 2 {
            0 => written(9),
            _ => Decision::ConditionFailed,
        };
        assert_eq!(*verdict, expected, "{place}");
    }
    let live = store.page(None, 10_000).await.unwrap().records;
    assert_eq!(live.len(), held.len());
    assert!(live.iter().all(|record| record.version == version(9)));
}

/// As by two processes, where the database is for several.
async fn two_stores(database: &Database) -> [Arc<dyn Store>; 2] {
    let one = database.open().await;
    let other = match database {
        Database::Sqlite(_) => one.clone(),
        Database::Mysql(_) => database.open().await,
    };
    [one, other]
}

async fn no_increment_is_lost(implementation: Implementation) {
    const EACH: usize = 50;
    let database = implementation.new_database();
    let stores = two_stores(&database).await;
    apply(&*stores[0], &user("count", 1, 30, "0")).await;
    let mut counters = JoinSet::new();
    for counter in 0..4 {
        let store = stores[counter % 2].clone();
        counters.spawn(async move {
            let mut done = 0;
            while done < EACH {
                let held = current(&*store, "count").await;
                let count = User::from_body("count", held.body.as_ref().unwrap())
                    .unwrap()
                    .occupation;
                let count = count.parse::<usize>().unwrap() + 1;
                let next = put("count", is(&[held.version.get()]), &count.to_string(), None);
                match transact(&*store, &[next]).await[..] {
                    [Decision::Written(at)] => {
                        assert!(at > held.version);
                        done += 1;
                    }
                    [Decision::ConditionFailed] => {}
                    ref other => panic!("{other:?}"),
                }
            }
        });
    }
    while let Some(ended) = counters.join_next().await {
        ended.unwrap();
    }
    let count = current(&*stores[0], "count").await.body.unwrap();
    let count = User::from_body("count", &count).unwrap().occupation;
    assert_eq!(count, (4 * EACH).to_string());
}

async fn one_of_those_that_race_creates(implementation: Implementation) {
    const NAMES: usize = 200;
    let database = implementation.new_database();
    let stores = two_stores(&database).await;
    let mut creators = JoinSet::new();
    for creator in 0..4 {
        let store = stores[creator % 2].clone();
        creators.spawn(async move {
            let mut created = Vec::new();
            for name in 0..NAMES {
                let text = creator.to_string();
                let create = put(&format!("{name}"), Condition::Absent, &text, None);
                match transact(&*store, &[create]).await[..] {
                    [Decision::Written(_)] => created.push((name, text)),
                    [Decision::ConditionFailed] => {}
                    ref other => panic!("{other:?}"),
                }
            }
            created
        });
    }
    let mut created: Vec<(usize, String)> = creators.join_all().await.concat();
    created.sort();
    assert_eq!(created.len(), NAMES);
    for (place, (name, creator)) in created.into_iter().enumerate() {
        assert_eq!(name, place, "by one of them each");
        let held = current(&*stores[0], &name.to_string()).await.body.unwrap();
        assert_eq!(User::from_body("", &held).unwrap().occupation, creator);
    }
}

async fn transactions_that_hold_each_others_names_all_take_place(implementation: Implementation) {
    const NAMES: usize = 50;
    const ROUNDS: usize = 12;
    let database = implementation.new_database();
    let stores = two_stores(&database).await;
    let mut writers = JoinSet::new();
    for writer in 0..4_usize {
        let store = stores[writer % 2].clone();
        writers.spawn(async move {
            let mut rng = fastrand::Rng::with_seed(writer as u64);
            for round in 0..ROUNDS {
                // New ones each second round, for which there are no rows yet.
                let mut proposals: Vec<Proposal> = (0..NAMES)
                    .map(|name| format!("{} {name:02}", round / 2))
                    .map(|name| put(&name, Condition::Always, "x", None))
                    .collect();
                rng.shuffle(&mut proposals);
                // Statements without conditions stand in the way too.
                let records: Vec<Record> = proposals
                    .iter()
                    .rev()
                    .map(|proposal| proposal.write.at(version(1 + round as u64)))
                    .collect();
                let (verdicts, applied) = tokio::join!(
                    store.transact(&proposals, None),
                    store.apply(&records, Origin::Drained)
                );
                applied.unwrap();
                for verdict in verdicts.unwrap() {
                    assert!(matches!(verdict, Decision::Written(_)), "{verdict:?}");
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let live = stores[0].page(None, 10_000).await.unwrap().records;
    assert_eq!(live.len(), NAMES * ROUNDS / 2);
}

on_every_store!([
    each_condition_holds_for_the_rows_that_it_names,
    each_is_judged_upon_what_those_before_it_left,
    a_given_version_that_is_not_newer_takes_no_effect,
    versions_are_issued_above_the_row_and_the_clock,
    what_only_a_cache_has_counts_where_it_is_newer,
    of_what_is_refused_nothing_takes_place,
    many_are_judged_together,
    no_increment_is_lost,
    one_of_those_that_race_creates,
    transactions_that_hold_each_others_names_all_take_place,
]);
