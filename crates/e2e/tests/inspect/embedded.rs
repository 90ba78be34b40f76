//! On the parts in the process: SQLite, the journal in files and the cache in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use testkit::parts::Parts;
use testkit::service::Service;

use crate::site::{flush, inspect, write};

#[test]
fn a_running_service_is_pointed_to() {
    for service in Service::all() {
        let running = Parts::Embedded.start(service);
        write(&running.client(), "Ann", 30);
        let found = inspect(running.installation(), "Ann");
        found.expect(1, &["not known"]);
        assert!(found.line("database").contains("GET "), "{}", found.text);
        assert_eq!(found.json["database"]["state"], "in use");
    }
}

#[test]
fn the_files_are_read_after_a_stop() {
    for service in Service::all() {
        let mut running = Parts::Embedded.start(service);
        let version = write(&running.client(), "Ann", 30).to_string();
        assert!(running.terminate().success());
        let before = files(running.folder());
        let found = inspect(running.installation(), "Ann");
        found.expect(0, &["from the database", &version, "nothing waits"]);
        inspect(running.installation(), "Bob").expect(0, &["404"]);
        assert_eq!(files(running.folder()), before);
    }
}

#[test]
fn the_files_are_read_after_a_crash() {
    for service in Service::all() {
        let mut running = Parts::Embedded.start_with(service, &[("DRAIN_LINGER_MS", "0")]);
        let client = running.client();
        let version = write(&client, "Ann", 30).to_string();
        if service == Service::WriteBehind {
            flush(&client);
        }
        running.process().kill_9();
        let before = files(running.folder());
        // Its last writes are in SQLite's log.
        let found = inspect(running.installation(), "Ann");
        found.expect(0, &["\"age\":30", &version]);
        assert_eq!(files(running.folder()), before);
    }
}

#[test]
fn entries_that_a_crash_left_are_shown() {
    // Crashes before anything is drained.
    let crash = [("FAULT_POINTS", "drain.applied=crash@1")];
    let mut running = Parts::Embedded.start_with(Service::WriteBehind, &crash);
    let version = write(&running.client(), "Ann", 30).to_string();
    running.process().wait();
    let found = inspect(running.installation(), "Ann");
    // The database has it, and the journal has not noted that.
    found.expect(0, &[&version, "about to be acknowledged"]);
    assert_eq!(found.json["journal"]["waiting"][0]["value"]["age"], 30);
}

/// Every file of a folder, and when it was changed.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        let metadata = fs::metadata(&path).unwrap();
        found.insert(path, (metadata.len(), metadata.modified().unwrap()));
    }
    found
}
