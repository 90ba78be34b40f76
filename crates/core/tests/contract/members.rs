//! What every database promises of what it knows of the processes that use a
//! cache.

use std::collections::HashSet;

use cache_core::bypass::protocol::{Member, Statement, View};
use cache_core::model::epoch::Epoch;
use tokio::task::JoinSet;

use crate::{Implementation, StoreWithMembers};

/// A heartbeat of a process that is cut off or not, and trusts nothing now.
pub(crate) fn says(process: &str, beats: u64, cut_off: bool) -> Statement {
    Statement {
        process: process.to_owned(),
        beats,
        cut_off,
        run: String::new(),
        trusts: false,
        lease_ms: 100,
        silent: Vec::new(),
    }
}

/// A heartbeat of a process that trusts the cache while it sends it.
fn renews(process: &str, beats: u64) -> Statement {
    Statement {
        trusts: true,
        ..says(process, beats, false)
    }
}

async fn hear(database: &dyn StoreWithMembers, statement: &Statement) -> View {
    sorted(database.hear(statement).await.unwrap())
}

fn sorted(mut view: View) -> View {
    let name = |member: &Member| member.process.clone();
    view.members.sort_by_key(name);
    view
}

/// The state of the protocol. (Asked by the heartbeat of a process that then
/// leaves.)
async fn known(database: &dyn StoreWithMembers) -> View {
    let mut view = hear(database, &says("looks", 1, false)).await;
    database.leave("looks").await.unwrap();
    view.members.retain(|member| member.process != "looks");
    view
}

fn names(view: &View) -> Vec<&str> {
    let names = view.members.iter();
    names.map(|member| member.process.as_str()).collect()
}

async fn at_first_no_member_is_known(implementation: Implementation) {
    let database = implementation.new_database();
    let database = database.open_with_members().await;
    assert_eq!(known(&*database).await, View::default());
}

/// By the rule, whatever is said in whichever order.
async fn what_is_heard_is_what_follows_from_it(implementation: Implementation) {
    let place = implementation.new_database();
    let mut database = place.open_with_members().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let mut expected = View::default();
    let mut epochs = HashSet::new();
    for step in 0..300 {
        let process = format!("process {}", rng.u8(0..4));
        let mut silent = Vec::new();
        for other in &expected.members {
            if other.process != process && rng.u8(0..10) == 0 {
                silent.push((other.process.clone(), other.beats - rng.u64(0..2)));
            }
        }
        let statement = Statement {
            // Some of it is late.
            beats: 1 + step / 2 + rng.u64(0..20),
            cut_off: rng.u8(0..4) == 0,
            trusts: rng.u8(0..6) == 0,
            lease_ms: rng.u64(0..100_000),
            silent,
            ..says(&process, 0, false)
        };
        expected = sorted(expected.after(&statement));
        assert_eq!(
            hear(&*database, &statement).await,
            expected,
            "{statement:?}"
        );
        epochs.insert(expected.epoch);
        if rng.u8(0..10) == 0 {
            database.leave(&process).await.unwrap();
            expected.members.retain(|member| member.process != process);
        }
        if rng.u8(0..25) == 0 {
            drop(database);
            database = place.open_with_members().await;
        }
    }
    assert!(epochs.len() > 10, "{}", epochs.len());
}

async fn a_database_that_is_opened_again_knows_all(implementation: Implementation) {
    let place = implementation.new_database();
    let database = place.open_with_members().await;
    hear(&*database, &renews("a", 3)).await;
    hear(&*database, &says("b", u64::from(u32::MAX) + 7, true)).await;
    let mut long = says("c", 1, false);
    long.lease_ms = 3_600_000;
    let expected = hear(&*database, &long).await;
    assert_eq!((expected.epoch, expected.bypassed), (Epoch::new(1), true));
    drop(database);
    let database = place.open_with_members().await;
    assert_eq!(known(&*database).await, expected);

    // Those that only wait are not given trust by that.
    let again = hear(&*database, &renews("a", 4)).await;
    assert_eq!((again.epoch, again.bypassed), (Epoch::new(1), true));
    hear(&*database, &says("b", u64::from(u32::MAX) + 8, false)).await;
    let view = hear(&*database, &says("a", 5, false)).await;
    assert_eq!((view.epoch, view.bypassed), (Epoch::new(2), false));
    drop(database);
    let view = known(&*place.open_with_members().await).await;
    assert_eq!((view.epoch, view.bypassed), (Epoch::new(2), false));
}

