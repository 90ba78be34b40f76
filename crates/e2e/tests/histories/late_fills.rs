//! Readers that fill the cache long after they have read the database.

use testkit::parts::Parts;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{
    BOTH, Layout, Site, TWO_WRITE_BEHIND, TWO_WRITE_THROUGH, WRITE_BEHIND, WRITE_THROUGH,
};

const OPERATIONS: u64 = 250;

/// Much longer than a write takes.
const LATE: &str = "fill.loaded=wait:25";

fn is_linearizable_though_readers_are_late(layout: Layout, parts: Parts) {
    let seed = Seed::of_this_run();
    let mut installation = parts.install(layout[0]);
    installation.set("FAULT_POINTS", LATE);
    let site = Site::start_on(layout, installation, &[]);
    let working = Working::start(seed, &site, Load::NEW_NAMES);
    working.achieves(OPERATIONS);
    working.end();
}

#[test]
fn write_through_is_linearizable_though_readers_fill_late_on_embedded_parts() {
    is_linearizable_though_readers_are_late(WRITE_THROUGH, Parts::Embedded);
}

#[test]
fn write_behind_is_linearizable_though_readers_fill_late_on_embedded_parts() {
    is_linearizable_though_readers_are_late(WRITE_BEHIND, Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn two_replicas_of_write_through_are_linearizable_though_readers_fill_late() {
    is_linearizable_though_readers_are_late(TWO_WRITE_THROUGH, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn two_replicas_of_write_behind_are_linearizable_though_readers_fill_late() {
    is_linearizable_though_readers_are_late(TWO_WRITE_BEHIND, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_though_readers_fill_late() {
    is_linearizable_though_readers_are_late(BOTH, Parts::RedisMariaDb);
}
