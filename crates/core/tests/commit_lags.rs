//! How long acknowledged writes wait for the database, as it is measured. The figures
//! are of the process, so one test looks at them at a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails says why"
)]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cache_core::cache::Lifetimes;
use cache_core::cache::memory::MemoryCache;
use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::Engine;
use cache_core::engine::write_behind::backlog::BacklogLimits;
use cache_core::engine::write_behind::drainer::DrainerSettings;
use cache_core::engine::write_behind::{WriteBehind, WriteBehindSettings};
use cache_core::journal::file::FileJournal;
use cache_core::lease::Sole;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::settings::JournalSync;
use cache_core::store::sqlite::SqliteStore;
use cache_core::store::{Origin, Store};
use cache_core::telemetry::{self, MetricsHandle};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

const SETTINGS: WriteBehindSettings = WriteBehindSettings {
    group_commit: GroupCommitBounds {
        batch_max: 64,
        waiting_max: 1024,
    },
    drainer: DrainerSettings {
        batch_max: 100,
        parallel_max: 1,
        linger: Duration::ZERO,
        dead_letters_max: u64::MAX,
    },
    limits: BacklogLimits {
        entries: 1_000_000,
        bytes: 1_000_000_000,
        age: Duration::from_secs(3_600),
        dead_letters: u64::MAX,
    },
};
const MINUTE: Duration = Duration::from_secs(60);
const LIFETIMES: Lifetimes = Lifetimes {
    clean: MINUTE,
    absent: MINUTE,
    in_doubt: MINUTE,
    fill: MINUTE,
};
/// How long the database admits no write.
const HELD: Duration = Duration::from_millis(150);

static METRICS: OnceLock<MetricsHandle> = OnceLock::new();
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

async fn turn() -> MutexGuard<'static, ()> {
    let turn = ONE_AT_A_TIME.lock().await;
    METRICS.get_or_init(|| telemetry::start_metrics("test").unwrap());
    turn
}

/// 0 when there is no such line.
fn figure(series: &str) -> f64 {
    let text = METRICS.get().unwrap().render();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[derive(Clone, Copy, Debug)]
struct Figures {
    entries: f64,
    dead: f64,
    lags: f64,
    lags_s: f64,
    lags_to_100_ms: f64,
    lags_to_1_ms: f64,
}

fn figures() -> Figures {
    let lags = |what: &str| figure(&format!("write_cache_commit_lag_seconds_{what}"));
    Figures {
        entries: figure("write_cache_drain_entries_total{service=\"test\"}"),
        dead: figure("write_cache_dead_letters_total{service=\"test\"}"),
        lags: lags("count{service=\"test\"}"),
        lags_s: lags("sum{service=\"test\"}"),
        lags_to_100_ms: lags("bucket{service=\"test\",le=\"0.1\"}"),
        lags_to_1_ms: lags("bucket{service=\"test\",le=\"0.001\"}"),
    }
}

impl Figures {
    fn since(self, before: Figures) -> Figures {
        Figures {
            entries: self.entries - before.entries,
            dead: self.dead - before.dead,
            lags: self.lags - before.lags,
            lags_s: self.lags_s - before.lags_s,
            lags_to_100_ms: self.lags_to_100_ms - before.lags_to_100_ms,
            lags_to_1_ms: self.lags_to_1_ms - before.lags_to_1_ms,
        }
    }
}

struct Place {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl Place {
    async fn new() -> Place {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open(&folder.path().join("users.db")).await;
        Place {
            folder,
            store: Arc::new(store.unwrap()),
        }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("users.db")
    }

    /// A connection past the store.
    fn connect(&self) -> SqliteConnection {
        SqliteConnection::establish(self.database().to_str().unwrap()).unwrap()
    }

    async fn write_behind(&self) -> Arc<WriteBehind> {
        let journal = self.folder.path().join("journal");
        let journal = FileJournal::open(&journal, JournalSync::Fsync, 1 << 16).unwrap();
        let cache = Arc::new(MemoryCache::new(1 << 20, LIFETIMES));
        let (store, leases) = (self.store.clone(), Arc::new(Sole::new(1)));
        WriteBehind::start(cache, Arc::new(journal), store, leases, SETTINGS)
            .await
            .unwrap()
    }
}

fn user(name: &str, occupation: &str) -> Write {
    let user = User {
        name: name.to_owned(),
        age: 30,
        occupation: occupation.to_owned(),
    };
    Write::put(Key::from(name), user.to_body())
}

/// Also of those of which a newer one of the name was there in the same batch; but a
/// write that became a dead letter has no commit.
#[tokio::test(flavor = "multi_thread")]
async fn every_drained_entry_has_waited_as_long_as_the_database_was_held() {
    let _turn = turn().await;
    let place = Place::new().await;
    let mut other = place.connect();
    // Refuses all users with this occupation but the first.
    other
        .batch_execute(
            "CREATE UNIQUE INDEX once ON users (occupation) WHERE occupation = 'refused'; \
             INSERT INTO users (name, age, occupation) VALUES ('has it', 1, 'refused')",
        )
        .unwrap();
    let engine = place.write_behind().await;
    let before = figures();
    let began = Instant::now();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    for number in 0..60 {
        let name = format!("name {}", number % 6);
        engine.write(user(&name, "Engineer")).await.unwrap();
    }
    // Of one name, and in one batch, since the first write is being drained.
    for occupation in ["Engineer", "refused", "refused"] {
        engine.write(user("of both", occupation)).await.unwrap();
    }
    tokio::time::sleep(HELD).await;
    other.batch_execute("COMMIT").unwrap();
    assert!(engine.flush(MINUTE).await.unwrap());

    let done = figures().since(before);
    assert_eq!((done.entries, done.dead), (63.0, 2.0), "{done:?}");
    assert_eq!(done.lags, 61.0, "{done:?}");
    assert_eq!(done.lags_to_100_ms, 0.0, "{done:?}");
    let at_most_s = began.elapsed().as_secs_f64() * done.lags;
    let at_least_s = HELD.as_secs_f64() * done.lags;
    assert!((at_least_s..=at_most_s).contains(&done.lags_s), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_ahead_of_the_clock_have_waited_for_nothing() {
    let _turn = turn().await;
    let place = Place::new().await;
    let in_an_hour = Version::new(Version::now().get() + 3_600_000_000).unwrap();
    let record: Record = user("ahead", "Engineer").at(in_an_hour);
    place.store.apply(&[record], Origin::Drained).await.unwrap();
    let engine = place.write_behind().await;
    let before = figures();
    for number in 0..5 {
        let name = format!("name {number}");
        engine.write(user(&name, "Engineer")).await.unwrap();
    }
    assert!(engine.flush(MINUTE).await.unwrap());
    let done = figures().since(before);
    assert_eq!((done.entries, done.lags), (5.0, 5.0), "{done:?}");
    assert_eq!((done.lags_s, done.lags_to_1_ms), (0.0, 5.0), "{done:?}");
}
