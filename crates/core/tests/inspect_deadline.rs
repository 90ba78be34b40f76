//! How long a reader waits for a database that answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says why"
)]

use std::time::Duration;

use cache_core::model::record::Key;
use cache_core::settings::DatabaseUrl;
use cache_core::store::inspect::Reader as _;
use cache_core::store::mysql::{MysqlReader, MysqlStore};
use testkit::servers::TestDatabase;

const WAIT_TIMEOUT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn each_call_has_a_deadline_of_its_own() {
    let database = TestDatabase::create();
    let Ok(DatabaseUrl::Mysql(url)) = DatabaseUrl::parse(&database.url()) else {
        panic!("this is no URL of MySQL");
    };
    // It makes the tables.
    let store = MysqlStore::open(url.clone(), 1, Duration::from_secs(30)).await;
    drop(store.unwrap());
    let mut reader = MysqlReader::open(url, WAIT_TIMEOUT).await.unwrap();
    // As long as the walk over a journal.
    tokio::time::sleep(WAIT_TIMEOUT).await;
    assert!(reader.row(&Key::from("Ann")).await.unwrap().is_none());
}
