//! A start that is refused leaves database, Redis and files as they were.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::Command;

use testkit::parts::Installation;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess};

use crate::site::{Cache, JOURNAL, REFUSED, Traces, expect_end, must_run, must_write, run};

/// Everything that is configured, a journal in files included where the case asks for it.
struct Case<'a> {
    service: Service,
    installation: &'a Installation,
    cache: &'a mut Cache,
}

/// A database, as Redis notes it.
const PLACE: &str = r#"{"kind":"sqlite","path":"/elsewhere","inode":"1:1"}"#;

/// What makes a start fail. The value keeps it that way.
struct Cause {
    _holds: Vec<Box<dyn std::any::Any>>,
    settings: Vec<(&'static str, String)>,
    code: i32,
    words: &'static str,
}

impl Cause {
    fn new(code: i32, words: &'static str) -> Cause {
        Cause {
            _holds: Vec::new(),
            settings: Vec::new(),
            code,
            words,
        }
    }

    fn with(mut self, key: &'static str, value: impl ToString) -> Cause {
        self.settings.push((key, value.to_string()));
        self
    }

    fn holding(mut self, value: impl std::any::Any) -> Cause {
        self._holds.push(Box::new(value));
        self
    }

    fn in_files(self) -> Cause {
        self.with("JOURNAL_URL", format!("file:{JOURNAL}"))
            .with("CACHE_URL", "memory:")
    }
}

/// Expects that the service does not start, and that nothing has changed.
fn leaves_nothing(service: Service, cache: &mut Cache, cause: impl FnOnce(Case<'_>) -> Cause) {
    cache.command(&["FLUSHALL"]);
    let installation = cache.install(service);
    must_run(&installation, &["migrate"]);
    let cause = cause(Case {
        service,
        installation: &installation,
        cache,
    });
    let before = Traces::of(&installation, cache);
    let output = run(&installation, |command: &mut Command| {
        for (key, value) in &cause.settings {
            command.env(key, value);
        }
    });
    expect_end(&output, cause.code, &[cause.words]);
    let after = Traces::of(&installation, cache);
    after.expect(&before, cause.words);
}

fn a_taken_address(_: Case<'_>) -> Cause {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    Cause::new(1, "LISTEN")
        .with("LISTEN", address)
        .holding(taken)
}

fn another_table(case: Case<'_>) -> Cause {
    let database = case.installation.database().unwrap();
    database.query_rows("ALTER TABLE cache_members CHANGE beats beaten BIGINT NOT NULL");
    Cause::new(REFUSED, "beats")
}

fn a_bad_setting(_: Case<'_>) -> Cause {
    Cause::new(REFUSED, "DATABASE_POOL_MAX").with("DATABASE_POOL_MAX", "many")
}

fn another_binding(case: Case<'_>) -> Cause {
    let database = case.installation.database().unwrap();
    let identity = database.query_rows("SELECT identity FROM users_identity");
    let key = format!("wc:{{{}}}:binding", identity[0][0]);
    let binding = format!("0123456789abcdef/1 {PLACE}");
    case.cache.command(&["SET", &key, &binding]);
    Cause::new(REFUSED, "/elsewhere")
}

/// The binding of the database and a Redis, with another text in place of the token.
fn bind(case: &mut Case<'_>, token: impl Fn(&str) -> String) -> String {
    let database = case.installation.database().unwrap();
    let names = "SELECT identity, token FROM users_identity, cache_binding";
    let names = database.query_rows(names).concat();
    let binding = format!("{} {PLACE}", token(&names[1]));
    let key = format!("wc:{{{}}}:binding", names[0]);
    case.cache.command(&["SET", &key, &binding]);
    names[0].clone()
}

fn another_number_of_shards(mut case: Case<'_>) -> Cause {
    bind(&mut case, |token| format!("{token}/3"));
    Cause::new(REFUSED, "set it back to 3")
}

fn no_shard_at_all(case: Case<'_>) -> Cause {
    let database = case.installation.database().unwrap();
    database.query_rows("UPDATE cache_binding SET shards = 0");
    Cause::new(REFUSED, "shards in the table cache_binding is 0")
}

/// Left by a version before the number of shards was stored.
fn undrained_writes(mut case: Case<'_>) -> Cause {
    let identity = bind(&mut case, str::to_owned);
    let shard = |name: &str| format!("wc:{{{identity}:15}}:{name}");
    let letter = ["HSET", &shard("dead"), "Ann", "refused"];
    case.cache.command(&letter);
    let entry = ["XADD", &shard("journal"), "7-0", "k", "Ann"];
    case.cache.command(&entry);
    Cause::new(REFUSED, "2 acknowledged writes and dead letters")
}

fn a_process_of_an_older_version(mut case: Case<'_>) -> Cause {
    let identity = bind(&mut case, str::to_owned);
    let served = format!("wc:{{{identity}}}:served");
    let registered = format!("9000000000000000{PLACE}");
    case.cache.command(&["HSET", &served, "older", &registered]);
    Cause::new(REFUSED, "processes of an older version")
}

/// Another process on the database, with the other kind of cache. It sleeps, and so changes nothing.
fn a_memory_cache(case: Case<'_>) -> Cause {
    let url = case.installation.database().unwrap().url();
    let settings = [("DATABASE_URL", url.as_str())];
    let mut other = ServiceProcess::start(Service::WriteThrough, &settings);
    other.pause();
    Cause::new(REFUSED, "has memory:").holding(other)
}

fn a_replica(case: Case<'_>) -> Cause {
    case.cache.command(&["REPLICAOF", "127.0.0.1", "1"]);
    Cause::new(REFUSED, "replica").with("STARTUP_DEADLINE_S", 1)
}

#[test]
#[ignore = "needs servers"]
fn a_refused_start_of_either_service_leaves_no_trace() {
    let mut cache = Cache::start(&[]);
    for service in Service::all() {
        leaves_nothing(service, &mut cache, a_taken_address);
        leaves_nothing(service, &mut cache, another_table);
        leaves_nothing(service, &mut cache, a_bad_setting);
        leaves_nothing(service, &mut cache, another_binding);
        leaves_nothing(service, &mut cache, another_number_of_shards);
        leaves_nothing(service, &mut cache, no_shard_at_all);
        leaves_nothing(service, &mut cache, undrained_writes);
        leaves_nothing(service, &mut cache, a_memory_cache);
        leaves_nothing(service, &mut cache, a_replica);
        cache.command(&["REPLICAOF", "NO", "ONE"]);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_start_beside_an_older_version_leaves_no_trace() {
    let mut cache = Cache::start(&[]);
    leaves_nothing(
        Service::WriteThrough,
        &mut cache,
        a_process_of_an_older_version,
    );
}

#[test]
#[ignore = "needs servers"]
fn a_start_refused_for_its_redis_leaves_no_trace() {
    let mut cache = Cache::start(&[]);
    cache.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    leaves_nothing(Service::WriteBehind, &mut cache, |_| {
        Cause::new(REFUSED, "allkeys-lru")
    });
    cache.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    cache.command(&["CONFIG", "SET", "appendonly", "no"]);
    leaves_nothing(Service::WriteBehind, &mut cache, |_| {
        Cause::new(REFUSED, "appendonly").with("REDIS_WAIT_FSYNC", "yes")
    });
}

/// A journal in which so many writes wait, for another database than that of the installation.
fn journal_of_another(case: &Case<'_>) {
    let other = TestDatabase::create();
    let url = other.url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("JOURNAL_URL", "file:journal"),
    ];
    let folder = case.installation.folder();
    let mut process = ServiceProcess::start_in(folder, case.service, &settings);
    other.query_rows("RENAME TABLE users TO users_away");
    must_write(&process.client(), "waits");
    process.kill_9();
}

#[test]
#[ignore = "needs servers"]
fn a_start_refused_for_its_file_journal_leaves_no_trace() {
    let mut cache = Cache::start(&[]);
    let service = Service::WriteBehind;
    leaves_nothing(service, &mut cache, |case| {
        let folder = case.installation.folder().join(JOURNAL);
        fs::create_dir(&folder).unwrap();
        let lock = File::create(folder.join("LOCK")).unwrap();
        lock.try_lock().unwrap();
        Cause::new(1, "another process has the journal open")
            .in_files()
            .holding(lock)
    });
    leaves_nothing(service, &mut cache, |case| {
        journal_of_another(&case);
        let manifest = case.installation.folder().join(JOURNAL).join("manifest");
        fs::write(manifest, "damaged").unwrap();
        Cause::new(1, "manifest").in_files()
    });
    leaves_nothing(service, &mut cache, |case| {
        journal_of_another(&case);
        Cause::new(REFUSED, "1 acknowledged writes wait in this journal").in_files()
    });
    leaves_nothing(service, &mut cache, |case| a_taken_address(case).in_files());
    leaves_nothing(service, &mut cache, |case| {
        let mut cause = a_memory_cache(case).in_files();
        cause.words = "the only one on its database";
        cause
    });
}
