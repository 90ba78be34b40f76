//! Whether the history of one name is right.

use super::claims::Claims;
use super::operation::{Nanos, Operation};
use super::reduction::counterexample;
use super::report::Finding;
use super::search::{Answer, search};
use super::steps::AtFirst;
use super::versions;

/// How much may be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many ways in which things may stand are looked at, in the history of one name. A thousand take a
    /// millisecond or so.
    pub ways: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { ways: 5_000_000 }
    }
}

/// All that is wrong with the history of one name, which had no value when it began. The operations are in
/// any order. A search that takes more than the budget is a finding too, [`Finding::Undecided`].
pub fn check(operations: &[Operation], budget: Budget) -> Vec<Finding> {
    check_since(0, operations, budget)
}

/// As [`check`], but what was invoked before `forgotten_until` may be lost, as when a server has lost its
/// data. Each of those writes may have taken place, or may still do so once, or never. Which value had which
/// version is known all the same, since a client may ask for that version afterwards, or have asked before.
pub fn check_since(
    forgotten_until: Nanos,
    operations: &[Operation],
    budget: Budget,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let claims = match Claims::of(operations) {
        Ok(claims) => claims,
        Err(offence) => {
            findings.push(Finding::NotLinearizable(offence));
            return findings;
        }
    };
    let weakened = operations
        .iter()
        .map(|operation| match operation.invoked < forgotten_until {
            true => operation.weakened(),
            false => *operation,
        });
    let operations: &[Operation] = &weakened.collect::<Vec<_>>();
    findings.extend(versions::offence(operations).map(Finding::Version));
    let mut ways = budget.ways;
    match search(operations, &claims, AtFirst::Nothing, &mut ways) {
        Answer::Linearizable => {}
        Answer::Undecided => findings.push(Finding::Undecided),
        Answer::Violated => {
            let offence = counterexample(operations, &claims, budget.ways);
            findings.push(Finding::NotLinearizable(offence));
        }
    }
    findings
}
