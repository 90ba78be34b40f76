//! Another program puts garbage into any key of either service. While it is there, each call is right
//! or fails as when Redis is unavailable. Afterwards all calls succeed, and none reads an older value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::bypass::Access;
use cache_core::engine::Engine;
use cache_core::engine::write_behind::WriteBehind;
use cache_core::engine::write_through::{WriteThrough, WriteThroughSettings};
use cache_core::error::Error;
use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::lease::redis::RedisLeases;
use cache_core::model::record::Write;
use cache_core::model::user::User;
use cache_core::store::Store;
use cache_core::store::sqlite::SqliteStore;
use deadpool_redis::redis::RedisResult;
use tempfile::TempDir;
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::engines::{BOUNDS, SETTINGS, WAIT_TIMEOUT};
use crate::redis_process::{LONG, Process, name_of, try_command};
use crate::suite::{SEVERAL, key, new_identity};
use cache_core::model::shard::Shard;
use cache_core::redis::patterns;

const NAMES: [&str; 3] = ["Ann", "Bob", "Cid"];
const LEASE: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    Through,
    Behind,
}

/// What another program does to a key.
#[derive(Clone, Copy, Debug)]
enum Garbage {
    Text(&'static [u8]),
    List,
    Hash,
    /// An entry of a stream at this id, with these fields.
    Entry(&'static str, [&'static str; 2]),
    /// A field of a hash.
    Field(&'static str, &'static str),
    Nothing,
}

const TEXTS: [&[u8]; 12] = [
    b"",
    b"x",
    b"-1",
    b"1e300",
    b"nan",
    b"\xff\xfe",
    b"9007199254740990",
    b"9007199254740993",
    b"9999999999999999C{}",
    b"99999999999999999999",
    b"xxxxxxxxxxxxxxxxD{}",
    b"0000000000000007Ex",
];

/// Four doubles, as in the key `waiting`.
const ONES: &[u8] = b"\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\xf0?\0\0\0\0\0\0\xf0?";
const NOT_NUMBERS: &[u8] = &[0xff; 32];

/// Garbage for the keys that match.
fn all_garbage() -> Vec<(&'static str, Garbage)> {
    let names = [
        ".clock",
        ":Ann",
        ".recovered",
        ".run",
        ".committed",
        ".drained",
        ".lease",
        ".journal",
        ".waiting",
        ".dead",
    ];
    let anything = || TEXTS.map(Garbage::Text).into_iter();
    let others = [Garbage::List, Garbage::Hash, Garbage::Nothing];
    let everywhere = names
        .into_iter()
        .flat_map(|name| anything().chain(others).map(move |garbage| (name, garbage)));
    let entry = |id| (".journal", Garbage::Entry(id, ["k", "Ann"]));
    everywhere
        .chain([
            entry("9007199254740993-0"),
            entry("18446744073709551614-3"),
            (".journal", Garbage::Entry("*", ["x", "y"])),
            (".journal", Garbage::Entry("*", ["w", "\u{1}\u{2}xx"])),
            (".waiting", Garbage::Text(ONES)),
            (".waiting", Garbage::Text(NOT_NUMBERS)),
            (".dead", Garbage::Field("Ann", "x")),
            (".dead", Garbage::Field("Ann", "9999999999999999x")),
        ])
        .collect()
}

struct Site {
    engine: Arc<dyn Engine>,
    behind: Option<Arc<WriteBehind>>,
    store: Arc<SqliteStore>,
    server: OwnServer,
    identity: String,
    _folder: TempDir,
}

