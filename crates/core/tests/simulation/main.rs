//! The write-behind engine under random faults, thousands of times: processes
//! that die at any moment, a database and a journal that fail before or after
//! the fact, leases that two processes hold at once.
//!
//! A run is its seed. It has one thread, a clock that only moves while all wait,
//! and one source of chance, so a seed always gives the same run:
//!
//! ```text
//! SIMULATION_SEED=<seed> scripts/test -p cache-core --test simulation -- --nocapture
//! ```
//!
//! replays the run that a failure names, and shows what happened in it.
//! `SIMULATION_RUNS=<number>` takes more of them than usual.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod chaos;
mod clients;
mod disk;
mod disk_journal;
mod door;
mod end;
mod held_back;
mod leases;
mod life;
mod oracle;
mod plan;
mod process;
mod purges;
mod run;
mod server;
mod server_cache;
mod server_journal;
mod store;
mod turns;
mod world;

use run::{Ended, run};

/// How many runs each of the tests below makes.
const RUNS: u64 = 750;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Makes the runs of one part of all seeds, or that of the seed asked for.
fn simulate(part: u64, parts: u64) {
    let shown = setting("SIMULATION_SEED");
    let seeds = match shown {
        Some(seed) if seed % parts == part => vec![seed],
        Some(_) => Vec::new(),
        None => {
            let runs = setting("SIMULATION_RUNS").unwrap_or(RUNS);
            (0..runs).map(|run| run * parts + part).collect()
        }
    };
    for seed in seeds {
        let Ended { failure, trace } = run(seed, shown.is_some());
        if shown.is_some() {
            println!("{}", trace.join("\n"));
        }
        let Some(failure) = failure else { continue };
        let again = run(seed, true);
        panic!(
            "seed {seed}: {failure}\n\n{}\n\nseed {seed}: {}\nSIMULATION_SEED={seed} replays it",
            again.trace.join("\n"),
            again
                .failure
                .as_deref()
                .unwrap_or("not when it is replayed"),
        );
    }
}

/// Side by side, as far as there are processors.
macro_rules! parts {
    ($($name:ident: $part:literal),+ of $parts:literal) => {
        $(#[test]
        fn $name() {
            simulate($part, $parts);
        })+
    };
}

parts! {
    nothing_acknowledged_is_lost_or_goes_back_0: 0,
    nothing_acknowledged_is_lost_or_goes_back_1: 1,
    nothing_acknowledged_is_lost_or_goes_back_2: 2,
    nothing_acknowledged_is_lost_or_goes_back_3: 3
    of 4
}

#[test]
fn a_seed_always_gives_the_same_run() {
    for seed in 0..40 {
        let one = run(seed, true).trace;
        // A thread whose own chance and hashing are others.
        let other = std::thread::spawn(move || run(seed, true).trace);
        let other = other.join().unwrap();
        assert!(one.len() > 20, "seed {seed} does next to nothing: {one:#?}");
        let parting = one.iter().zip(&other).position(|(one, other)| one != other);
        assert_eq!(parting.map(|line| (&one[line], &other[line])), None);
        assert_eq!(one.len(), other.len());
        assert!(run(seed, false).trace.is_empty());
    }
}
