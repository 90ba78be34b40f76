//! The file journal's files: file descriptors that run out, syncs that fail, files that are missing.

use std::fs;
use std::path::PathBuf;

use rustix::process::Resource;
use testkit::http::{Client, user_path};
use testkit::parts::{Installation, Parts};
use testkit::service::{Service, run_to_end};
use testkit::small_disk::set_limit;
use testkit::wait::wait_until;

use crate::comparison::flush;
use crate::writers::record;

fn installed(settings: &[(&str, &str)]) -> Installation {
    let mut installation = Parts::Embedded.install(Service::WriteBehind);
    for (name, value) in settings {
        installation.set(name, value);
    }
    installation
}

/// Puts a new name; whether that was acknowledged. Anything but a refusal is wrong.
fn put(client: &Client, acknowledged: &mut Vec<String>) -> bool {
    let name = format!("{}", acknowledged.len());
    let answer = client.put_json(&user_path(&name), &record(&name, 1));
    assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
    if answer.status == 200 {
        acknowledged.push(name);
    }
    answer.status == 200
}

#[track_caller]
fn assert_kept(client: &Client, acknowledged: &[String]) {
    for name in acknowledged {
        assert_eq!(client.get(&user_path(name)).json(), record(name, 1));
    }
}

#[test]
fn a_segment_is_begun_when_there_are_file_descriptors_again() {
    let installation = installed(&[("JOURNAL_SEGMENT_BYTES", "1000")]);
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    let mut acknowledged = Vec::new();
    assert!(put(&client, &mut acknowledged));
    // Those that are open stay so, and no other can be opened.
    set_limit(&process, Resource::Nofile, Some(3));
    wait_until("a segment cannot be begun", || {
        !put(&client, &mut acknowledged)
    });
    assert_eq!(client.get("/readyz").status, 503);
    set_limit(&process, Resource::Nofile, None);
    wait_until("it is ready", || client.get("/readyz").status == 200);
    for _ in 0..20 {
        assert!(put(&client, &mut acknowledged));
    }
    process.kill_9();
    let process = installation.start(Service::WriteBehind);
    assert_kept(&process.client(), &acknowledged);
}

#[test]
fn a_failed_sync_costs_no_write_and_no_restart() {
    let installation = installed(&[("FAULT_POINTS", "journal.sync=fail:5@5")]);
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    let mut acknowledged = Vec::new();
    for _ in 0..20 {
        assert!(put(&client, &mut acknowledged));
    }
    assert!(process.logs().contains("goes on in a new segment"));
    process.kill_9();
    let process = installation.start(Service::WriteBehind);
    assert_kept(&process.client(), &acknowledged);
    flush(process.base_url());
}

#[test]
fn a_start_without_a_file_of_the_journal_names_it() {
    let installation = installed(&[]);
    let mut process = installation.start(Service::WriteBehind);
    let mut acknowledged = Vec::new();
    assert!(put(&process.client(), &mut acknowledged));
    process.kill_9();
    let journal = installation.folder().join("data/write-behind/journal");
    let files: Vec<PathBuf> = ["00000000000000000000.segment", "manifest"]
        .map(|name| journal.join(name))
        .into();
    for file in files {
        let whole = fs::read(&file).expect("a file");
        fs::remove_file(&file).expect("a file");
        let output = run_to_end(installation.command().env("LISTEN", "127.0.0.1:0"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let name = file.file_name().and_then(|name| name.to_str());
        for word in [name.expect("a name"), "missing", "move it away"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        fs::write(&file, whole).expect("a file");
    }
    let process = installation.start(Service::WriteBehind);
    assert_kept(&process.client(), &acknowledged);
}
