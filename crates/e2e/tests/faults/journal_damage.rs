//! A damaged file journal: a start names the damage, and the subcommands show and salvage what is whole.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use testkit::http::{Client, user_path};
use testkit::parts::{Installation, Parts};
use testkit::service::{Service, run_to_end};

use crate::comparison::flush;
use crate::writers::record;

/// The drain commits once and then acknowledges nothing any more.
const DRAIN_STUCK: &str = "drain.applied=wait:3600000";
const WRITES: usize = 12;

/// A service that was killed while all its writes waited in the journal.
fn killed() -> Installation {
    let mut installation = Parts::Embedded.install(Service::WriteBehind);
    installation.set("FAULT_POINTS", DRAIN_STUCK);
    installation.set("JOURNAL_SEGMENT_BYTES", "500");
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    for name in names() {
        let answer = client.put_json(&user_path(&name), &record(&name, 1));
        assert_eq!(answer.status, 200);
    }
    process.kill_9();
    installation.set("FAULT_POINTS", "");
    installation
}

fn names() -> impl Iterator<Item = String> {
    (0..WRITES).map(|number| number.to_string())
}

fn last_segment(installation: &Installation) -> PathBuf {
    let folder = installation.folder().join("data/write-behind/journal");
    let files = fs::read_dir(folder).expect("a folder");
    let paths = files.map(|file| file.expect("a file").path());
    let segments = paths.filter(|path| path.extension().is_some_and(|of| of == "segment"));
    segments.max().expect("a segment")
}

fn run(installation: &Installation, arguments: &[&str]) -> Output {
    let mut command = installation.command();
    run_to_end(command.args(arguments).env("LISTEN", "127.0.0.1:0"))
}

#[track_caller]
fn assert_says(output: &Output, code: i32, words: &[&str]) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn read_back(client: &Client) -> usize {
    let read = names().filter(|name| client.get(&user_path(name)).status == 200);
    read.count()
}

#[test]
fn a_cut_journal_is_refused_and_salvaged() {
    let mut installation = killed();
    assert_says(
        &run(&installation, &["journal", "show"]),
        0,
        &["a start takes it: 12 entries wait"],
    );
    let segment = last_segment(&installation);
    let bytes = fs::read(&segment).expect("a file");
    fs::write(&segment, &bytes[..bytes.len() - 1]).expect("a file");

    let name = segment.file_name().and_then(|name| name.to_str());
    let name = name.expect("a name");
    let refused = [name, "1 in number", "journal salvage"];
    assert_says(&run(&installation, &[]), 1, &refused);
    assert_says(
        &run(&installation, &["journal", "show"]),
        0,
        &[name, "DAMAGED", "refuses"],
    );
    let salvage = ["journal", "salvage", "--to=salvaged"];
    let kept = [
        "11 entries",
        "1 entries after version",
        "are missing or damaged",
    ];
    assert_says(&run(&installation, &salvage), 0, &kept);
    assert_says(&run(&installation, &[]), 1, &refused);

    installation.set("JOURNAL_URL", "file:salvaged");
    let process = installation.start(Service::WriteBehind);
    assert_eq!(read_back(&process.client()), WRITES - 1);
    flush(process.base_url());
}

#[test]
fn a_kill_leaves_a_journal_that_is_whole() {
    let installation = killed();
    let process = installation.start(Service::WriteBehind);
    assert_eq!(read_back(&process.client()), WRITES);
    let salvage = ["journal", "salvage", "--to=salvaged"];
    assert_says(&run(&installation, &salvage), 1, &["stop it first"]);
    flush(process.base_url());
}

#[test]
fn a_journal_without_files_gets_a_sentence() {
    let behind = Parts::Embedded.install(Service::WriteBehind);
    for arguments in [&["journal", "show"][..], &["journal", "salvage", "--to=x"]] {
        let mut command = behind.command();
        command
            .args(arguments)
            .env("CACHE_URL", "redis://127.0.0.1:1")
            .env("JOURNAL_URL", "");
        assert_says(&run_to_end(&mut command), 64, &["JOURNAL_URL", "in Redis"]);
    }
    let through = Parts::Embedded.install(Service::WriteThrough);
    let mut command = through.command();
    let output = run_to_end(command.args(["journal", "show"]));
    assert_says(&output, 64, &["has no journal"]);
}
