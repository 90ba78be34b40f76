//! Whether the history of one name is right.

use super::claims::Claims;
use super::operation::Operation;
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
    let mut findings = Vec::new();
    findings.extend(versions::offence(operations).map(Finding::Version));
    let claims = match Claims::of(operations) {
        Ok(claims) => claims,
        Err(offence) => {
            findings.push(Finding::NotLinearizable(offence));
            return findings;
        }
    };
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
