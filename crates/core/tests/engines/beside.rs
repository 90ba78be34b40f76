//! Other programs that write to the database beside an engine: what is read afterwards, and
//! that the order of versions holds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::engine::write_behind::WriteBehind;
use cache_core::engine::{Engine, Outcome};
use cache_core::error::Error;
use cache_core::model::record::{Condition, Key, Write};
use cache_core::model::source::Source;
use cache_core::model::version::Version;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::parts::{Parts, Place, body, in_each_place, put};

impl Place {
    /// Runs a statement as another program does.
    fn execute(&self, sql: &str) {
        match self {
            Place::Embedded(folder) => {
                let path = folder.path().join("users.db");
                let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                other.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
                other.batch_execute(sql).unwrap();
            }
            Place::Servers(database) => {
                database.query_rows(sql);
            }
        }
    }
}

/// An engine, and how to wait until the database has all that it acknowledged.
struct Running {
    engine: Arc<dyn Engine>,
    behind: Option<Arc<WriteBehind>>,
}

impl Running {
    /// Each engine in turn, on the same data.
    async fn start(parts: &Parts, through: bool) -> Running {
        match through {
            true => Running {
                engine: parts.write_through().await,
                behind: None,
            },
            false => {
                let behind = parts.write_behind().await;
                Running {
                    engine: behind.clone(),
                    behind: Some(behind),
                }
            }
        }
    }

    async fn settle(&self) {
        if let Some(behind) = &self.behind {
            assert!(behind.flush(Duration::from_secs(30)).await.unwrap());
        }
        // What is drained may still be marked clean.
    }

    async fn write(&self, write: Write) -> Version {
        match self.engine.write(write).await.unwrap() {
            Outcome::Written { version, .. } => version,
            Outcome::ConditionFailed => panic!("its condition failed"),
        }
    }

    async fn fails(&self, write: Write) {
        let outcome = self.engine.write(write).await.unwrap();
        assert_eq!(outcome, Outcome::ConditionFailed);
    }

    async fn read(&self) -> (Option<Bytes>, Version) {
        let record = self.engine.read(&ann()).await.unwrap().record;
        (record.body, record.version)
    }

    async fn reload(&self) -> Option<Bytes> {
        self.engine.reload(&ann()).await.unwrap().record.body
    }

    /// Writes Ann, and waits until her value is clean in the cache.
    async fn hold_clean(&self, age: u8) -> Version {
        let version = self.write(put("Ann", age)).await;
        self.settle().await;
        self.until_clean().await;
        version
    }