impl Site {
    async fn start(pattern: Pattern) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("users.db")).await;
        let store = Arc::new(store.unwrap());
        let server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
        let identity = new_identity();
        let process = Process::start(server.url(), &identity).await;
        let (cache, redis) = (process.cache.clone(), process.redis.clone());
        let (engine, behind): (Arc<dyn Engine>, _) = match pattern {
            Pattern::Through => {
                let settings = WriteThroughSettings {
                    group_commit: BOUNDS,
                    lanes: 1,
                    lock_timeout: Duration::from_secs(10),
                };
                let engine = WriteThrough::start(cache, store.clone(), Access::always(), settings);
                (engine.await.unwrap(), None)
            }
            Pattern::Behind => {
                let leases = RedisLeases::new(redis.clone(), "one".to_owned(), LEASE);
                let held = leases.share_held();
                let wait_for = WaitFor::default();
                let journal = RedisStreamJournal::open(redis.clone(), redis, wait_for, LONG, held);
                let journal = Arc::new(journal.await.unwrap());
                let engine =
                    WriteBehind::start(cache, journal, store.clone(), Arc::new(leases), SETTINGS);
                let engine = engine.await.unwrap();
                (engine.clone(), Some(engine))
            }
        };
        Site {
            engine,
            behind,
            store,
            server,
            identity,
            _folder: folder,
        }
    }

    async fn command(&self, words: &[&[u8]]) -> RedisResult<deadpool_redis::redis::Value> {
        try_command(self.server.url(), words).await
    }

    /// The keys that end like this, or that a shard would have.
    async fn keys(&self, end: &str) -> Vec<String> {
        let [of_shards, _] = patterns(&self.identity);
        let pattern = format!("{of_shards}{end}");
        let mut found = crate::redis_process::keys(self.server.url(), &pattern).await;
        if found.is_empty() && [".dead", ".lease", ".drained", ".waiting"].contains(&end) {
            let name = |shard| name_of(&self.identity, Shard(shard), &end[1..]);
            found = (0..SEVERAL).map(name).collect();
        }
        found
    }

    /// Removes a user. What the engine last heard of the journal may be the age of an entry that the round
    /// before put there; at that age writes are refused.
    async fn remove(&self, name: &str) {
        let removal = Write {
            body: None,
            ..Write::put(key(name), Bytes::new())
        };
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            match self.engine.write(removal.clone()).await {
                Err(Error::Full { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                removed => return assert!(removed.is_ok(), "{removed:?}"),
            }
        }
    }

    async fn put(&self, keys: &[String], garbage: Garbage) {
        for key in keys.iter().map(String::as_bytes) {
            let before = [b"DEL".as_slice(), key];
            let words: Vec<&[u8]> = match garbage {
                Garbage::Text(text) => vec![b"SET", key, text],
                Garbage::List => vec![b"RPUSH", key, b"x"],
                Garbage::Hash => vec![b"HSET", key, b"x", b"y"],
                Garbage::Entry(id, [name, value]) => {
                    vec![
                        b"XADD",
                        key,
                        id.as_bytes(),
                        name.as_bytes(),
                        value.as_bytes(),
                    ]
                }
                Garbage::Field(name, value) => {
                    vec![b"HSET", key, name.as_bytes(), value.as_bytes()]
                }
                Garbage::Nothing => vec![b"PING"],
            };
            if !matches!(garbage, Garbage::Entry(..) | Garbage::Field(..)) {
                self.command(&before).await.unwrap();
            }
            // Another entry may be newer already.
            let _ = self.command(&words).await;
        }
    }
}

/// What clients know of each name: the newest acknowledged age, and the newest age that may have
/// been written.
struct Known {
    answered: [u8; 3],
    written: [u8; 3],
}

fn body(name: &str, age: u8) -> Bytes {
    let user = User {
        name: name.to_owned(),
        age,
        occupation: "Tester".to_owned(),
    };
    user.to_body()
}

fn assert_unavailable(error: &Error, what: &str) {
    let is_defect = matches!(
        error,
        Error::Corrupt { .. }
            | Error::Panicked
            | Error::BadSetting { .. }
            | Error::BrokenRow { .. }
    );
    assert!(!is_defect, "{what}: {error}");
}

