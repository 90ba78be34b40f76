//! Histories written down for a test, one operation after the other.

use super::check::{Budget, check, check_since};
use super::operation::{Action, Condition, Nanos, Operation, Outcome, Seen, Value, Version};
use super::report::Finding;

/// A history of one name. Each operation is given with the instants `[invoked, completed]`.
#[derive(Default)]
pub(super) struct Story(pub(super) Vec<Operation>);

impl Story {
    pub(super) fn and(
        mut self,
        [invoked, completed]: [Nanos; 2],
        action: Action,
        outcome: Outcome,
    ) -> Self {
        self.0.push(Operation {
            client: self.0.len(),
            action,
            invoked,
            completed,
            outcome,
        });
        self
    }

    pub(super) fn put(self, time: [Nanos; 2], value: Value) -> Self {
        self.and(
            time,
            Action::Put(value, Condition::Always),
            Outcome::Done(None),
        )
    }

    pub(super) fn put_at(self, time: [Nanos; 2], value: Value, version: Version) -> Self {
        let outcome = Outcome::Done(Some(version));
        self.and(time, Action::Put(value, Condition::Always), outcome)
    }

    /// A put of unknown outcome.
    pub(super) fn maybe_put(self, invoked: Nanos, value: Value) -> Self {
        let action = Action::Put(value, Condition::Always);
        self.and([invoked, invoked], action, Outcome::Unknown)
    }

    pub(super) fn create(self, time: [Nanos; 2], value: Value, outcome: Outcome) -> Self {
        self.and(time, Action::Put(value, Condition::IfNoneMatch), outcome)
    }

    pub(super) fn replace(
        self,
        time: [Nanos; 2],
        value: Value,
        version: Version,
        outcome: Outcome,
    ) -> Self {
        self.and(
            time,
            Action::Put(value, Condition::IfMatch(version)),
            outcome,
        )
    }

    pub(super) fn delete(self, time: [Nanos; 2]) -> Self {
        self.and(time, Action::Delete(Condition::Always), Outcome::Done(None))
    }

    /// A delete of unknown outcome.
    pub(super) fn maybe_delete(self, invoked: Nanos) -> Self {
        let action = Action::Delete(Condition::Always);
        self.and([invoked, invoked], action, Outcome::Unknown)
    }

    /// A delete that found nothing.
    pub(super) fn delete_nothing(self, time: [Nanos; 2]) -> Self {
        self.and(time, Action::Delete(Condition::Always), Outcome::NotMet)
    }

    pub(super) fn saw(self, time: [Nanos; 2], value: Value) -> Self {
        let version = None;
        self.and(
            time,
            Action::Read,
            Outcome::Saw(Some(Seen { value, version })),
        )
    }

    pub(super) fn saw_at(self, time: [Nanos; 2], value: Value, version: Version) -> Self {
        let version = Some(version);
        self.and(
            time,
            Action::Read,
            Outcome::Saw(Some(Seen { value, version })),
        )
    }

    pub(super) fn saw_nothing(self, time: [Nanos; 2]) -> Self {
        self.and(time, Action::Read, Outcome::Saw(None))
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        check(&self.0, Budget::default())
    }

    /// The clients in the counterexample to its linearizability.
    #[track_caller]
    pub(super) fn culprits(&self) -> Vec<usize> {
        let findings = self.findings();
        let [Finding::NotLinearizable(offence)] = findings.as_slice() else {
            panic!("{findings:?}");
        };
        println!("{offence}");
        offence
            .operations
            .iter()
            .map(|operation| operation.client)
            .collect()
    }

    /// The findings where nothing is said of what was invoked before an instant.
    pub(super) fn findings_since(&self, forgotten_until: Nanos) -> Vec<Finding> {
        check_since(forgotten_until, &self.0, Budget::default())
    }

    #[track_caller]
    pub(super) fn is_right(&self) {
        let findings = self.findings();
        assert!(findings.is_empty(), "{}", findings[0]);
    }
}
