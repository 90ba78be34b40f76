//! Replicas that die, at any instant and between two steps of a write.

use std::os::unix::process::ExitStatusExt as _;
use std::thread;
use std::time::Duration;

use testkit::parts::Parts;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{
    BOTH, Layout, Site, TWO_WRITE_BEHIND, TWO_WRITE_THROUGH, WRITE_BEHIND, WRITE_THROUGH,
};

const KILLS: usize = 2;
const OPERATIONS_BETWEEN: u64 = 80;

/// Kills the replicas in turn, and starts each again while the others go on.
fn is_linearizable_through_kills(layout: Layout, parts: Parts) {
    let seed = Seed::of_this_run();
    let mut choices = seed.choices(u64::MAX);
    let mut site = Site::start(layout, parts);
    let working = Working::start(seed, &site, Load::USUAL);
    for kill in 0..KILLS {
        working.achieves(OPERATIONS_BETWEEN);
        // Anywhere in a batch, and not always just behind an answer.
        thread::sleep(Duration::from_micros(choices.u64(..10_000)));
        let victim = kill % layout.len();
        site.process(victim).kill_9();
        if layout.len() > 1 {
            working.achieves(OPERATIONS_BETWEEN / 2);
        }
        site.start_again(victim);
    }
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
fn write_through_is_linearizable_through_kills_on_embedded_parts() {
    is_linearizable_through_kills(WRITE_THROUGH, Parts::Embedded);
}

#[test]
fn write_behind_is_linearizable_through_kills_on_embedded_parts() {
    is_linearizable_through_kills(WRITE_BEHIND, Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn two_replicas_of_write_through_are_linearizable_through_kills() {
    is_linearizable_through_kills(TWO_WRITE_THROUGH, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn two_replicas_of_write_behind_are_linearizable_through_kills() {
    is_linearizable_through_kills(TWO_WRITE_BEHIND, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_through_kills() {
    is_linearizable_through_kills(BOTH, Parts::RedisMariaDb);
}

/// The first replica dies once at a point that it names.
fn is_linearizable_though_one_dies_at(point: &str, layout: Layout) {
    let seed = Seed::of_this_run();
    let passage = seed.choices(u64::MAX).u64(10..60);
    println!("death at passage {passage} of {point}");
    let fault = format!("{point}=crash@{passage}");
    let installation = Parts::RedisMariaDb.install(layout[0]);
    let mut site = Site::start_on(layout, installation, &[(0, "FAULT_POINTS", &fault)]);
    let working = Working::start(seed, &site, Load::USUAL);
    working.goes_on_until("the replica dies at the point", || {
        site.process(0).exit_status_now().is_some()
    });
    let status = site.process(0).wait();
    assert!(status.signal().is_some(), "{status}");
    working.achieves(OPERATIONS_BETWEEN);
    site.start_again(0);
    working.achieves(OPERATIONS_BETWEEN);
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_though_a_replica_dies_with_names_in_doubt() {
    is_linearizable_though_one_dies_at("write.begun", TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_though_a_replica_dies_between_the_database_and_the_cache() {
    is_linearizable_though_one_dies_at("write.applied", TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_though_one_dies_between_the_database_and_the_cache() {
    is_linearizable_though_one_dies_at("write.applied", BOTH);
}