/// Each of them begins an epoch or comes while another does.
async fn many_may_speak_at_once(implementation: Implementation) {
    const PROCESSES: u64 = 8;
    const ROUNDS: u64 = 12;
    let place = implementation.new_database();
    let database = place.open_with_members().await;
    let mut processes = JoinSet::new();
    for process in 0..PROCESSES {
        let database = database.clone();
        processes.spawn(async move {
            let name = format!("process {process}");
            let mut epoch = Epoch::default();
            for beats in 1..=ROUNDS {
                let cut_off = (beats + process) % 3 == 0;
                let view = hear(&*database, &says(&name, beats, cut_off)).await;
                assert!(view.epoch >= epoch, "{} after {epoch}", view.epoch);
                assert_eq!(view.epoch.get() % 2 == 1, view.bypassed);
                assert!(view.bypassed || !cut_off);
                epoch = view.epoch;
                let me = view.members.iter().find(|member| member.process == name);
                assert_eq!(me.map(|me| (me.beats, me.cut_off)), Some((beats, cut_off)));
            }
        });
    }
    while let Some(ended) = processes.join_next().await {
        ended.unwrap();
    }
    for process in 0..PROCESSES {
        let name = format!("process {process}");
        hear(&*database, &says(&name, ROUNDS + 1, false)).await;
    }
    let view = known(&*database).await;
    assert_eq!(view.members.len() as u64, PROCESSES);
    assert!(!view.bypassed && view.epoch > Epoch::new(1), "{view:?}");
    for member in &view.members {
        assert_eq!((member.beats, member.cut_off), (ROUNDS + 1, false));
    }
}

async fn what_was_said_before_is_not_heard_after(implementation: Implementation) {
    let database = implementation.new_database();
    let database = database.open_with_members().await;
    let expected = hear(&*database, &says("a", 5, false)).await;
    for beats in [5, 4, 1] {
        let late = Statement {
            lease_ms: 7,
            trusts: true,
            ..says("a", beats, true)
        };
        assert_eq!(hear(&*database, &late).await, expected);
    }
    assert_eq!(known(&*database).await, expected);
}

async fn the_silent_are_removed_if_they_said_nothing_since(implementation: Implementation) {
    let database = implementation.new_database();
    let database = database.open_with_members().await;
    for name in ["a", "b", "c"] {
        hear(&*database, &says(name, 5, false)).await;
    }
    database.rely("for good", true).await.unwrap();
    let mut statement = says("c", 6, false);
    statement.silent = [("a", 5), ("b", 4), ("for good", 0), ("absent", 1)]
        .map(|(name, beats)| (name.to_owned(), beats))
        .into();
    let view = hear(&*database, &statement).await;
    assert_eq!(names(&view), ["b", "c", "for good"]);
    assert_eq!(known(&*database).await, view);
}

async fn leaving_removes_that_member_only(implementation: Implementation) {
    let database = implementation.new_database();
    let database = database.open_with_members().await;
    for name in ["a", "A", "b"] {
        hear(&*database, &says(name, 5, false)).await;
    }
    database.leave("A").await.unwrap();
    database.leave("absent").await.unwrap();
    assert_eq!(known(&*database).await.members.len(), 2);
    // It may come back, and count from the start.
    let view = hear(&*database, &says("A", 1, false)).await;
    assert_eq!(view.members.len(), 3);
}

async fn a_cache_that_is_relied_on_is_not_bypassed(implementation: Implementation) {
    let place = implementation.new_database();
    let database = place.open_with_members().await;
    assert_eq!(
        database.rely("journal", true).await.unwrap().epoch,
        Epoch::new(0)
    );
    let view = hear(&*database, &says("a", 1, true)).await;
    assert!(view.relied_upon());
    assert_eq!((view.epoch, view.bypassed), (Epoch::new(0), false));
    drop(database);
    let database = place.open_with_members().await;
    // Again, as by a second process of the kind.
    assert_eq!(
        database.rely("journal", true).await.unwrap().epoch,
        Epoch::new(0)
    );
    let view = hear(&*database, &says("b", 1, true)).await;
    assert_eq!(view.members.len(), 3);
    assert!(!view.bypassed);
    // Until an operator says otherwise.
    place.execute("DELETE FROM cache_members WHERE process = 'journal'");
    let view = hear(&*database, &says("b", 2, true)).await;
    assert_eq!((view.epoch, view.bypassed), (Epoch::new(1), true));
}

async fn a_bypassed_cache_cannot_be_relied_on(implementation: Implementation) {
    let database = implementation.new_database();
    let database = database.open_with_members().await;
    hear(&*database, &says("a", 1, true)).await;
    database.rely("journal", true).await.unwrap_err();
    let view = known(&*database).await;
    assert_eq!((names(&view), view.bypassed), (vec!["a"], true));
    hear(&*database, &says("a", 2, false)).await;
    assert_eq!(
        database.rely("journal", true).await.unwrap().epoch,
        Epoch::new(2)
    );
    assert!(known(&*database).await.relied_upon());
}

on_every_store!([
    at_first_no_member_is_known,
    what_is_heard_is_what_follows_from_it,
    a_database_that_is_opened_again_knows_all,
    many_may_speak_at_once,
    what_was_said_before_is_not_heard_after,
    the_silent_are_removed_if_they_said_nothing_since,
    leaving_removes_that_member_only,
    a_cache_that_is_relied_on_is_not_bypassed,
    a_bypassed_cache_cannot_be_relied_on,
]);
