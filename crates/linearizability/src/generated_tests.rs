//! Histories that are made up: those of a register are right, and of others the search and the definition
//! think the same.

use proptest::prelude::*;
use proptest::sample::Index;

use super::atomic_register::{Plan, history, plans};
use super::brute_force::is_linearizable;
use super::check::{Budget, check};
use super::operation::{Operation, Outcome, Seen};
use super::report::Finding;

fn is_refused(history: &[Operation]) -> bool {
    let findings = check(history, Budget::default());
    assert!(!findings.contains(&Finding::Undecided));
    let is_order = |finding: &Finding| matches!(finding, Finding::NotLinearizable(_));
    findings.iter().any(is_order)
}

/// Lets one operation have been answered otherwise, or at another time.
fn falsified(mut history: Vec<Operation>, which: Index, how: u8, other: Index) -> Vec<Operation> {
    let other = history[other.index(history.len())];
    let changed = which.get_mut(&mut history);
    match (how, changed.outcome) {
        (0, Outcome::Saw(_)) => {
            changed.outcome = Outcome::Saw(other.put().map(|value| Seen {
                value,
                version: other.version(),
            }));
        }
        (1, Outcome::Done(_)) => changed.outcome = Outcome::NotMet,
        (2, Outcome::NotMet) => changed.outcome = Outcome::Done(None),
        (3, Outcome::Unknown) => changed.outcome = Outcome::Failed,
        _ => {
            changed.invoked = other.invoked;
            changed.completed = other.completed.max(other.invoked);
        }
    }
    history
}

#[test]
fn thousands_of_operations_with_sixteen_under_way_at_once_are_decided() {
    for seed in 0..4 {
        let mut choices = fastrand::Rng::with_seed(seed);
        let plans: Vec<Plan> = (0..5_000)
            .map(|_| Plan {
                kind: choices.u8(..12),
                around: [choices.u64(..80), choices.u64(..80)],
                is_unanswered: choices.u8(..50) == 0,
                takes_place: choices.bool(),
                age: choices.usize(..3),
            })
            .collect();
        let findings = check(&history(&plans), Budget::default());
        assert!(findings.is_empty(), "{}", findings[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_register_did_is_right(plans in plans(300)) {
        let history = history(&plans);
        let findings = check(&history, Budget::default());
        prop_assert!(findings.is_empty(), "{}", findings[0]);
    }

    #[test]
    fn the_search_and_the_definition_agree(
        plans in plans(8),
        which in any::<[Index; 2]>(),
        how in any::<[u8; 2]>(),
        other in any::<[Index; 2]>(),
    ) {
        let right = history(&plans);
        prop_assert!(is_linearizable(&right));
        let once = falsified(right, which[0], how[0] % 5, other[0]);
        prop_assert_eq!(is_refused(&once), !is_linearizable(&once), "{:#?}", once);
        let twice = falsified(once, which[1], how[1] % 5, other[1]);
        prop_assert_eq!(is_refused(&twice), !is_linearizable(&twice), "{:#?}", twice);
    }
}
