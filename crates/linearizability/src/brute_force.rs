//! The definition of a linearizable history, tried out: every order of every choice of operations.

use super::operation::{Action, Condition, Operation, Outcome, Seen};

/// Whether some order explains all answers. Takes a time that grows beyond all bounds with the operations.
pub(super) fn is_linearizable(history: &[Operation]) -> bool {
    let answered = history.iter().filter(|operation| {
        let is_unanswered_read =
            operation.action == Action::Read && !matches!(operation.outcome, Outcome::Saw(_));
        operation.outcome != Outcome::Failed && !is_unanswered_read
    });
    // A write whose answer has no version may still have one that others saw.
    let version_of = |value| {
        let mut seen = history
            .iter()
            .filter(|operation| operation.seen() == Some(value) || operation.put() == Some(value));
        seen.find_map(Operation::version)
    };
    let rest: Vec<Operation> = answered.copied().collect();
    can_go_on(&rest, None, &version_of)
}

fn can_go_on(
    rest: &[Operation],
    held: Option<u64>,
    version_of: &dyn Fn(u64) -> Option<u64>,
) -> bool {
    if rest
        .iter()
        .all(|operation| operation.outcome == Outcome::Unknown)
    {
        return true;
    }
    (0..rest.len()).any(|place| {
        let next = rest[place];
        let is_first = rest
            .iter()
            .all(|other| other.outcome == Outcome::Unknown || other.completed >= next.invoked);
        let others: Vec<Operation> = rest[..place]
            .iter()
            .chain(&rest[place + 1..])
            .copied()
            .collect();
        is_first
            && after(next, held, version_of)
                .is_some_and(|held| can_go_on(&others, held, version_of))
    })
}

/// What is held after the operation, if its answer is right.
fn after(
    operation: Operation,
    held: Option<u64>,
    version_of: &dyn Fn(u64) -> Option<u64>,
) -> Option<Option<u64>> {
    let is_met = match operation.condition() {
        Condition::IfMatch(version) => held.is_some_and(|held| version_of(held) == Some(version)),
        Condition::IfNoneMatch => held.is_none(),
        Condition::Always => held.is_some() || !matches!(operation.action, Action::Delete(_)),
    };
    match (operation.action, operation.outcome) {
        (_, Outcome::Saw(seen)) => (seen.map(|seen: Seen| seen.value) == held).then_some(held),
        (_, Outcome::NotMet) => (!is_met).then_some(held),
        (Action::Put(value, _), _) => is_met.then_some(Some(value)),
        (Action::Delete(_), _) => is_met.then_some(None),
        (Action::Read, _) => Some(held),
    }
}
