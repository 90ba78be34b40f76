//! Files of the embedded parts are removed, renamed or replaced under a running service. It then takes no
//! write that the next start would not find, and `/readyz` shows the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;
use testkit::http::{Client, Response, user_path};
use testkit::parts::Parts;
use testkit::service::{Service, ServiceProcess, run_to_end};
use testkit::wait::wait_until;

use crate::comparison::flush;
use crate::writers::record;

const JOURNAL: &str = "data/write-behind/journal";

fn put(client: &Client, name: &str) -> Response {
    client.put_json(&user_path(name), &record(name, 1))
}

fn put_acknowledged(client: &Client, names: &[&str]) {
    for name in names {
        let answer = put(client, name);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[track_caller]
fn expect_refused(client: &Client, name: &str, what: &str) {
    let answer = put(client, name);
    assert_eq!(answer.status, 503, "{what}: {}", answer.text());
}

#[track_caller]
fn expect_kept(client: &Client, names: &[&str]) {
    for name in names {
        assert_eq!(client.get(&user_path(name)).json(), record(name, 1));
    }
}

/// Without a write, which a balancer would not send. Returns the parts.
fn wait_until_not_ready(process: &ServiceProcess) -> Value {
    let client = process.client();
    wait_until("it is not ready", || client.get("/readyz").status == 503);
    client.get("/readyz").json()["parts"].clone()
}

fn wait_until_ready(process: &ServiceProcess) {
    let client = process.client();
    wait_until("it is ready", || client.get("/readyz").status == 200);
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("aside")
}

fn rename_aside(path: &Path) {
    fs::rename(path, aside(path)).expect("a path");
}

fn rename_back(path: &Path) {
    match path.is_dir() {
        true => fs::remove_dir_all(path).expect("a folder"),
        false => drop(fs::remove_file(path)),
    }
    fs::rename(aside(path), path).expect("a path");
}

fn replace(path: &Path) {
    rename_aside(path);
    match aside(path).is_dir() {
        true => fs::create_dir(path).expect("a folder"),
        false => drop(fs::copy(aside(path), path).expect("a copy")),
    }
}

#[test]
fn a_journal_that_is_not_at_its_path_takes_no_writes() {
    let installation = Parts::Embedded.install(Service::WriteBehind);
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    let folder = installation.folder().join(JOURNAL);
    let mut acknowledged = vec!["first"];
    put_acknowledged(&client, &acknowledged);
    let segment = "00000000000000000000.segment";
    let paths = ["", "LOCK", "manifest", segment].map(|name| match name {
        "" => folder.clone(),
        name => folder.join(name),
    });
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let ways = [rename_aside as fn(&Path), replace];
    let cases = paths.iter().flat_map(|path| ways.map(|way| (path, way)));
    for ((path, lose), name) in cases.zip(names) {
        let what = path.display().to_string();
        lose(path);
        expect_refused(&client, name, &what);
        let parts = wait_until_not_ready(&process);
        assert_eq!(parts["journal"]["up"], false, "{what}: {parts}");
        rename_back(path);
        wait_until_ready(&process);
        put_acknowledged(&client, &[name]);
        acknowledged.push(name);
    }
    assert!(process.logs().contains(&format!("{}", folder.display())));
    process.kill_9();
    let process = installation.start(Service::WriteBehind);
    expect_kept(&process.client(), &acknowledged);
}

/// Whether this process may mount something over the folder.
fn is_mounted_over(folder: &Path) -> bool {
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs"])
        .arg(folder)
        .output();
    let is_mounted = mount.as_ref().is_ok_and(|output| output.status.success());
    if !is_mounted {
        println!("no file system can be mounted here: {mount:?}");
    }
    is_mounted
}

#[test]
fn a_journal_that_is_mounted_over_takes_no_writes() {
    let installation = Parts::Embedded.install(Service::WriteBehind);
    let process = installation.start(Service::WriteBehind);
    let client = process.client();
    put_acknowledged(&client, &["first"]);
    // Nothing is under way that could open a file just after the mount, and keep it busy.
    flush(process.base_url());
    let folder = installation.folder().join(JOURNAL);
    if !is_mounted_over(&folder) {
        return;
    }
    let refused = put(&client, "second");
    // The service looks at the path in between; while it does, the mount is busy.
    wait_until("the folder is unmounted", || {
        let unmounted = Command::new("umount").arg(&folder).status();
        unmounted.is_ok_and(|status| status.success())
    });
    assert_eq!(refused.status, 503, "{}", refused.text());
    put_acknowledged(&client, &["second"]);
}

/// The files at the path may be those of another process.
#[test]
fn a_journal_that_is_removed_is_noticed_without_writes() {
    let mut installation = Parts::Embedded.install(Service::WriteBehind);
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    put_acknowledged(&client, &["first"]);
    flush(process.base_url());
    let folder = installation.folder().join(JOURNAL);
    fs::remove_dir_all(&folder).expect("a folder");
    wait_until_not_ready(&process);
    expect_refused(&client, "second", "a removed folder");

    installation.set("DATABASE_URL", "sqlite://other/users.db");
    let other = installation.start(Service::WriteBehind);
    put_acknowledged(&other.client(), &["of the other"]);
    flush(other.base_url());
    let files = || {
        let entries = fs::read_dir(&folder).expect("a folder");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
        names.sort();
        names
    };
    let before = files();
    expect_refused(&client, "second", "another process's folder");
    process.kill_9();
    assert_eq!(files(), before);
    wait_until_ready(&other);
}

#[test]
fn a_second_process_is_kept_out_without_the_lock_file() {
    let mut installation = Parts::Embedded.install(Service::WriteBehind);
    let process = installation.start(Service::WriteBehind);
    put_acknowledged(&process.client(), &["first"]);
    let lock = installation.folder().join(JOURNAL).join("LOCK");
    fs::remove_file(&lock).expect("a file");
    installation.set("DATABASE_URL", "sqlite://other/users.db");
    let output = run_to_end(installation.command().env("LISTEN", "127.0.0.1:0"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("another process has the journal open"),
        "{said}"
    );
    expect_refused(&process.client(), "second", "LOCK");
}

#[test]
fn dead_letters_whose_folder_was_removed_are_kept() {
    let installation = Parts::Embedded.install(Service::WriteBehind);
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    let database = installation.folder().join("data/write-behind/users.db");
    let refuse = |statement| {
        let database = Connection::open(&database).expect("the database");
        database.execute_batch(statement).expect("a statement");
    };
    refuse("CREATE UNIQUE INDEX refuse ON users (occupation)");
    put_acknowledged(&client, &["first"]);
    flush(process.base_url());
    put_acknowledged(&client, &["refused"]);
    let letters = |client: &Client| client.get("/dead-letters").json()["dead_letters"].clone();
    wait_until("there is a dead letter", || {
        letters(&client)[0]["name"] == "refused"
    });
    let folder = installation.folder().join(JOURNAL).join("dead-letters");
    fs::remove_dir_all(&folder).expect("a folder");
    wait_until("the letter has a file again", || {
        process
            .logs()
            .contains("had been removed, and was made again")
    });
    process.kill_9();
    refuse("DROP INDEX refuse");
    let process = installation.start(Service::WriteBehind);
    assert_eq!(letters(&process.client())[0]["name"], "refused");
}

fn database(service: Service) -> String {
    let service = service.name().trim_end_matches("-svc");
    format!("data/{service}/users.db")
}

fn database_is_not_at_its_path(service: Service, end: &str, lose: fn(&Path)) {
    let installation = Parts::Embedded.install(service);
    let mut process = installation.start(service);
    let client = process.client();
    put_acknowledged(&client, &["first"]);
    if service == Service::WriteBehind {
        flush(process.base_url());
    }
    let path = installation.folder().join(database(service) + end);
    lose(&path);
    let parts = wait_until_not_ready(&process);
    let what = path.display().to_string();
    assert!(
        parts.to_string().contains("restart this process"),
        "{what}: {parts}"
    );
    expect_refused(&client, "second", &what);
    wait_until("it serves no reads", || {
        client.get(&user_path("first")).status == 503
    });
    rename_back(&path);
    // What the process holds in memory may be older.
    expect_refused(&client, "second", &what);
    process.kill_9();
    let process = installation.start(service);
    expect_kept(&process.client(), &["first"]);
    assert_eq!(process.client().get(&user_path("second")).status, 404);
    put_acknowledged(&process.client(), &["second"]);
}

#[test]
fn a_sqlite_file_that_is_not_at_its_path_takes_no_writes() {
    for service in Service::all() {
        for end in ["", "-wal", "-shm", ".lock"] {
            database_is_not_at_its_path(service, end, rename_aside);
        }
        database_is_not_at_its_path(service, "", replace);
    }
}

/// At once, not only after the next look.
#[test]
fn a_write_after_the_sqlite_file_was_removed_is_refused() {
    let installation = Parts::Embedded.install(Service::WriteThrough);
    let process = installation.start(Service::WriteThrough);
    let client = process.client();
    put_acknowledged(&client, &["first"]);
    fs::remove_file(installation.folder().join(database(Service::WriteThrough))).expect("a file");
    expect_refused(&client, "second", "a removed file");
}

/// The journal is not drained to a file that the next start does not find.
#[test]
fn nothing_is_drained_to_a_sqlite_file_that_was_removed() {
    let mut installation = Parts::Embedded.install(Service::WriteBehind);
    installation.set("DRAIN_LINGER_MS", "0");
    let mut process = installation.start(Service::WriteBehind);
    let client = process.client();
    put_acknowledged(&client, &["first"]);
    flush(process.base_url());
    let path = installation.folder().join(database(Service::WriteBehind));
    let mut acknowledged = vec!["first".to_owned()];
    rename_aside(&path);
    // Until the process has looked, the journal takes them.
    wait_until("it takes none", || {
        let name = format!("{}", acknowledged.len());
        let answer = put(&client, &name);
        if answer.status == 200 {
            acknowledged.push(name);
        }
        answer.status == 503
    });
    process.kill_9();
    // As the process left them.
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(
            installation
                .folder()
                .join(database(Service::WriteBehind) + end),
        );
    }
    rename_back(&path);
    let process = installation.start(Service::WriteBehind);
    flush(process.base_url());
    for name in &acknowledged[1..] {
        assert_eq!(
            process.client().get(&user_path(name)).json(),
            record(name, 1)
        );
    }
}

#[test]
fn a_process_whose_sqlite_lock_was_removed_serves_nothing_beside_another() {
    for service in Service::all() {
        let mut installation = Parts::Embedded.install(service);
        let process = installation.start(service);
        let client = process.client();
        put_acknowledged(&client, &["first"]);
        if service == Service::WriteBehind {
            // Without its lock, the process drains nothing as soon as it has looked.
            flush(process.base_url());
            installation.set("JOURNAL_URL", "file:other");
        }
        let lock = installation.folder().join(database(service) + ".lock");
        fs::remove_file(&lock).expect("a file");
        let other = installation.start(service);
        let changed = other
            .client()
            .put_json(&user_path("first"), &record("first", 2));
        assert_eq!(changed.status, 200, "{}", changed.text());
        assert_eq!(client.get(&user_path("first")).status, 503);
    }
}