impl Known {
    /// Reads and writes each name. Returns whether all were answered.
    async fn use_all(&mut self, site: &Site, what: &str) -> bool {
        let mut all = true;
        for (place, name) in NAMES.iter().enumerate() {
            match site.engine.read(&key(name)).await {
                Ok(read) => {
                    let body = read.record.body.as_deref();
                    let user = body.map(|body| User::from_body(name, body));
                    let age = user.map_or(0, |user| user.unwrap().age);
                    let right = self.answered[place]..=self.written[place];
                    assert!(
                        right.contains(&age),
                        "{what}: {name} is {age}, not in {right:?}"
                    );
                    self.answered[place] = age;
                }
                Err(error) => {
                    assert_unavailable(&error, what);
                    all = false;
                }
            }
            let age = self.written[place] + 1;
            let answer = site
                .engine
                .write(Write::put(key(name), body(name, age)))
                .await;
            self.written[place] = age;
            match answer {
                Ok(_) => self.answered[place] = age,
                Err(error) => {
                    assert_unavailable(&error, what);
                    all = false;
                }
            }
        }
        all
    }

    /// Reads and writes all names until all calls are answered.
    async fn until_all_is_well(&mut self, site: &Site, what: &str) {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while !self.use_all(site, what).await {
            assert!(Instant::now() < deadline, "never well: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            // Keeps the ages valid, however many attempts there are.
            self.written = self.written.map(|age| age.min(120));
        }
    }
}

async fn is_survived(pattern: Pattern, (end, garbage): (&'static str, Garbage), site: &Site) {
    let what = format!("{pattern:?}: {garbage:?} in {end}");
    let mut known = Known {
        answered: [0; 3],
        written: [0; 3],
    };
    for name in NAMES {
        // So each round begins without this user.
        site.remove(name).await;
    }
    assert!(known.use_all(site, &what).await, "{what}");
    if let (Garbage::Nothing, Some(behind)) = (garbage, &site.behind) {
        // Until a deleted entry is drained, readers get what the database has.
        assert!(behind.flush(WAIT_TIMEOUT).await.unwrap(), "{what}");
    }
    let keys = site.keys(end).await;
    site.put(&keys, garbage).await;
    if end == ".run" {
        // This key is read only when a shard is recovered.
        site.put(&site.keys(".clock").await, Garbage::Nothing).await;
    }
    for _ in 0..2 {
        known.use_all(site, &what).await;
    }
    // What the services have not replaced.
    for key in &keys {
        let of_type = match garbage {
            Garbage::List => "list",
            Garbage::Hash if end != ".dead" => "hash",
            Garbage::Text(_) if matches!(end, ".journal" | ".dead" | ".lease") => "string",
            _ => continue,
        };
        let said = site.command(&[b"TYPE", key.as_bytes()]).await.unwrap();
        let said: String = deadpool_redis::redis::from_redis_value(said).unwrap();
        if said == of_type {
            site.command(&[b"DEL", key.as_bytes()]).await.unwrap();
        }
    }
    known.until_all_is_well(site, &what).await;
    if let Some(behind) = &site.behind {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while !matches!(behind.flush(WAIT_TIMEOUT).await, Ok(true)) {
            assert!(Instant::now() < deadline, "never drained: {what}");
        }
    }
    for (place, name) in NAMES.iter().enumerate() {
        let stored = site.store.load(&key(name)).await.unwrap().unwrap();
        let newest = body(name, known.answered[place]);
        assert_eq!(stored.body, Some(newest.clone()), "{what}");
        let read = site.engine.read(&key(name)).await.unwrap();
        assert_eq!(read.record.body, Some(newest), "{what}");
    }
}

async fn all_is_survived(pattern: Pattern) {
    let site = Site::start(pattern).await;
    for garbage in all_garbage() {
        is_survived(pattern, garbage, &site).await;
    }
    site.engine.stop(WAIT_TIMEOUT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_through_survives_garbage_in_any_key() {
    all_is_survived(Pattern::Through).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn write_behind_survives_garbage_in_any_key() {
    all_is_survived(Pattern::Behind).await;
}
