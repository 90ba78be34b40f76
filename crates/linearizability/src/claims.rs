//! What the values and versions in the history of one name say without any search: which operation wrote
//! which value, and that no read returned a value that was never written.

use std::collections::HashMap;

use super::operation::{Condition, Operation, Outcome, Value, Version};
use super::report::Offence;

/// Which put wrote each value, and which value has each version.
#[derive(Debug, Default)]
pub(super) struct Claims {
    writers: HashMap<Value, usize>,
    values: HashMap<Version, Value>,
}

impl Claims {
    /// Gathers them.
    ///
    /// # Errors
    /// When a value was read that no put can have written by then.
    pub(super) fn of(operations: &[Operation]) -> Result<Claims, Offence> {
        let mut claims = Claims::default();
        for (index, operation) in operations.iter().enumerate() {
            if let Some(value) = operation.put() {
                if let Some(other) = claims.writers.insert(value, index) {
                    return Err(Offence::of(
                        "two puts write the same value",
                        operations,
                        [other, index],
                    ));
                }
                if let (Outcome::Done(Some(version)), value) = (operation.outcome, value) {
                    claims.values.entry(version).or_insert(value);
                }
            }
            if let (Outcome::Saw(Some(seen)), Some(version)) =
                (operation.outcome, operation.version())
            {
                claims.values.entry(version).or_insert(seen.value);
            }
        }
        for (index, operation) in operations.iter().enumerate() {
            let Some(value) = operation.seen() else {
                continue;
            };
            let Some(&writer) = claims.writers.get(&value) else {
                let what = "a value was read that no client ever wrote";
                return Err(Offence::of(what, operations, [index]));
            };
            let what = match operations[writer].outcome {
                Outcome::Failed => "a value was read whose put failed",
                Outcome::NotMet => "a value was read whose put was refused by its condition",
                _ if operation.completed < operations[writer].invoked => {
                    "a value was read before its put was invoked"
                }
                _ => continue,
            };
            return Err(Offence::of(what, operations, [writer, index]));
        }
        Ok(claims)
    }

    /// The put that wrote a value.
    pub(super) fn writer(&self, value: Value) -> Option<usize> {
        self.writers.get(&value).copied()
    }

    /// The value that an `If-Match` asks for, if it is any that was ever written.
    pub(super) fn asked_for(&self, condition: Condition) -> Option<Value> {
        match condition {
            Condition::IfMatch(version) => self.values.get(&version).copied(),
            Condition::Always | Condition::IfNoneMatch => None,
        }
    }
}
