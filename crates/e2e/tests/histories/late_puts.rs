//! A write-through replica that tells the cache of a write long after the database has it, or the database long
//! after the write has its version, and after others have written the same name.

use std::thread;

use linearizability::{Action, Condition};
use testkit::http::{Client, user_path};
use testkit::parts::Parts;
use testkit::wait::wait_until;

use crate::load::{Load, Working};
use crate::seed::Seed;
use crate::site::{BOTH, Layout, Site, TWO_WRITE_THROUGH, WRITE_THROUGH};

const OPERATIONS: u64 = 150;

/// Much longer than a whole write of another replica takes. Readers are late too, by less than that, so that
/// one of them brings the old value when another has seen the new one, and the cache knows nothing of it yet.
const LATE: &str = "write.applied=wait:40,fill.loaded=wait:15";
const LATE_READERS: &str = "fill.loaded=wait:15";

/// Between the version and the database.
const LATE_AT_THE_DATABASE: &str = "write.begun=wait:300";

/// Names that are in no cache, for as long as a few late writes take.
const LOAD: Load = Load {
    names: 100,
    at_a_time: 1,
    operations_a_name: 20,
    ..Load::USUAL
};

/// A load without clients of its own: the test asks.
const NO_CLIENTS: Load = Load {
    clients: 0,
    names: 5,
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
#[ignore = "needs servers"]
fn two_replicas_of_write_through_are_linearizable_though_one_tells_the_cache_late() {
    is_linearizable_though_one_is_late(TWO_WRITE_THROUGH, Parts::RedisMariaDb);
}

#[test]
#[ignore = "needs servers"]
fn both_services_are_linearizable_though_write_through_tells_the_cache_late() {
    is_linearizable_though_one_is_late(BOTH, Parts::RedisMariaDb);
}

/// Its version is the older one, so that what the other replica creates stays.
fn a_put_that_comes_late_to_the_database_and_a_creation_explain_each_other(layout: Layout) {
    let seed = Seed::of_this_run();
    let installation = Parts::RedisMariaDb.install(layout[0]);
    let late = [(0, "FAULT_POINTS", LATE_AT_THE_DATABASE)];
    let site = Site::start_on(layout, installation, &late);
    let working = Working::start(seed, &site, NO_CLIENTS);
    let reader = Client::new(&site.addresses().of(1));
    for name in 0..NO_CLIENTS.names {
        thread::scope(|scope| {
            scope.spawn(|| {
                let put = Action::Put(working.new_value(), Condition::Always);
                working.client().perform(0, name, put)
            });
            wait_until("the put has its version", || {
                let answer = reader.get(&user_path(working.name(name)));
                let status = answer.header("Cache-Status").unwrap_or_default();
                status.ends_with("detail=in-doubt")
            });
            let create = Action::Put(working.new_value(), Condition::IfNoneMatch);
            working.client().perform(1, name, create);
        });
    }
    working.end();
}

#[test]
#[ignore = "needs servers"]
fn a_put_that_comes_late_to_the_database_and_a_creation_by_another_replica_are_linearizable() {
    a_put_that_comes_late_to_the_database_and_a_creation_explain_each_other(TWO_WRITE_THROUGH);
}

#[test]
#[ignore = "needs servers"]
fn a_put_that_comes_late_to_the_database_and_a_creation_by_write_behind_are_linearizable() {
    a_put_that_comes_late_to_the_database_and_a_creation_explain_each_other(BOTH);
}
