//! A write-through replica that tells the cache of a write long after the database has it, and after others
//! have written the same name.

use test_support::parts::Parts;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{BOTH, Layout, Site, TWO_WRITE_THROUGH, WRITE_THROUGH};

const OPERATIONS: u64 = 150;

/// Much longer than a whole write of another replica takes. Readers are late too, by less than that, so that
/// one of them brings the old value when another has seen the new one, and the cache knows nothing of it yet.
const LATE: &str = "write.applied=wait:40,fill.loaded=wait:15";
const LATE_READERS: &str = "fill.loaded=wait:15";

/// Names that are in no cache, for as long as a few late writes take.
const LOAD: Load = Load {
    names: 100,
    at_a_time: 1,
    operations_a_name: 20,
    ..Load::USUAL
};

/// The first replica is late; the others are not.
fn is_linearizable_though_one_is_late(layout: Layout, parts: Parts) {
    let seed = Seed::of_this_run();
    let mut installation = parts.install(layout[0]);
    installation.set("FAULT_POINTS", LATE_READERS);
    let site = Site::start_on(layout, installation, &[(0, "FAULT_POINTS", LATE)]);
    let working = Working::start(seed, &site, LOAD);
    working.achieves(OPERATIONS);
    working.end();
}

#[test]
fn write_through_is_linearizable_though_it_tells_the_cache_late_on_embedded_parts() {
    is_linearizable_though_one_is_late(WRITE_THROUGH, Parts::Embedded);
}

#[test]
fn two_replicas_of_write_through_are_linearizable_though_one_tells_the_cache_late() {
    is_linearizable_though_one_is_late(TWO_WRITE_THROUGH, Parts::RedisMariaDb);
}

#[test]
fn both_services_are_linearizable_though_write_through_tells_the_cache_late() {
    is_linearizable_though_one_is_late(BOTH, Parts::RedisMariaDb);
}
