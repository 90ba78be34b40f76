//! The number from which a test chooses all that it chooses.

use std::env;

/// Prints itself, so that a run that fails can be done again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed(u64);

impl Seed {
    /// That of `FAULT_SEED`, or any.
    pub(crate) fn of_this_run() -> Self {
        let seed = match env::var("FAULT_SEED") {
            Ok(text) => text.parse().expect("FAULT_SEED is a whole number"),
            Err(_) => fastrand::u64(..1_000_000),
        };
        println!("FAULT_SEED={seed}");
        Seed(seed)
    }

    /// The choices of one of those that choose, whose number is its own.
    pub(crate) fn choices(self, number: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.0.wrapping_mul(1009).wrapping_add(number))
    }
}
