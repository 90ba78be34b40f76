//! Nothing goes wrong but that all ask at once.

use testkit::parts::Parts;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{
    BOTH, Layout, Site, TWO_WRITE_BEHIND, TWO_WRITE_THROUGH, WRITE_BEHIND, WRITE_THROUGH,
};

const OPERATIONS: u64 = 400;

fn is_linearizable(layout: Layout, parts: Parts) {
    let seed = Seed::of_this_run();
    let site = Site::start(layout, parts);
    let working = Working::start(seed, &site, Load::USUAL);
    working.achieves(OPERATIONS);
    working.end();
}

#[test]
fn write_through_is_linearizable_on_embedded_parts() {
    is_linearizable(WRITE_THROUGH, Parts::Embedded);
}

#[test]
fn write_behind_is_linearizable_on_embedded_parts() {
    is_linearizable(WRITE_BEHIND, Parts::Embedded);
}

#[test]
#[ignore = "needs servers"]
fn write_through_is_linearizable_on_redis_and_mariadb() {
    is_linearizable(WRITE_THROUGH, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn write_behind_is_linearizable_on_redis_and_mariadb() {
    is_linearizable(WRITE_BEHIND, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn two_replicas_of_write_through_are_linearizable() {
    is_linearizable(TWO_WRITE_THROUGH, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn two_replicas_of_write_behind_are_linearizable() {
    is_linearizable(TWO_WRITE_BEHIND, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn both_services_on_one_redis_and_one_database_are_linearizable() {
    is_linearizable(BOTH, Parts::RedisMariaDb);
}
