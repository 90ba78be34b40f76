//! A service on servers of the test's own, and everything that a start could leave there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;
use testkit::http::{Client, user_path};
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::parts::Installation;
use testkit::redis_connection::RedisConnection;
use testkit::servers::TestDatabase;
use testkit::service::{Service, run_to_end};

/// The exit code for what an operator has to decide.
pub(crate) const REFUSED: i32 = 64;

/// The journal's folder, where it is a file journal.
pub(crate) const JOURNAL: &str = "journal";

/// What a journal writes again, as it was, whenever it is opened: the manifest, and the note of what
/// was synced.
const WRITTEN_AGAIN: [&str; 2] = ["journal/manifest", "journal/synced"];

/// A Redis of the test's own, and a command for it.
pub(crate) struct Cache {
    pub(crate) server: OwnServer,
    pub(crate) admin: RedisConnection,
}

impl Cache {
    pub(crate) fn start(options: &[&str]) -> Cache {
        let server = OwnServer::redis_with(AppendFsync::EverySecond, options);
        let admin = RedisConnection::open(server.url()).unwrap();
        Cache { server, admin }
    }

    pub(crate) fn command(&mut self, words: &[&str]) {
        self.admin.command(words).unwrap();
    }

    /// A service on it and on a database of its own.
    pub(crate) fn install(&self, service: Service) -> Installation {
        Installation::on(service, self.server.url(), TestDatabase::create())
    }
}

/// Runs the service, or a subcommand of it, to its end.
pub(crate) fn run(installation: &Installation, change: impl FnOnce(&mut Command)) -> Output {
    let mut command = installation.command();
    command.env("LISTEN", "127.0.0.1:0");
    change(&mut command);
    run_to_end(&mut command)
}

/// Runs a subcommand that succeeds. Returns what it prints.
#[track_caller]
pub(crate) fn must_run(installation: &Installation, arguments: &[&str]) -> String {
    let output = run(installation, |command| {
        command.args(arguments);
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Expects this exit code and these words.
#[track_caller]
pub(crate) fn expect_end(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

/// Writes a user, which must be acknowledged.
#[track_caller]
pub(crate) fn must_write(client: &Client, name: &str) {
    let user = json!({ "age": 30, "occupation": "Engineer" });
    let answer = client.put_json(&user_path(name), &user);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Returns when the database has all that was acknowledged.
#[track_caller]
pub(crate) fn flush(client: &Client) {
    let answer = client.request("POST", "/flush?timeout_s=30", &[], None);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The rows of services that rely on the cache for good.
pub(crate) fn relied_on_by(installation: &Installation) -> Vec<String> {
    let database = installation.database().unwrap();
    let asked = "SELECT process FROM cache_members WHERE for_good = 1 ORDER BY process";
    database.query_rows(asked).concat()
}

/// Rows, keys and files, by what they are.
#[derive(Debug, PartialEq)]
pub(crate) struct Traces(BTreeMap<String, Vec<u8>>);

impl Traces {
    pub(crate) fn of(installation: &Installation, cache: &mut Cache) -> Traces {
        let database = installation.database().unwrap();
        let tables = database.query_rows("SHOW TABLES").concat();
        let mut traces = BTreeMap::new();
        for table in tables {
            let rows = database.query_rows(&format!("SELECT * FROM `{table}`"));
            traces.insert(format!("table {table}"), format!("{rows:?}").into_bytes());
        }
        traces.extend(cache.keys());
        read_files(installation.folder(), &mut traces);
        Traces(traces)
    }

    /// Expects that nothing has changed.
    #[track_caller]
    pub(crate) fn expect(&self, before: &Traces, cause: &str) {
        let names = self.0.keys().chain(before.0.keys());
        let changed = names.filter(|name| self.0.get(*name) != before.0.get(*name));
        let changed = changed.map(|name| {
            let now = self.0.get(name).map(|now| String::from_utf8_lossy(now));
            format!("{name}: {}", now.unwrap_or("gone".into()))
        });
        let changed: Vec<String> = changed.collect();
        assert!(changed.is_empty(), "{cause}: {changed:#?}");
    }
}

impl Cache {
    fn keys(&mut self) -> BTreeMap<String, Vec<u8>> {
        let names: Vec<String> = self.admin.ask(&["KEYS", "*"]).unwrap();
        let dumped = names.iter().map(|name| {
            let value: Option<Vec<u8>> = self.admin.ask(&["DUMP", name]).unwrap();
            (format!("key {name}"), value.unwrap_or_default())
        });
        dumped.collect()
    }
}

fn read_files(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(&path, files);
            files.insert(path.display().to_string(), Vec::new());
        } else if !WRITTEN_AGAIN.iter().any(|file| path.ends_with(file)) {
            let content = fs::read(&path).unwrap();
            files.insert(path.display().to_string(), content);
        }
    }
}
