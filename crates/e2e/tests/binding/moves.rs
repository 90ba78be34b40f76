//! A database that has moved: to another place, by a dump or by a failover.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::site::{age, copy_of, expect_done, expect_refused, must_write, rows, run, settle};

#[test]
#[ignore = "needs servers"]
fn a_moved_database_is_bound_and_the_one_left_behind_refused() {
    let service = Service::WriteBehind;
    let old = Parts::RedisMariaDb.install(service);
    let mut process = old.start(service);
    must_write(&process.client(), "kept", 30);
    settle(service, &process.client());
    assert!(process.terminate().success());
    let new = copy_of(&old, service);
    let mut process = new.start(service);
    assert!(process.logs().contains("has moved"), "{}", process.logs());
    assert_eq!(age(&process.client(), "kept"), Some(30));
    must_write(&process.client(), "kept", 31);
    assert!(process.terminate().success());
    let name = new.database().unwrap().name();
    expect_refused(&old, &[], &["since", name, "identity new"]);
    assert_eq!(rows(new.database().unwrap()), [["kept", "31"]]);
    // Either service starts at the place where it is now.
    for service in Service::all() {
        let mut process = new.start(service);
        assert!(process.terminate().success());
    }
}

#[test]
#[ignore = "needs servers"]
fn a_move_that_a_crash_cuts_short_is_finished() {
    let service = Service::WriteThrough;
    let old = Parts::RedisMariaDb.install(service);
    let mut process = old.start(service);
    must_write(&process.client(), "kept", 30);
    assert!(process.terminate().success());
    let mut new = copy_of(&old, service);
    new.set("FAULT_POINTS", "binding.exchanged=crash");
    for _ in 0..2 {
        assert_eq!(run(&new, &[]).status.code(), None, "it should have crashed");
    }
    // The original has not lost its Redis yet.
    let mut process = old.start(service);
    assert!(process.terminate().success());
    new.set("FAULT_POINTS", "");
    let mut process = new.start(service);
    assert_eq!(age(&process.client(), "kept"), Some(30));
    assert!(process.terminate().success());
    expect_refused(&old, &[], &["identity move"]);
    expect_done(&old, &["identity", "move"]);
    let _process = old.start(service);
    expect_refused(&new, &[], &["identity new"]);
}
