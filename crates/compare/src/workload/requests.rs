//! The sequence of requests: the k-th is the same whichever connection sends it, and
//! whenever.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::Workload;
use super::names::Names;
use crate::error::Result;
use crate::request::{Operation, Request};

/// The first number of the requests that come before a workload's own: so that no value is
/// written twice.
const FILLING_BEGIN: u64 = 1 << 62;

/// The requests of a workload, by their number.
#[derive(Clone, Debug)]
pub struct Requests(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Those of the workload itself.
    Mixed {
        begin: u64,
        reads: f64,
        reads_and_deletes: f64,
        names: Names,
    },
    /// A write of each name.
    Filling,
}

impl Requests {
    /// Those of a valid workload.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::error::Error::Usage) where the workload has no names.
    pub fn new(workload: &Workload) -> Result<Requests> {
        Ok(Requests(Kind::Mixed {
            // Neighbouring seeds begin far apart, so that none has the requests of another,
            // moved by one.
            begin: Xoshiro256PlusPlus::seed_from_u64(workload.seed).next_u64(),
            reads: workload.reads,
            reads_and_deletes: workload.reads + workload.deletes,
            names: Names::new(workload.names, workload.skew)?,
        }))
    }

    /// A write of each name, in order: the first one is that of name 0.
    pub fn filling() -> Requests {
        Requests(Kind::Filling)
    }

    /// The request of this number.
    pub fn request(&self, number: u64) -> Request {
        let Kind::Mixed {
            begin,
            reads,
            reads_and_deletes,
            names,
        } = &self.0
        else {
            return Request {
                number: FILLING_BEGIN.wrapping_add(number),
                name: u32::try_from(number).unwrap_or(u32::MAX),
                operation: Operation::Write,
            };
        };
        // A generator of its own for each, so that it does not depend on how many were asked
        // for before. The seed is scrambled by SplitMix64.
        let mut random = Xoshiro256PlusPlus::seed_from_u64(begin.wrapping_add(number));
        let share: f64 = random.random();
        let operation = if share < *reads {
            Operation::Read
        } else if share < *reads_and_deletes {
            Operation::Delete
        } else {
            Operation::Write
        };
        Request {
            number,
            name: names.pick(&mut random),
            operation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Skew;

    fn sequence(seed: u64, numbers: impl Iterator<Item = u64>) -> Vec<Request> {
        let workload = Workload {
            seed,
            skew: Skew::Zipf(1.1),
            ..Workload::default()
        };
        let requests = Requests::new(&workload).unwrap();
        numbers.map(|number| requests.request(number)).collect()
    }

    #[test]
    fn a_seed_makes_the_same_requests_in_whichever_order_they_are_asked_for() {
        let forwards = sequence(5, 0..1_000);
        let mut backwards = sequence(5, (0..1_000).rev());
        backwards.reverse();
        assert_eq!(forwards, backwards);
    }

    #[test]
    fn another_seed_makes_other_requests_and_not_the_same_ones_later() {
        let names = |seed, from: u64| -> Vec<u32> {
            let requests = sequence(seed, from..from + 1_000);
            requests.iter().map(|request| request.name).collect()
        };
        for from in [0, 1, 2] {
            assert_ne!(names(5, 0), names(6, from));
            assert_ne!(names(6, 0), names(5, from));
        }
    }

    #[test]
    fn operations_have_the_shares_that_were_asked_for() {
        let workload = Workload {
            reads: 0.6,
            deletes: 0.1,
            ..Workload::default()
        };
        let requests = Requests::new(&workload).unwrap();
        let count = |operation| {
            let numbers = 0..100_000_u64;
            numbers
                .filter(|number| requests.request(*number).operation == operation)
                .count()
        };
        // Six standard deviations are below 1,000.
        for (operation, expected) in [
            (Operation::Read, 60_000),
            (Operation::Delete, 10_000),
            (Operation::Write, 30_000),
        ] {
            let found = count(operation);
            assert!(found.abs_diff(expected) < 1_000, "{operation:?}: {found}");
        }
    }
}