    /// A dirty value is not replaced by a reload.
    async fn until_clean(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let read = self.engine.reload(&ann()).await.unwrap();
            if read.source == (Source::Requested { stored: true }) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{read:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn stop(self) {
        self.engine.stop(Duration::from_secs(10)).await;
    }
}

fn ann() -> Key {
    Key::from("Ann")
}

fn on(condition: Condition, write: Write) -> Write {
    Write { condition, ..write }
}

const SET_55: &str = "UPDATE users SET age = 55 WHERE name = 'Ann'";
const SET_200: &str = "UPDATE users SET age = 200 WHERE name = 'Ann'";
const DELETE: &str = "DELETE FROM users WHERE name = 'Ann'";
const INSERT: &str = "INSERT INTO users (name, age, occupation) VALUES ('Ann', 77, 'Tester')";

async fn a_reload_reads_what_another_program_wrote(place: Place) {
    for through in [true, false] {
        let parts = place.open().await;
        let running = Running::start(&parts, through).await;
        let version = running.hold_clean(1).await;
        place.execute(SET_55);
        assert_eq!(running.read().await, (Some(body("Ann", 1)), version));
        assert_eq!(running.reload().await, Some(body("Ann", 55)));
        assert_eq!(running.read().await, (Some(body("Ann", 55)), version));
        let read = running.engine.read(&ann()).await.unwrap();
        assert_eq!(read.source, Source::Hit);
        place.execute(DELETE);
        assert_eq!(running.reload().await, None);
        assert_eq!(running.read().await, (None, Version::ZERO));
        place.execute(INSERT);
        assert_eq!(running.read().await, (None, Version::ZERO));
        assert_eq!(running.reload().await, Some(body("Ann", 77)));
        assert_eq!(running.read().await, (Some(body("Ann", 77)), Version::ZERO));
        running.stop().await;
    }
}

async fn what_is_forgotten_is_read_from_the_database(place: Place) {
    for through in [true, false] {
        let parts = place.open().await;
        let running = Running::start(&parts, through).await;
        for all in [false, true] {
            running.hold_clean(1).await;
            place.execute(SET_55);
            for _ in 0..2 {
                match all {
                    true => running.engine.forget_all().await.unwrap(),
                    false => running.engine.forget(&ann()).await.unwrap(),
                }
            }
            assert_eq!(running.read().await.0, Some(body("Ann", 55)));
        }
        running.stop().await;
    }
}

/// Only the journal has it: the database's row is older, whichever program wrote that.
async fn a_dirty_value_is_neither_forgotten_nor_replaced(place: Place) {
    let parts = place.open().await;
    let running = Running::start(&parts, false).await;
    running.hold_clean(1).await;
    parts.store.refuse_writes(true);
    let version = running.write(put("Ann", 2)).await;
    for change in [SET_55, SET_200, DELETE, INSERT] {
        place.execute(change);
        assert_eq!(running.reload().await, Some(body("Ann", 2)), "{change}");
        running.engine.forget(&ann()).await.unwrap();
        running.engine.forget_all().await.unwrap();
        let newest = (Some(body("Ann", 2)), version);
        assert_eq!(running.read().await, newest, "{change}");
    }
    parts.store.refuse_writes(false);
    running.settle().await;
    running.until_clean().await;
    assert_eq!(running.read().await, (Some(body("Ann", 2)), version));
    running.stop().await;
}

/// A deletion of the newest row takes its version from the database.
async fn versions_grow_over_rows_deleted_by_hand(place: Place) {
    let mut newest = Version::ZERO;
    for through in [true, false, true, false] {
        let parts = place.open().await;
        let running = Running::start(&parts, through).await;
        running.engine.forget_all().await.unwrap();
        for change in [SET_55, DELETE, INSERT] {
            for _ in 0..2 {
                place.execute(DELETE);
                let version = running.hold_clean(1).await;
                assert!(version > newest, "{version} after {newest}");
                newest = version;
                if change == INSERT {
                    place.execute(DELETE);
                }
                place.execute(change);
                let written = running.write(put("Ann", 3)).await;
                assert!(written > newest, "{written} after {newest}");
                newest = written;
                running.settle().await;
                assert_eq!(running.read().await, (Some(body("Ann", 3)), written));
                running.until_clean().await;
                assert_eq!(running.read().await, (Some(body("Ann", 3)), written));
            }
        }
        place.execute(DELETE);
        running.engine.forget_all().await.unwrap();
        assert_eq!(running.read().await, (None, Version::ZERO));
        running.stop().await;
    }
}

async fn conditions_see_what_another_program_wrote(place: Place) {
    for through in [true, false] {
        let parts = place.open().await;
        let running = Running::start(&parts, through).await;
        let version = running.hold_clean(1).await;
        place.execute(DELETE);
        running.engine.forget(&ann()).await.unwrap();
        running.fails(Write::delete(ann())).await;
        running.fails(on(Condition::Exists, put("Ann", 2))).await;
        let is = Condition::Is([version].into());
        running.fails(on(is, put("Ann", 2))).await;
        place.execute(INSERT);
        running.engine.forget(&ann()).await.unwrap();
        running.fails(on(Condition::Absent, put("Ann", 2))).await;
        let is = Condition::Is([Version::ZERO].into());
        let written = running.write(on(is, put("Ann", 2))).await;
        assert!(written > version);
        assert_eq!(running.read().await, (Some(body("Ann", 2)), written));
        running.settle().await;
        running.until_clean().await;
        place.execute(DELETE);
        running.engine.forget(&ann()).await.unwrap();
        let created = running.write(on(Condition::Absent, put("Ann", 4))).await;
        assert!(created > written);
        assert_eq!(running.read().await, (Some(body("Ann", 4)), created));
        running.stop().await;
    }
}

async fn a_broken_row_is_read_as_an_error_and_replaced(place: Place) {
    for through in [true, false] {
        let parts = place.open().await;
        let running = Running::start(&parts, through).await;
        let replaced = async || {
            running.settle().await;
            running.until_clean().await;
            place.execute(SET_200);
        };
        let mut version = running.hold_clean(1).await;
        place.execute(SET_200);
        // Also what is cached, once it is found out.
        for reload in [true, false, true] {
            let read = match reload {
                true => running.engine.reload(&ann()).await,
                false => running.engine.read(&ann()).await,
            };
            let is_broken = matches!(read, Err(Error::BrokenRow { field: "age", .. }));
            assert!(is_broken, "{read:?}");
        }
        running.fails(on(Condition::Absent, put("Ann", 2))).await;
        let is = Condition::Is([version].into());
        running.fails(on(is, put("Ann", 2))).await;
        for condition in [
            Condition::Always,
            Condition::Exists,
            Condition::IsNot([version].into()),
        ] {
            let written = running.write(on(condition, put("Ann", 2))).await;
            assert!(written > version);
            version = written;
            assert_eq!(running.read().await, (Some(body("Ann", 2)), version));
            replaced().await;
            running.engine.forget(&ann()).await.unwrap();
        }
        running.write(Write::delete(ann())).await;
        assert_eq!(running.read().await.0, None);
        running.settle().await;
        assert_eq!(running.reload().await, None);
        running.stop().await;
    }
}

in_each_place! {
    a_reload_reads_what_another_program_wrote
    what_is_forgotten_is_read_from_the_database
    a_dirty_value_is_neither_forgotten_nor_replaced
    versions_grow_over_rows_deleted_by_hand
    conditions_see_what_another_program_wrote
    a_broken_row_is_read_as_an_error_and_replaced
}
